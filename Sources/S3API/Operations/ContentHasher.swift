import Crypto
package import Metadata
package import NIOCore

/// The digests of content that passes through: an MD5 for the ETag, an additional checksum, each where it is wanted.
package struct ContentHasher: Sendable {
    private var md5: Insecure.MD5?
    private var checksum: ChecksumHasher?
    private let algorithm: ChecksumAlgorithm?

    package init(md5: Bool, checksum algorithm: ChecksumAlgorithm?) {
        self.md5 = md5 ? Insecure.MD5() : nil
        self.checksum = algorithm.map { ChecksumHasher($0) }
        self.algorithm = algorithm
    }

    /// There is nothing to compute.
    package var isIdle: Bool { md5 == nil && checksum == nil }

    package mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes {
            md5?.update(bufferPointer: $0)
            checksum?.update($0)
        }
    }

    package var etag: ETag? {
        md5.map { ETag(md5: $0.finalize()) }
    }

    package var objectChecksum: ObjectChecksum? {
        guard let algorithm, let checksum else { return nil }
        return ObjectChecksum(algorithm: algorithm, kind: .fullObject, digest: checksum.digest)
    }
}

extension S3Operations {
    /// Pieces from this size on are hashed off the event loop.
    private static var offloadedHashByteCountMin: Int { 32 << 10 }

    /// The hasher after these bytes.
    func hashing(
        _ bytes: ByteBuffer, with hasher: ContentHasher, on eventLoop: any EventLoop
    ) async throws(S3Error) -> ContentHasher {
        if hasher.isIdle { return hasher }
        let update = { @Sendable () throws(S3Error) -> ContentHasher in
            var hasher = hasher
            hasher.update(bytes)
            return hasher
        }
        if bytes.readableBytes < Self.offloadedHashByteCountMin { return try update() }
        return try await offloaded(on: eventLoop, update)
    }
}
