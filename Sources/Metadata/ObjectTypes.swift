public import NIOCore
public import ObjectDataStore

/// An entity tag: the MD5 of a body, or of the parts' MD5s followed by how many there are.
public struct ETag: Hashable, Sendable {
    /// The 16 bytes of the MD5, big-endian halves.
    public let high: UInt64
    public let low: UInt64
    /// 0 for a body sent in one piece; otherwise the number of parts (the `-N` of the text form).
    public let partCount: UInt16

    public init(high: UInt64, low: UInt64, partCount: UInt16 = 0) {
        self.high = high
        self.low = low
        self.partCount = partCount
    }

    /// - Parameter md5: 16 bytes.
    @inlinable
    public init(md5: some Sequence<UInt8>, partCount: UInt16 = 0) {
        var words: (UInt64, UInt64) = (0, 0)
        for byte in md5 { words = (words.0 << 8 | words.1 >> 56, words.1 << 8 | UInt64(byte)) }
        self.init(high: words.0, low: words.1, partCount: partCount)
    }
}

/// The checksum algorithms of S3's "additional checksums".
public enum ChecksumAlgorithm: UInt8, Sendable, CaseIterable {
    case crc32 = 1
    case crc32c = 2
    case sha1 = 3
    case sha256 = 4
    case crc64nvme = 5
}

/// A checksum of an object or a part as S3 stores and returns it.
public struct ObjectChecksum: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// Over all bytes of the object.
        case fullObject = 0
        /// Over the checksums of the parts; the text form ends in `-N`.
        case composite = 1
    }

    public var algorithm: ChecksumAlgorithm
    public var kind: Kind
    /// The digest's raw bytes, big-endian (4, 8, 20 or 32 of them).
    public var digest: [UInt8]

    public init(algorithm: ChecksumAlgorithm, kind: Kind, digest: [UInt8]) {
        self.algorithm = algorithm
        self.kind = kind
        self.digest = digest
    }
}

/// A header's name and value, kept as sent.
public struct MetadataField: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// What a client says about an object besides its bytes.
public struct ObjectAttributes: Hashable, Sendable {
    public var contentType: String?
    public var cacheControl: String?
    public var contentDisposition: String?
    public var contentEncoding: String?
    public var contentLanguage: String?
    /// As sent: S3 echoes `Expires`, it does not interpret it.
    public var expires: String?
    public var websiteRedirectLocation: String?
    /// `nil` is `STANDARD`.
    public var storageClass: String?
    /// `x-amz-meta-…` without the prefix, names in lower case, in the order sent. At most 2 KiB in all (checked by the API).
    public var userMetadata: [MetadataField]
    /// In the order sent. The object's, not the bytes': they change without a new version.
    public var tags: [ResourceTag]

    public init(
        contentType: String? = nil, cacheControl: String? = nil, contentDisposition: String? = nil,
        contentEncoding: String? = nil, contentLanguage: String? = nil, expires: String? = nil,
        websiteRedirectLocation: String? = nil, storageClass: String? = nil, userMetadata: [MetadataField] = [],
        tags: [ResourceTag] = []
    ) {
        self.contentType = contentType
        self.cacheControl = cacheControl
        self.contentDisposition = contentDisposition
        self.contentEncoding = contentEncoding
        self.contentLanguage = contentLanguage
        self.expires = expires
        self.websiteRedirectLocation = websiteRedirectLocation
        self.storageClass = storageClass
        self.userMetadata = userMetadata
        self.tags = tags
    }
}

/// Where a body's bytes are.
public enum ObjectBody: Hashable, Sendable {
    /// In the operation and in the store; at most `ObjectBody.inlineByteCountMax` bytes.
    case inline(ByteBuffer)
    /// Already durable in the object-data store, written with `MetadataEngine.makeBodyWriter`.
    case stored(StoredBody)

    /// 128 KiB: above it a body goes to the object-data store.
    public static let inlineByteCountMax = 128 * 1024

    public var byteCount: UInt64 {
        switch self {
        case .inline(let bytes): UInt64(bytes.readableBytes)
        case .stored(let body): body.length
        }
    }
}

/// One version of an object as a reader sees it.
public struct ObjectInfo: Hashable, Sendable {
    public var versionID: VersionID
    /// False: an older version, or one under a delete marker.
    public var isLatest: Bool
    public var etag: ETag
    public var size: UInt64
    /// Milliseconds UTC; the proposer's clock at the write. HTTP shows whole seconds, XML milliseconds.
    public var lastModifiedMilliseconds: UInt64
    public var attributes: ObjectAttributes
    public var checksum: ObjectChecksum?
    /// The owner's canonical id and display name.
    public var owner: Owner
    /// The bucket has been versioned at some time, so replies carry `x-amz-version-id`.
    public var bucketVersioning: BucketVersioning
    /// The parts of a multipart object, in order; empty otherwise.
    public var parts: [ObjectPart]

    public init(
        versionID: VersionID, isLatest: Bool, etag: ETag, size: UInt64, lastModifiedMilliseconds: UInt64,
        attributes: ObjectAttributes, checksum: ObjectChecksum?, owner: Owner, bucketVersioning: BucketVersioning,
        parts: [ObjectPart]
    ) {
        self.versionID = versionID
        self.isLatest = isLatest
        self.etag = etag
        self.size = size
        self.lastModifiedMilliseconds = lastModifiedMilliseconds
        self.attributes = attributes
        self.checksum = checksum
        self.owner = owner
        self.bucketVersioning = bucketVersioning
        self.parts = parts
    }
}

/// What `MetadataEngine.objectAtHand` found.
public struct ObjectAtHand: Hashable, Sendable {
    public var info: ObjectInfo
    /// Empty where they were not asked for.
    public var bytes: ByteBuffer

    public init(info: ObjectInfo, bytes: ByteBuffer) {
        self.info = info
        self.bytes = bytes
    }
}

/// A part of a completed multipart object.
public struct ObjectPart: Hashable, Sendable {
    /// 1…10,000, as the client numbered it (gaps are allowed).
    public var number: UInt16
    public var size: UInt64
    public var checksum: ObjectChecksum?

    public init(number: UInt16, size: UInt64, checksum: ObjectChecksum?) {
        self.number = number
        self.size = size
        self.checksum = checksum
    }
}

public struct Owner: Hashable, Sendable {
    public var canonicalID: String
    public var displayName: String

    public init(canonicalID: String, displayName: String) {
        self.canonicalID = canonicalID
        self.displayName = displayName
    }
}

public enum BucketVersioning: UInt8, Sendable {
    /// Never turned on.
    case unversioned = 0
    case enabled = 1
    case suspended = 2
}

public struct BucketInfo: Hashable, Sendable {
    public var name: String
    public var createdMilliseconds: UInt64
    public var owner: Owner
    public var versioning: BucketVersioning
    /// The `LocationConstraint` it was made with; empty: the default region.
    public var location: String

    public init(
        name: String, createdMilliseconds: UInt64, owner: Owner, versioning: BucketVersioning, location: String
    ) {
        self.name = name
        self.createdMilliseconds = createdMilliseconds
        self.owner = owner
        self.versioning = versioning
        self.location = location
    }
}

/// What a bucket holds, exact at all times.
public struct BucketUsage: Hashable, Sendable {
    /// Keys whose newest version is not a delete marker.
    public var objectCount: UInt64
    /// All versions, delete markers included.
    public var versionCount: UInt64
    /// Bytes of the bodies of all versions.
    public var byteCount: UInt64

    public init(objectCount: UInt64, versionCount: UInt64, byteCount: UInt64) {
        self.objectCount = objectCount
        self.versionCount = versionCount
        self.byteCount = byteCount
    }
}
