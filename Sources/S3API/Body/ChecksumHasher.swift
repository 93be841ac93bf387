package import Checksum
package import Crypto
package import Metadata

/// One of S3's additional checksums while it is computed.
package enum ChecksumHasher: Sendable {
    case crc32(CRC32)
    case crc32c(CRC32C)
    case crc64nvme(CRC64NVME)
    case sha1(Insecure.SHA1)
    case sha256(SHA256)

    package init(_ algorithm: ChecksumAlgorithm) {
        switch algorithm {
        case .crc32: self = .crc32(CRC32())
        case .crc32c: self = .crc32c(CRC32C())
        case .crc64nvme: self = .crc64nvme(CRC64NVME())
        case .sha1: self = .sha1(Insecure.SHA1())
        case .sha256: self = .sha256(SHA256())
        }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .crc32(var crc):
            crc.update(bytes)
            self = .crc32(crc)
        case .crc32c(var crc):
            crc.update(bytes)
            self = .crc32c(crc)
        case .crc64nvme(var crc):
            crc.update(bytes)
            self = .crc64nvme(crc)
        case .sha1(var hash):
            // The other reference goes first, so that the hash's state is not copied at each update.
            self = .crc32(CRC32())
            hash.update(bufferPointer: bytes)
            self = .sha1(hash)
        case .sha256(var hash):
            self = .crc32(CRC32())
            hash.update(bufferPointer: bytes)
            self = .sha256(hash)
        }
    }

    /// The digest's bytes, big-endian.
    package var digest: [UInt8] {
        switch self {
        case .crc32(let crc): withUnsafeBytes(of: crc.value.bigEndian, Array.init)
        case .crc32c(let crc): withUnsafeBytes(of: crc.value.bigEndian, Array.init)
        case .crc64nvme(let crc): withUnsafeBytes(of: crc.value.bigEndian, Array.init)
        case .sha1(let hash): Array(hash.finalize())
        case .sha256(let hash): Array(hash.finalize())
        }
    }
}

extension ChecksumAlgorithm {
    /// As in `x-amz-checksum-…` headers.
    package var headerName: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    /// As in `x-amz-checksum-algorithm` and in documents.
    package var name: String {
        switch self {
        case .crc32: "CRC32"
        case .crc32c: "CRC32C"
        case .crc64nvme: "CRC64NVME"
        case .sha1: "SHA1"
        case .sha256: "SHA256"
        }
    }

    package init?(name: String) {
        guard let algorithm = Self.allCases.first(where: { ASCIICase.equal($0.name, name) }) else { return nil }
        self = algorithm
    }

    /// How long a digest is: 4 to 32 bytes.
    package var digestByteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }
}
