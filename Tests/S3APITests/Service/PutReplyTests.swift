import Crypto
import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Synchronization
import Testing

/// The short way of a PUT and the general one must not be told apart by a client, but for the time they take. Each test does the same
/// to two services.
@Suite("Writes of small objects without a task")
struct PutReplyTests {
    private enum Kind: Equatable {
        case now, promised, later
    }

    private static let hashing = S3HashingPool(threads: .singleton)
    private let short = MemoryEngine()
    private let general = MemoryEngine()
    private let shortService: S3Service<MemoryEngine>
    private let generalService: S3Service<MemoryEngine>

    init() async throws {
        shortService = Self.service(short)
        generalService = Self.service(general)
        for engine in [short, general] {
            try await engine.createBucket(CreateBucket(name: "bucket", owner: TestSigner.owner, location: ""))
            let other = Owner(canonicalID: "other", displayName: "Other")
            try await engine.createBucket(CreateBucket(name: "theirs", owner: other, location: ""))
        }
    }

    private static func service(_ engine: MemoryEngine) -> S3Service<MemoryEngine> {
        S3Service(
            engine: engine,
            configuration: S3ServiceConfiguration(
                credentials: TestSigner.credentials, hostID: "node-1", clock: { TestSigner.nowMilliseconds }),
            hashing: hashing, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func hash(_ body: String) -> String {
        String(decoding: Hexadecimal.encode(SHA256.hash(data: Array(body.utf8))), as: UTF8.self)
    }

    private func signed(
        _ target: String, _ body: String, _ headers: HTTPHeaders = [:], payload: String? = nil
    ) throws -> HTTPRequest {
        var headers = headers
        if !headers.contains(name: "content-length") { headers.add(name: "Content-Length", value: "\(body.utf8.count)") }
        return request(target, body, try TestSigner().sign(.PUT, target, headers: headers, payload: payload ?? Self.hash(body)))
    }

    private func request(_ target: String, _ body: String, _ headers: HTTPHeaders) -> HTTPRequest {
        HTTPRequest(
            method: .PUT, target: target, headers: headers, body: .collected(ByteBuffer(string: body)), remoteAddress: nil,
            isSecure: false, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
    }

    /// How the request was taken, and the status, after a comparison of both ways: of what is answered, and of what is kept.
    private func put(
        _ request: HTTPRequest, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> (kind: Kind, status: UInt) {
        let (kind, response) = await reply(to: request)
        let expected = await generalService.respond(to: request)
        #expect(seen(response) == seen(expected), sourceLocation: sourceLocation)
        let (kept, keptGenerally) = (try await objects(short), try await objects(general))
        #expect(kept == keptGenerally, sourceLocation: sourceLocation)
        return (kind, response.status.code)
    }

    private func reply(to request: HTTPRequest) async -> (Kind, HTTPResponse) {
        switch shortService.reply(to: request) {
        case .now(let response): return (.now, response)
        case .later(let produce): return (.later, await produce())
        case .promised(let promise):
            let make = await withCheckedContinuation { continuation in
                promise(HTTPResponsePromise { continuation.resume(returning: $0) })
            }
            return (.promised, make())
        }
    }

    private func objects(_ engine: MemoryEngine) async throws -> [ObjectInfo] {
        let bucket = BucketReference(name: "bucket", requiredOwner: nil)
        var found: [ObjectInfo] = []
        for object in try await engine.listObjects(ListObjects(bucket: bucket)).objects {
            found.append(try await engine.headObject(GetObject(bucket: bucket, key: object.key)))
        }
        return found
    }

    @Test(
        "Small objects",
        arguments: [
            [:], ["Content-Type": "text/plain", "x-amz-meta-colour": "blue", "Cache-Control": "no-cache"],
            ["x-amz-checksum-crc32": "DUoRhQ=="], ["x-amz-sdk-checksum-algorithm": "CRC32C"],
            ["Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww=="], ["x-amz-acl": "private"], ["If-None-Match": "*"],
            ["x-rustfs-read-consistency": "eventual"],
        ] as [HTTPHeaders], ["/bucket/key", "/bucket/with%20space/%C3%BC", "/bucket/a//b"])
    func small(_ headers: HTTPHeaders, _ target: String) async throws {
        for _ in 0..<2 {
            // The second time the client is known, and the object is there.
            let isConditional = headers.contains(name: "If-None-Match")
            let isThere = try await !objects(short).isEmpty
            let (kind, status) = try await put(try signed(target, "hello world", headers))
            #expect(kind == .promised)
            #expect(status == (isConditional && isThere ? 412 : 200))
        }
        #expect(try await objects(short).count == 1)
    }

    @Test("No bytes, and as many as are verified on the loop")
    func sizes() async throws {
        #expect(try await put(try signed("/bucket/key", "")) == (.promised, 200))
        let body = String(repeating: "x", count: (64 << 10) - 1)
        #expect(try await put(try signed("/bucket/key", body)) == (.promised, 200))
        #expect(try await put(try signed("/bucket/key", body + "x")) == (.later, 200))
        #expect(try await put(try signed("/bucket/key", String(repeating: "x", count: (128 << 10) + 1))) == (.later, 200))
    }

    @Test("A body in chunks, and a presigned one")
    func otherForms() async throws {
        let chunked = "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
        let headers: HTTPHeaders = [
            "x-amz-decoded-content-length": "11", "x-amz-trailer": "x-amz-checksum-crc32", "Content-Encoding": "aws-chunked",
        ]
        let request = try signed("/bucket/key", chunked, headers, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        #expect(try await put(request) == (.promised, 200))
        let presigned = try TestSigner().presign(.PUT, "/bucket/key", headers: ["Content-Length": "5"])
        #expect(try await put(self.request(presigned.target, "hello", presigned.headers)) == (.promised, 200))
        #expect(try await put(self.request(presigned.target + "0", "hello", presigned.headers)) == (.now, 403))
    }

    @Test(
        "What is wrong with a request is told at once, and alike",
        arguments: [
            (["x-amz-acl": "nonsense"], 400), (["Content-MD5": "XrY7u+Ae7tCTyyK7j1rNwQ=="], 400),
            (["x-amz-checksum-crc32": "DUoRhA=="], 400), (["Content-Length": "12"], 400), (["x-amz-storage-class": "X"], 400),
            (["x-amz-meta-a": String(repeating: "a", count: 2049)], 400), (["If-Match": "*", "If-None-Match": "*"], 400),
            (["x-rustfs-write-consistency": "soon"], 400), (["x-amz-server-side-encryption": "AES256"], 501),
            (["Content-Length": "99999999999"], 400), (["x-amz-date": "20130523T000000Z"], 400),
        ] as [(HTTPHeaders, UInt)])
    func wrong(_ headers: HTTPHeaders, _ status: UInt) async throws {
        for _ in 0..<2 {
            #expect(try await put(try signed("/bucket/key", "hello world", headers)) == (.now, status))
            #expect(try await put(try signed("/bucket/other", "hello world")) == (.promised, 200))
        }
        #expect(try await objects(short).count == 1)
    }

    @Test("Names that are none, and a body that was changed")
    func wrongNames() async throws {
        #expect(try await put(try signed("/Bucket/key", "hello")) == (.now, 400))
        #expect(try await put(try signed("/bucket/\(String(repeating: "k", count: 1025))", "hello")) == (.now, 400))
        #expect(try await put(try signed("/bucket/%FF", "hello")) == (.now, 400))
        let signed = try signed("/bucket/key", "hello")
        #expect(try await put(request("/bucket/key", "hellO", signed.headers)) == (.now, 400))
        #expect(try await put(request("/bucket/kez", "hello", signed.headers)) == (.now, 403))
        #expect(try await objects(short).isEmpty)
    }

    @Test("Errors of the engine are the same")
    func refused() async throws {
        #expect(try await put(try signed("/missing/key", "hello")) == (.promised, 404))
        #expect(try await put(try signed("/theirs/key", "hello")) == (.promised, 403))
        for code in [MetadataError.Code.noSpace, .unknownOutcome, .timeout, .unavailable] {
            for engine in [short, general] { engine.state.withLock { $0.failure = MetadataError(code, "a test") } }
            let (kind, status) = try await put(try signed("/bucket/key", "hello"))
            #expect(kind == .promised)
            #expect(status >= 500)
        }
    }

    @Test(
        "Other writes take the general way",
        arguments: [
            ("/bucket2", [:]), ("/bucket/key?partNumber=1&uploadId=none", [:]), ("/bucket/key?acl", [:]),
            ("/bucket/copy", ["x-amz-copy-source": "/bucket/key"]), ("/bucket/key", ["x-rustfs-write-consistency": "eventual"]),
        ] as [(String, HTTPHeaders)])
    func otherWrites(_ target: String, _ headers: HTTPHeaders) async throws {
        #expect(try await put(try signed(target, "", headers)).kind == (target.hasSuffix("acl") ? .now : .later))
    }

    @Test("A versioned bucket names the version")
    func versioned() async throws {
        for engine in [short, general] {
            try await engine.setBucketVersioning(
                SetBucketVersioning(bucket: BucketReference(name: "bucket", requiredOwner: nil), versioning: .enabled))
        }
        for _ in 0..<3 { #expect(try await put(try signed("/bucket/key", "hello")) == (.promised, 200)) }
    }
}
