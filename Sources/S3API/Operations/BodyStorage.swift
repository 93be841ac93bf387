import Metadata
import NIOCore
import ObjectDataStore

/// A request's content once all of it is there, verified, and (above the inline size) durable.
struct ReceivedContent: Sendable {
    var body: ObjectBody
    var digests: S3BodyDigests
}

extension S3Operations {
    /// Takes in the body of PutObject or UploadPart: in memory up to the inline size, beyond it straight to the body store.
    ///
    /// Memory stays bounded by the inline size whatever arrives. When anything fails (the client leaves, a digest is wrong, the
    /// disk is full) the half-written body is removed and nothing is left.
    ///
    /// - Parameters:
    ///   - algorithm: a checksum to compute besides what the client asked for.
    ///   - beforeStoring: asked once before a large body is read, so that a request that must fail does not send gigabytes first.
    func receiveContent(
        of request: S3Request, computing algorithm: ChecksumAlgorithm? = nil,
        beforeStoring: () async throws(S3Error) -> Void
    ) async throws(S3Error) -> ReceivedContent {
        var hasher = ContentHasher(md5: false, checksum: algorithm)
        switch request.body {
        case .collected(let bytes, var digests):
            hasher = try await hashing(bytes, with: hasher, on: request.eventLoop)
            digests.checksum = digests.checksum ?? hasher.objectChecksum
            if bytes.readableBytes <= ObjectBody.inlineByteCountMax {
                return ReceivedContent(body: .inline(bytes), digests: digests)
            }
            try await beforeStoring()
            let stored = try await storing(request) { writer throws(S3Error) in
                try await request.answering { () async throws(MetadataError) in try await writer.write(bytes) }
            }
            return ReceivedContent(body: .stored(stored), digests: digests)
        case .streamed(let stream):
            var pending = ByteBuffer()
            if (stream.declaredByteCount ?? 0) <= UInt64(ObjectBody.inlineByteCountMax) {
                var hasEnded = false
                while pending.readableBytes <= ObjectBody.inlineByteCountMax {
                    guard var piece = try await stream.next() else {
                        hasEnded = true
                        break
                    }
                    pending.writeBuffer(&piece)
                }
                if hasEnded {
                    hasher = try await hashing(pending, with: hasher, on: request.eventLoop)
                    var digests = await stream.digests
                    digests.checksum = digests.checksum ?? hasher.objectChecksum
                    return ReceivedContent(body: .inline(pending), digests: digests)
                }
            }
            try await beforeStoring()
            let first = pending
            let stored = try await storing(request) { writer throws(S3Error) in
                var piece: ByteBuffer? = first
                while let bytes = piece {
                    hasher = try await hashing(bytes, with: hasher, on: request.eventLoop)
                    if bytes.readableBytes > 0 {
                        try await request.answering { () async throws(MetadataError) in try await writer.write(bytes) }
                    }
                    piece = try await stream.next()
                }
            }
            var digests = await stream.digests
            digests.checksum = digests.checksum ?? hasher.objectChecksum
            return ReceivedContent(body: .stored(stored), digests: digests)
        }
    }

    /// Writes one body; removes it again unless all of it was written and made durable.
    func storing(
        _ request: S3Request, _ write: (Engine.BodyWriter) async throws(S3Error) -> Void
    ) async throws(S3Error) -> StoredBody {
        let writer = try await request.answering { () async throws(MetadataError) in try await engine.makeBodyWriter() }
        do throws(S3Error) {
            try await write(writer)
            return try await request.answering { () async throws(MetadataError) in try await writer.finish() }
        } catch {
            await writer.abort()
            throw error
        }
    }

    /// The bucket is there and the caller's own.
    func checkBucket(_ bucket: BucketReference, _ request: S3Request) async throws(S3Error) {
        _ = try await request.answering { () async throws(MetadataError) in
            try await engine.getBucket(bucket, read: request.read)
        }
    }
}
