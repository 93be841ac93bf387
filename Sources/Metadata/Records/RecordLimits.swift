import NIOCore
import ObjectDataStore

/// What a record may hold: bounds that keep every length within its field and every record small. Checked in `apply` before
/// the first write; the S3 layer's own limits are tighter, these hold for every user of the library.
package enum RecordLimits {
    /// Each of an owner's texts, a bucket's name and location.
    package static let nameByteCountMax = 1024
    /// All texts of an object's attributes together. Below 65,535, so that each fits a length of 16 bits.
    package static let attributesByteCountMax = 32 * 1024
    package static let userMetadataCountMax = 2048
    /// Of an object or a bucket: what S3 lets a bucket have.
    package static let tagCountMax = 50
    /// All tags of a bucket together: above what 50 tags of the longest keys and values take. Below 65,535, so that each text fits a
    /// length of 16 bits.
    package static let tagsByteCountMax = 60 * 1024
    /// 2^48 (256 TiB): so that no sum of sizes can overflow.
    package static let bodyByteCountMax: UInt64 = 1 << 48

    /// Why attributes cannot be stored; `nil` when they can.
    package static func violation(_ attributes: ObjectAttributes) -> MetadataError? {
        let storageClassByteCount = attributes.storageClass?.utf8.count ?? 0
        guard attributes.encodedByteCountMax + storageClassByteCount <= attributesByteCountMax,
            attributes.userMetadata.count <= userMetadataCountMax, attributes.tags.count <= tagCountMax
        else { return MetadataError(.limitExceeded, "the object's attributes are too large") }
        return nil
    }

    package static func violation(_ tags: [ResourceTag]) -> MetadataError? {
        guard tags.count <= tagCountMax, tags.encodedByteCount <= tagsByteCountMax else {
            return MetadataError(.limitExceeded, "the tags are too many or too large")
        }
        return nil
    }

    package static func violation(_ owner: Owner) -> MetadataError? {
        guard owner.canonicalID.utf8.count <= nameByteCountMax, owner.displayName.utf8.count <= nameByteCountMax else {
            return MetadataError(.limitExceeded, "the owner's names are too long")
        }
        return nil
    }

    package static func violation(_ checksum: ObjectChecksum?) -> MetadataError? {
        guard let checksum, checksum.digest.count != checksum.algorithm.digestByteCount else { return nil }
        return MetadataError(.invalidArgument, "a checksum's digest has the wrong length")
    }

    package static func violation(_ body: ObjectBody) -> MetadataError? {
        switch body {
        case .inline(let bytes) where bytes.readableBytes > ObjectBody.inlineByteCountMax:
            MetadataError(.invalidArgument, "an inline body is larger than 128 KiB")
        case .stored(let stored) where stored.length > bodyByteCountMax:
            MetadataError(.limitExceeded, "a body is too large")
        case .inline, .stored: nil
        }
    }
}
