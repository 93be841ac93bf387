import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1

/// A GetObject or HeadObject that asks for nothing but the object: no query, no range or condition, a path that needs no decoding, a
/// signature in the header. Most requests are one; whatever is out of the ordinary takes the general way, which answers them alike.
struct PlainRead {
    let operation: S3Operation
    let target: GetObject
    let identity: S3Identity
    let wantsChecksum: Bool

    /// - Returns: `nil` for every request that is not one, or whose signature is not known to be right.
    init?(
        _ request: HTTPRequest, verifier: SignatureVerifier, domains: S3Domains, reads consistency: ReadConsistency,
        nowMilliseconds: UInt64
    ) {
        let method: String
        switch request.method {
        case .GET: (operation, method) = (.getObject, "GET")
        case .HEAD: (operation, method) = (.headObject, "HEAD")
        default: return nil
        }
        guard case .collected(let body) = request.body, body.readableBytes == 0,
            let (bucket, key) = Self.names(
                request.target,
                hosted: domains.isEmpty ? nil : request.headers.first(name: "host").flatMap { domains.bucket(host: $0) }),
            let fields = RequestFields(request.headers),
            let identity = verifier.signer(
                method: method, path: request.target, fields: fields, nowMilliseconds: nowMilliseconds)
        else { return nil }
        self.identity = identity
        target = GetObject(
            bucket: BucketReference(name: bucket, requiredOwner: identity.owner.canonicalID), key: key,
            read: ReadOptions(consistency))
        wantsChecksum = fields.wantsChecksum
    }

    /// `/bucket/key`, or `/key` where the host names the bucket, of characters that stand for themselves, in a path as in its
    /// canonical form.
    private static func names(_ target: String, hosted hostBucket: String?) -> (bucket: String, key: ObjectKey)? {
        let parts = target.utf8.withContiguousStorageIfAvailable { path -> (String, [UInt8])? in
            guard path.count > 1, path[0] == UInt8(ascii: "/") else { return nil }
            var slash = 0
            for position in 1..<path.count {
                switch path[position] {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "~"):
                    break
                case UInt8(ascii: "/"): if slash == 0 { slash = position }
                default: return nil
                }
            }
            if let hostBucket {
                guard path.count - 1 <= ObjectKey.byteCountMax else { return nil }
                return (hostBucket, Array(path[1...]))
            }
            guard slash > 1, slash + 1 < path.count, path.count - slash - 1 <= ObjectKey.byteCountMax else { return nil }
            return (String(decoding: path[1..<slash], as: UTF8.self), Array(path[(slash + 1)...]))
        }
        guard let (bucket, key) = parts ?? nil, BucketName.isValid(bucket) else { return nil }
        // ASCII, hence UTF-8, and of a length that was looked at.
        return (bucket, ObjectKey(validated: key))
    }
}

extension S3Service {
    /// - Returns: nil for what is no plain read.
    func replyToRead(_ request: HTTPRequest) -> HTTPReply? {
        let now = configuration.clock()
        guard
            let read = PlainRead(
                request, verifier: verifier, domains: configuration.domains, reads: configuration.readConsistency,
                nowMilliseconds: now)
        else { return nil }
        let call = S3Call(request, requestID: requestIDs.next())
        let plain = s3Request(request, read, requestID: call.requestID, nowMilliseconds: now)
        if let response = responseAtHand(read, read.target, call, plain) { return .now(response) }
        return .later { [self] in
            // Where a peer had to be asked first, the answer may be at hand now.
            do throws(MetadataError) {
                try await engine.waitToRead(read.target.read)
            } catch { return response(.failure(S3Error(error, for: plain)), call, read.operation) }
            var target = read.target
            target.read = .eventual
            if let response = responseAtHand(read, target, call, plain) { return response }
            var general = plain
            general.read = .eventual
            return await respond(to: call, of: read.operation) { () async throws(S3Error) in try await perform(general) }
        }
    }

    /// - Returns: nil where a disk or a peer has to be asked.
    private func responseAtHand(
        _ read: PlainRead, _ target: GetObject, _ call: S3Call, _ plain: S3Request
    ) -> HTTPResponse? {
        let isHead = read.operation == .headObject
        do throws(MetadataError) {
            guard let found = try engine.objectAtHand(target, withBytes: !isHead) else { return nil }
            let whole = HTTPResponse(
                status: .ok, headers: HTTPHeaders(whole: found.info, withChecksum: read.wantsChecksum),
                body: isHead ? .omitted(byteCount: found.info.size) : .bytes(found.bytes))
            return response(.success(whole), call, read.operation)
        } catch { return response(.failure(S3Error(error, for: plain)), call, read.operation) }
    }

    private func s3Request(
        _ request: HTTPRequest, _ read: PlainRead, requestID: String, nowMilliseconds: UInt64
    ) -> S3Request {
        S3Request(
            operation: read.operation, method: request.method, bucket: read.target.bucket.name, key: read.target.key.bytes,
            query: S3Query(), headers: request.headers, identity: read.identity,
            body: .collected(ByteBuffer(), S3BodyDigests(md5: [], checksum: nil)), requestID: requestID,
            nowMilliseconds: nowMilliseconds, isSecure: request.isSecure, eventLoop: request.eventLoop)
    }
}
