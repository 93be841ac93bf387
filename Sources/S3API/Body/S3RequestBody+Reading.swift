package import HTTPServer
package import NIOCore

extension S3RequestBody {
    /// Makes the verified body of a request out of what HTTP brought. A collected one is verified here.
    ///
    /// - Throws: what is wrong with a collected body; of a stream, `next()` and `collect(upTo:)` say it.
    package init(
        _ body: HTTPRequestBody, plan: BodyPlan, hashing: S3HashingPool, eventLoop: any EventLoop
    ) async throws(S3Error) {
        switch body {
        case .streamed(let source):
            self = .streamed(VerifiedBodyStream(source: source, plan: plan, hashing: hashing, eventLoop: eventLoop))
        case .collected(let bytes):
            if let body = try Self(atOnce: bytes, plan: plan) {
                self = body
                return
            }
            let verified: Result<S3RequestBody, S3Error>
            do {
                verified = try await hashing.start(on: eventLoop) { Self.verify(bytes, plan: plan) }.get()
            } catch {
                throw .stopping
            }
            self = try verified.get()
        }
    }

    /// - Returns: `nil` for a body that takes too long to verify on an event loop.
    init?(atOnce bytes: ByteBuffer, plan: BodyPlan) throws(S3Error) {
        guard bytes.readableBytes < plan.offloadedHashByteCountMin else { return nil }
        self = try Self.verify(bytes, plan: plan).get()
    }

    private static func verify(_ bytes: ByteBuffer, plan: BodyPlan) -> Result<S3RequestBody, S3Error> {
        Result { () throws(S3Error) in
            // The body that most requests have: none. Its hash is known.
            if bytes.readableBytes == 0, case .sha256(let hash) = plan.payload, hash == StringToSign.emptyHashBytes,
                !plan.needsMD5, plan.contentMD5 == nil, plan.checksum == nil, plan.declaredByteCount ?? 0 == 0
            {
                return .collected(bytes, S3BodyDigests(md5: [], checksum: nil))
            }
            var digester = BodyDigester(plan: plan)
            guard var decoder = ChunkedDecoder(plan: plan) else {
                try digester.process(.content(bytes))
                return .collected(bytes, try digester.finish())
            }
            var content = ByteBuffer()
            decoder.feed(bytes)
            while let event = try decoder.next() {
                switch event {
                case .content(var piece):
                    try digester.process(.content(piece))
                    if content.readableBytes == 0 { content = piece } else { content.writeBuffer(&piece) }
                case .chunkEnd(let signature): try digester.process(.chunkEnd(signature: signature))
                case .trailers(let trailers): try digester.process(.trailers(trailers))
                }
            }
            try decoder.finish()
            return .collected(content, try digester.finish())
        }
    }

    /// All of the body, verified, where it is small enough to be kept in memory.
    ///
    /// - Throws: `EntityTooLarge` above `byteCountMax`, before more than that has been read; what is wrong with the body.
    package func collect(upTo byteCountMax: Int) async throws(S3Error) -> (bytes: ByteBuffer, digests: S3BodyDigests) {
        switch self {
        case .collected(let bytes, let digests):
            guard bytes.readableBytes <= byteCountMax else {
                throw .entityTooLarge(proposed: UInt64(bytes.readableBytes), byteCountMax: UInt64(byteCountMax))
            }
            return (bytes, digests)
        case .streamed(let stream):
            if let declared = stream.declaredByteCount, declared > byteCountMax {
                throw .entityTooLarge(proposed: declared, byteCountMax: UInt64(byteCountMax))
            }
            var collected = ByteBuffer()
            while var piece = try await stream.next() {
                guard collected.readableBytes + piece.readableBytes <= byteCountMax else {
                    throw .entityTooLarge(
                        proposed: UInt64(collected.readableBytes + piece.readableBytes), byteCountMax: UInt64(byteCountMax))
                }
                collected.writeBuffer(&piece)
            }
            return (collected, await stream.digests)
        }
    }
}
