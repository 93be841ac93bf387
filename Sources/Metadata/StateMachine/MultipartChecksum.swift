import Checksum
import Crypto

/// The checksum of a multipart object, made from those of its parts: no byte of the bodies is read again.
enum MultipartChecksum {
    /// - Parameter given: what the client says that the result is (`x-amz-checksum-…` on the completion); without an algorithm in
    ///   the upload it also says which algorithm is meant.
    /// - Returns: `nil` where neither the upload nor the client asked for one, or parts have none; `.checksumMismatch` where the
    ///   client's cannot be confirmed.
    static func of(
        _ parts: [PartRecord], upload: UploadRecord, given: ObjectChecksum?
    ) -> Result<ObjectChecksum?, MetadataError> {
        guard let algorithm = upload.checksumAlgorithm ?? given?.algorithm else { return .success(nil) }
        let defaultKind: ObjectChecksum.Kind = algorithm == .crc64nvme ? .fullObject : .composite
        let kind = upload.checksumKind ?? given?.kind ?? defaultKind
        if let given, given.algorithm != algorithm || given.kind != kind {
            return .failure(MetadataError(.checksumMismatch, "the checksum is not of the upload's algorithm and type"))
        }
        let computed = compute(algorithm, kind, parts)
        if let given, given.digest != computed?.digest {
            return .failure(MetadataError(.checksumMismatch, "the checksum is not that of the parts together"))
        }
        return .success(computed)
    }

    private static func compute(
        _ algorithm: ChecksumAlgorithm, _ kind: ObjectChecksum.Kind, _ parts: [PartRecord]
    ) -> ObjectChecksum? {
        guard algorithm.supports(kind) else { return nil }
        var digests: [[UInt8]] = []
        for part in parts {
            guard let checksum = part.checksum, checksum.algorithm == algorithm else { return nil }
            digests.append(checksum.digest)
        }
        let digest: [UInt8]
        switch kind {
        case .composite: digest = hash(algorithm, Array(digests.joined()))
        case .fullObject: digest = combine(algorithm, zip(digests, parts.map(\.size)))
        }
        return ObjectChecksum(algorithm: algorithm, kind: kind, digest: digest)
    }

    private static func hash(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> [UInt8] {
        var digest: [UInt8] = []
        switch algorithm {
        case .crc32: digest.appendBigEndian(bytes.withUnsafeBytes { CRC32.checksum($0) })
        case .crc32c: digest.appendBigEndian(bytes.withUnsafeBytes { CRC32C.checksum($0) })
        case .crc64nvme: digest.appendBigEndian(bytes.withUnsafeBytes { CRC64NVME.checksum($0) })
        case .sha1: digest.append(contentsOf: Insecure.SHA1.hash(data: bytes))
        case .sha256: digest.append(contentsOf: SHA256.hash(data: bytes))
        }
        return digest
    }

    /// The CRC of the whole from those of its pieces and their lengths.
    private static func combine(
        _ algorithm: ChecksumAlgorithm, _ pieces: some Sequence<([UInt8], UInt64)>
    ) -> [UInt8] {
        var sum: UInt64 = 0
        for (digest, byteCount) in pieces {
            let piece = digest.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            switch algorithm {
            case .crc32:
                sum = UInt64(
                    CRC32.combine(
                        UInt32(truncatingIfNeeded: sum), UInt32(truncatingIfNeeded: piece), secondByteCount: byteCount))
            case .crc32c:
                sum = UInt64(
                    CRC32C.combine(
                        UInt32(truncatingIfNeeded: sum), UInt32(truncatingIfNeeded: piece), secondByteCount: byteCount))
            case .crc64nvme: sum = CRC64NVME.combine(sum, piece, secondByteCount: byteCount)
            case .sha1, .sha256: preconditionFailure("only CRCs combine")
            }
        }
        var digest: [UInt8] = []
        if algorithm == .crc64nvme {
            digest.appendBigEndian(sum)
        } else {
            digest.appendBigEndian(UInt32(truncatingIfNeeded: sum))
        }
        return digest
    }
}
