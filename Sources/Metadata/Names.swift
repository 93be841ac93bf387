/// An object's key: 1 to 1,024 bytes of valid UTF-8, compared byte by byte, which is S3's order.
///
/// Not a `String`: Swift compares strings by canonical equivalence, under which two different keys can be equal.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let byteCountMax = 1024

    public let bytes: [UInt8]

    /// - Throws: `MetadataError` with `.keyTooLong` or `.invalidKey` (empty, or not UTF-8).
    public init(_ bytes: [UInt8]) throws(MetadataError) {
        guard bytes.count <= Self.byteCountMax else { throw MetadataError(.keyTooLong) }
        guard !bytes.isEmpty, String(validating: bytes, as: UTF8.self) != nil else { throw MetadataError(.invalidKey) }
        self.bytes = bytes
    }

    /// For bytes that have been validated before (read back from the store).
    package init(validated bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// Where an effect stands in the order of all effects: the log index (alone: the engine's own sequence) and the position
/// within that entry. Version ids, version order, upload ids and bucket ids derive from it inside `apply`, never from a
/// proposer's clock or random source, so that they are equal on each replica and sort as they were committed.
public struct CommitPosition: Hashable, Sendable, Comparable {
    public let index: UInt64
    public let offset: UInt32

    public init(index: UInt64, offset: UInt32) {
        self.index = index
        self.offset = offset
    }

    public static func < (left: CommitPosition, right: CommitPosition) -> Bool {
        (left.index, left.offset) < (right.index, right.offset)
    }
}

/// A version of an object as S3 names it: `null`, or an opaque string.
public enum VersionID: Hashable, Sendable {
    /// The version written while versioning was off or suspended; at most one a key.
    case null
    case version(CommitPosition)
}

/// A multipart upload in progress.
public struct UploadID: Hashable, Sendable {
    public let position: CommitPosition

    public init(position: CommitPosition) {
        self.position = position
    }
}

/// A bucket and, where the caller's right depends on it, who must own it.
///
/// The owner is checked together with the operation itself, so that a bucket deleted and made anew by somebody else in between is not touched.
public struct BucketReference: Hashable, Sendable {
    public var name: String
    /// The canonical id that must own the bucket; otherwise `.accessDenied`. `nil`: no check.
    public var requiredOwner: String?

    public init(name: String, requiredOwner: String?) {
        self.name = name
        self.requiredOwner = requiredOwner
    }
}
