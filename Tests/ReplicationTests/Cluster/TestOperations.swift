import Metadata
import NIOCore
import ObjectDataStore

/// Operations that the tests propose.
enum TestOperations {
    static let bucket = "tests"
    static let owner = Owner(canonicalID: "owner", displayName: "owner")

    /// A bucket that keeps every version, so that a put that takes effect twice shows.
    static let setUp: [MetadataChange] = [
        .createBucket(CreateBucket(name: bucket, owner: owner, location: "")),
        .setBucketVersioning(
            SetBucketVersioning(bucket: BucketReference(name: bucket, requiredOwner: nil), versioning: .enabled)),
    ]

    static func put(_ key: String, _ value: UInt64, byteCount: Int = 0) throws -> [UInt8] {
        bytes(
            .putObject(
                PutObject(
                    bucket: BucketReference(name: bucket, requiredOwner: nil), key: try ObjectKey(Array(key.utf8)),
                    body: .inline(ByteBuffer(repeating: 7, count: byteCount)), etag: ETag(high: 0, low: value), owner: owner)))
    }

    static func bytes(_ change: MetadataChange) -> [UInt8] {
        var buffer = ByteBuffer()
        MetadataOperation(opID: 1, timestamp: 1000, change: change).encode(into: &buffer)
        return Array(buffer: buffer)
    }
}
