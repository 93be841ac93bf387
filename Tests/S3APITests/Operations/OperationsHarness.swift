import Crypto
import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Synchronization

/// The operations over an engine in memory, driven by method and target as a client would, without signatures.
struct OperationsHarness {
    static let alice = S3Identity(accessKey: "alice", owner: Owner(canonicalID: "alice-id", displayName: "Alice"))
    static let bob = S3Identity(accessKey: "bob", owner: Owner(canonicalID: "bob-id", displayName: "Bob"))

    let engine = MemoryEngine()
    let operations: S3Operations<MemoryEngine>

    /// Starts with the bucket `bucket`, which is Alice's.
    init(region: String = "us-east-1") async throws {
        operations = S3Operations(engine: engine, region: region, hashing: S3HashingPool(threads: .singleton))
        try await engine.createBucket(CreateBucket(name: "bucket", owner: Self.alice.owner, location: ""))
    }

    struct Reply {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        /// The text between the first pair of these tags.
        func element(_ name: String) -> String? {
            guard let start = text.firstRange(of: "<\(name)>"), let end = text.firstRange(of: "</\(name)>"),
                start.upperBound <= end.lowerBound
            else { return nil }
            return String(text[start.upperBound..<end.lowerBound])
        }
    }

    @discardableResult
    func send(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders = [:], body: String = "",
        as identity: S3Identity = alice
    ) async throws -> Reply {
        try await send(method, target, headers, body: Self.collected(Array(body.utf8)), as: identity)
    }

    @discardableResult
    func send(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders = [:], body: S3RequestBody,
        as identity: S3Identity = alice
    ) async throws -> Reply {
        let parsed = try S3Target(parsing: target)
        let operation = try S3Router.route(method: method, target: parsed, headers: headers)
        let request = S3Request(
            operation: operation, method: method, bucket: parsed.bucket, key: parsed.key, query: parsed.query,
            headers: headers, identity: identity, body: body, requestID: "0123456789ABCDEF",
            nowMilliseconds: 1_790_000_000_000, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        let response = try await perform(request)
        let writer = CollectingWriter()
        var headers = response.headers
        switch response.body {
        case .none: break
        case .omitted(let byteCount): headers.add(name: "Content-Length", value: "\(byteCount)")
        case .bytes(let bytes): try await writer.write(bytes)
        case .streamed(_, let produce): try await produce(writer)
        case .chunked(let produce): try await produce(writer)
        }
        return Reply(status: Int(response.status.code), headers: headers, body: writer.bytes.withLock { $0 })
    }

    /// What is refused, and how.
    func refusal(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders = [:], body: String = "",
        as identity: S3Identity = alice
    ) async throws -> S3Error? {
        do {
            try await send(method, target, headers, body: body, as: identity)
            return nil
        } catch let error as S3Error {
            return error
        }
    }

    static func collected(_ bytes: [UInt8]) -> S3RequestBody {
        .collected(ByteBuffer(bytes: bytes), S3BodyDigests(md5: Array(Insecure.MD5.hash(data: bytes)), checksum: nil))
    }

    private func perform(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        switch request.operation {
        case .listBuckets: try await operations.listBuckets(request)
        case .createBucket: try await operations.createBucket(request)
        case .headBucket: try await operations.headBucket(request)
        case .deleteBucket: try await operations.deleteBucket(request)
        case .getBucketLocation: try await operations.getBucketLocation(request)
        case .getBucketVersioning: try await operations.getBucketVersioning(request)
        case .putBucketVersioning: try await operations.putBucketVersioning(request)
        case .getBucketTagging: try await operations.getBucketTagging(request)
        case .putBucketTagging: try await operations.putBucketTagging(request)
        case .deleteBucketTagging: try await operations.deleteBucketTagging(request)
        case .listObjects: try await operations.listObjects(request)
        case .listObjectsV2: try await operations.listObjectsV2(request)
        case .listObjectVersions: try await operations.listObjectVersions(request)
        case .listMultipartUploads: try await operations.listMultipartUploads(request)
        case .putObject: try await operations.putObject(request)
        case .getObject: try await operations.getObject(request)
        case .headObject: try await operations.headObject(request)
        case .getObjectAttributes: try await operations.getObjectAttributes(request)
        case .deleteObject: try await operations.deleteObject(request)
        case .deleteObjects: try await operations.deleteObjects(request)
        case .copyObject: try await operations.copyObject(request)
        case .getObjectTagging: try await operations.getObjectTagging(request)
        case .putObjectTagging: try await operations.putObjectTagging(request)
        case .deleteObjectTagging: try await operations.deleteObjectTagging(request)
        case .createMultipartUpload: try await operations.createMultipartUpload(request)
        case .uploadPart: try await operations.uploadPart(request)
        case .uploadPartCopy: try await operations.uploadPartCopy(request)
        case .completeMultipartUpload: try await operations.completeMultipartUpload(request)
        case .abortMultipartUpload: try await operations.abortMultipartUpload(request)
        case .listParts: try await operations.listParts(request)
        case .notImplemented(let name): throw .notImplemented(operation: name)
        }
    }
}

final class CollectingWriter: HTTPResponseWriter {
    let bytes = Mutex<[UInt8]>([])

    func write(_ bytes: ByteBuffer) async throws {
        self.bytes.withLock { $0 += bytes.readableBytesView }
    }
}

/// A body in pieces, which may break off with an error in place of its end.
final class PieceStream: S3BodyStream {
    let declaredByteCount: UInt64?
    private let failure: S3Error?
    private let pieces: Mutex<[ByteBuffer]>
    private let md5: [UInt8]
    /// How many pieces were asked for.
    let pullCount = Mutex(0)

    init(_ bytes: [UInt8], pieceByteCount: Int, declares: Bool = true, failure: S3Error? = nil) {
        declaredByteCount = declares ? UInt64(bytes.count) : nil
        self.failure = failure
        pieces = Mutex(
            stride(from: 0, to: bytes.count, by: pieceByteCount).map {
                ByteBuffer(bytes: bytes[$0..<min($0 + pieceByteCount, bytes.count)])
            })
        md5 = Array(Insecure.MD5.hash(data: bytes))
    }

    func next() async throws(S3Error) -> ByteBuffer? {
        pullCount.withLock { $0 += 1 }
        if let piece = pieces.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return piece }
        if let failure { throw failure }
        return nil
    }

    var digests: S3BodyDigests {
        get async { S3BodyDigests(md5: md5, checksum: nil) }
    }
}
