// The requests of the engine. A write's request is also the payload of the `MetadataOperation` that carries it through the log.

/// Which state a read may answer from.
public enum ReadConsistency: Hashable, Sendable {
    /// Sees every strong write acknowledged before the read began.
    case linearizable
    /// Sees every strong write acknowledged longer ago than the bound.
    case boundedStaleness(maxStalenessMilliseconds: UInt64)
    /// Whatever the local replica has.
    case eventual
}

/// What a read asks of the state that it is answered from.
public struct ReadOptions: Hashable, Sendable {
    public var consistency: ReadConsistency
    /// The state must contain at least this index of the log, whatever the consistency. 0: any.
    public var minimumIndex: UInt64

    public init(_ consistency: ReadConsistency, minimumIndex: UInt64 = 0) {
        self.consistency = consistency
        self.minimumIndex = minimumIndex
    }

    public static let linearizable = ReadOptions(.linearizable)
    public static let eventual = ReadOptions(.eventual)
}

/// When a write is answered.
public enum WriteConsistency: Hashable, Sendable {
    /// When it is durable as the cluster's `write_quorum` says, and applied.
    case strong
    /// When it is durable on the leader, which may lose it. For unconditional puts and deletes in buckets without versioning; whatever
    /// else asks for it is strong.
    case eventual
}

// MARK: - Conditions on a write

/// An ETag in a condition: `*`, or a tag.
public enum ETagMatch: Hashable, Sendable {
    case any
    case tag(ETag)
    /// A syntactically valid tag that none of ours can equal.
    case foreign
}

/// Conditions on a write, decided inside `apply` against the key's newest version (a delete marker counts as no object).
public struct WriteConditions: Hashable, Sendable {
    /// The object must exist and have one of these tags. Empty: no condition. No object: `.noSuchKey`.
    public var ifMatch: [ETagMatch]
    /// The object must not exist (`*`) or have none of these tags. Empty: no condition.
    public var ifNoneMatch: [ETagMatch]
    /// DeleteObject's `x-amz-if-match-last-modified-time` (milliseconds UTC; compared in whole seconds).
    public var ifMatchLastModifiedMilliseconds: UInt64?
    /// DeleteObject's `x-amz-if-match-size`.
    public var ifMatchSize: UInt64?

    public init(
        ifMatch: [ETagMatch] = [], ifNoneMatch: [ETagMatch] = [], ifMatchLastModifiedMilliseconds: UInt64? = nil,
        ifMatchSize: UInt64? = nil
    ) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
        self.ifMatchLastModifiedMilliseconds = ifMatchLastModifiedMilliseconds
        self.ifMatchSize = ifMatchSize
    }

    public var isEmpty: Bool {
        ifMatch.isEmpty && ifNoneMatch.isEmpty && ifMatchLastModifiedMilliseconds == nil && ifMatchSize == nil
    }
}

// MARK: - Buckets

public struct CreateBucket: Hashable, Sendable {
    public var name: String
    public var owner: Owner
    public var location: String

    public init(name: String, owner: Owner, location: String) {
        self.name = name
        self.owner = owner
        self.location = location
    }
}

public struct DeleteBucket: Hashable, Sendable {
    public var bucket: BucketReference

    public init(bucket: BucketReference) { self.bucket = bucket }
}

public struct SetBucketVersioning: Hashable, Sendable {
    public var bucket: BucketReference
    /// `.enabled` or `.suspended`.
    public var versioning: BucketVersioning

    public init(bucket: BucketReference, versioning: BucketVersioning) {
        self.bucket = bucket
        self.versioning = versioning
    }
}

public struct ListBuckets: Hashable, Sendable {
    /// Only this owner's buckets (canonical id).
    public var owner: String
    public var prefix: String
    /// Names after this one.
    public var startAfter: String
    public var maxBuckets: Int

    public init(owner: String, prefix: String = "", startAfter: String = "", maxBuckets: Int = 10_000) {
        self.owner = owner
        self.prefix = prefix
        self.startAfter = startAfter
        self.maxBuckets = maxBuckets
    }
}

public struct ListBucketsPage: Hashable, Sendable {
    public var buckets: [BucketInfo]
    /// More follow: go on after this name.
    public var nextStartAfter: String?

    public init(buckets: [BucketInfo], nextStartAfter: String?) {
        self.buckets = buckets
        self.nextStartAfter = nextStartAfter
    }
}

// MARK: - Objects

public struct PutObject: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    public var body: ObjectBody
    public var etag: ETag
    public var checksum: ObjectChecksum?
    public var attributes: ObjectAttributes
    public var owner: Owner
    public var conditions: WriteConditions

    public init(
        bucket: BucketReference, key: ObjectKey, body: ObjectBody, etag: ETag, checksum: ObjectChecksum? = nil,
        attributes: ObjectAttributes = ObjectAttributes(), owner: Owner, conditions: WriteConditions = WriteConditions()
    ) {
        self.bucket = bucket
        self.key = key
        self.body = body
        self.etag = etag
        self.checksum = checksum
        self.attributes = attributes
        self.owner = owner
        self.conditions = conditions
    }
}

public struct PutObjectResult: Hashable, Sendable {
    public var versionID: VersionID
    public var etag: ETag
    public var size: UInt64
    public var lastModifiedMilliseconds: UInt64
    public var checksum: ObjectChecksum?
    public var bucketVersioning: BucketVersioning

    public init(
        versionID: VersionID, etag: ETag, size: UInt64, lastModifiedMilliseconds: UInt64, checksum: ObjectChecksum?,
        bucketVersioning: BucketVersioning
    ) {
        self.versionID = versionID
        self.etag = etag
        self.size = size
        self.lastModifiedMilliseconds = lastModifiedMilliseconds
        self.checksum = checksum
        self.bucketVersioning = bucketVersioning
    }
}

/// Replaces an object's attributes without touching its bytes (CopyObject onto itself with REPLACE in a bucket where that
/// makes no new version). With versioning enabled the engine answers `.invalidArgument`: a copy is what is meant there.
public struct UpdateObjectMetadata: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    /// The tag that the caller saw: `.preconditionFailed` when the object has been replaced since.
    public var expectedETag: ETag
    public var attributes: ObjectAttributes
    /// The object keeps the tags that it has when the change is made, whatever `attributes` says.
    public var keepsTags: Bool
    public var conditions: WriteConditions

    public init(
        bucket: BucketReference, key: ObjectKey, expectedETag: ETag, attributes: ObjectAttributes, keepsTags: Bool = false,
        conditions: WriteConditions = WriteConditions()
    ) {
        self.bucket = bucket
        self.key = key
        self.expectedETag = expectedETag
        self.attributes = attributes
        self.keepsTags = keepsTags
        self.conditions = conditions
    }
}

public struct GetObject: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    /// `nil`: the newest.
    public var versionID: VersionID?
    public var read: ReadOptions

    public init(
        bucket: BucketReference, key: ObjectKey, versionID: VersionID? = nil,
        read: ReadOptions = .linearizable
    ) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
        self.read = read
    }
}

public struct DeleteObject: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    /// `nil`: hide (versioned) or remove (unversioned) the object; otherwise remove this version for good.
    public var versionID: VersionID?
    public var owner: Owner
    public var conditions: WriteConditions

    public init(
        bucket: BucketReference, key: ObjectKey, versionID: VersionID? = nil, owner: Owner,
        conditions: WriteConditions = WriteConditions()
    ) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
        self.owner = owner
        self.conditions = conditions
    }
}

/// Deleting what is not there succeeds, as S3 says.
public struct DeleteObjectResult: Hashable, Sendable {
    /// The version removed, or the delete marker made; `nil` in a bucket that was never versioned.
    public var versionID: VersionID?
    /// A delete marker was made, or the version removed was one.
    public var isDeleteMarker: Bool

    public init(versionID: VersionID?, isDeleteMarker: Bool) {
        self.versionID = versionID
        self.isDeleteMarker = isDeleteMarker
    }
}

// MARK: - Listing

public struct ListObjects: Hashable, Sendable {
    public var bucket: BucketReference
    public var prefix: [UInt8]
    /// Empty: none.
    public var delimiter: [UInt8]
    /// Keys and common prefixes strictly after this (V1 `marker`, V2 `start-after`, or decoded from a token). A value that
    /// ends a common prefix, as V1 clients send back, skips that whole folder.
    public var startAfter: [UInt8]
    /// 0…1000; keys and common prefixes count alike. 0 gives an empty page that is not truncated.
    public var maxKeys: Int
    public var read: ReadOptions

    public init(
        bucket: BucketReference, prefix: [UInt8] = [], delimiter: [UInt8] = [], startAfter: [UInt8] = [],
        maxKeys: Int = 1000, read: ReadOptions = .linearizable
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.startAfter = startAfter
        self.maxKeys = maxKeys
        self.read = read
    }
}

/// A key of a listing, with what S3 shows of it.
public struct ListedObject: Hashable, Sendable {
    public var key: ObjectKey
    public var etag: ETag
    public var size: UInt64
    public var lastModifiedMilliseconds: UInt64
    /// `nil` is `STANDARD`.
    public var storageClass: String?
    public var owner: Owner
    public var checksumAlgorithm: ChecksumAlgorithm?
    public var checksumKind: ObjectChecksum.Kind?

    public init(
        key: ObjectKey, etag: ETag, size: UInt64, lastModifiedMilliseconds: UInt64, storageClass: String?,
        owner: Owner, checksumAlgorithm: ChecksumAlgorithm?, checksumKind: ObjectChecksum.Kind?
    ) {
        self.key = key
        self.etag = etag
        self.size = size
        self.lastModifiedMilliseconds = lastModifiedMilliseconds
        self.storageClass = storageClass
        self.owner = owner
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumKind = checksumKind
    }
}

public struct ListObjectsPage: Hashable, Sendable {
    /// In key order.
    public var objects: [ListedObject]
    /// In order; each ends with the delimiter.
    public var commonPrefixes: [[UInt8]]
    /// More follow: the last key or common prefix of this page, to be given back as `startAfter`. `nil`: this was the last page.
    public var nextStartAfter: [UInt8]?

    public init(objects: [ListedObject], commonPrefixes: [[UInt8]], nextStartAfter: [UInt8]?) {
        self.objects = objects
        self.commonPrefixes = commonPrefixes
        self.nextStartAfter = nextStartAfter
    }
}

public struct ListObjectVersions: Hashable, Sendable {
    public var bucket: BucketReference
    public var prefix: [UInt8]
    public var delimiter: [UInt8]
    /// Empty: from the start. Without `versionMarker`: strictly after all versions of this key.
    public var keyMarker: [UInt8]
    /// With it: strictly after this version of `keyMarker` (in listing order: newest first).
    public var versionMarker: VersionID?
    public var maxKeys: Int
    public var read: ReadOptions

    public init(
        bucket: BucketReference, prefix: [UInt8] = [], delimiter: [UInt8] = [], keyMarker: [UInt8] = [],
        versionMarker: VersionID? = nil, maxKeys: Int = 1000, read: ReadOptions = .linearizable
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.versionMarker = versionMarker
        self.maxKeys = maxKeys
        self.read = read
    }
}

public struct ListedVersion: Hashable, Sendable {
    public var object: ListedObject
    public var versionID: VersionID
    public var isLatest: Bool
    public var isDeleteMarker: Bool

    public init(object: ListedObject, versionID: VersionID, isLatest: Bool, isDeleteMarker: Bool) {
        self.object = object
        self.versionID = versionID
        self.isLatest = isLatest
        self.isDeleteMarker = isDeleteMarker
    }
}

public struct ListObjectVersionsPage: Hashable, Sendable {
    public struct Marker: Hashable, Sendable {
        public var key: [UInt8]
        /// `nil` after a common prefix.
        public var versionID: VersionID?

        public init(key: [UInt8], versionID: VersionID?) {
            self.key = key
            self.versionID = versionID
        }
    }

    /// By key, then newest first.
    public var versions: [ListedVersion]
    public var commonPrefixes: [[UInt8]]
    /// More follow after this.
    public var next: Marker?

    public init(versions: [ListedVersion], commonPrefixes: [[UInt8]], next: Marker?) {
        self.versions = versions
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

// MARK: - Multipart uploads

public struct CreateMultipartUpload: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    public var attributes: ObjectAttributes
    public var owner: Owner
    /// The algorithm that parts are checked with, and how the object's checksum is made of theirs.
    public var checksumAlgorithm: ChecksumAlgorithm?
    public var checksumKind: ObjectChecksum.Kind?

    public init(
        bucket: BucketReference, key: ObjectKey, attributes: ObjectAttributes, owner: Owner,
        checksumAlgorithm: ChecksumAlgorithm? = nil, checksumKind: ObjectChecksum.Kind? = nil
    ) {
        self.bucket = bucket
        self.key = key
        self.attributes = attributes
        self.owner = owner
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumKind = checksumKind
    }
}

public struct MultipartUploadReference: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    public var uploadID: UploadID

    public init(bucket: BucketReference, key: ObjectKey, uploadID: UploadID) {
        self.bucket = bucket
        self.key = key
        self.uploadID = uploadID
    }
}

/// What an upload was started with.
public struct MultipartUploadInfo: Hashable, Sendable {
    public var uploadID: UploadID
    public var key: ObjectKey
    public var initiatedMilliseconds: UInt64
    public var owner: Owner
    public var storageClass: String?
    public var checksumAlgorithm: ChecksumAlgorithm?
    public var checksumKind: ObjectChecksum.Kind?

    public init(
        uploadID: UploadID, key: ObjectKey, initiatedMilliseconds: UInt64, owner: Owner, storageClass: String?,
        checksumAlgorithm: ChecksumAlgorithm?, checksumKind: ObjectChecksum.Kind?
    ) {
        self.uploadID = uploadID
        self.key = key
        self.initiatedMilliseconds = initiatedMilliseconds
        self.owner = owner
        self.storageClass = storageClass
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumKind = checksumKind
    }
}

public struct PutPart: Hashable, Sendable {
    public var upload: MultipartUploadReference
    /// 1…10,000.
    public var number: UInt16
    public var body: ObjectBody
    /// The part's MD5 (`partCount` 0).
    public var etag: ETag
    public var checksum: ObjectChecksum?

    public init(
        upload: MultipartUploadReference, number: UInt16, body: ObjectBody, etag: ETag, checksum: ObjectChecksum?
    ) {
        self.upload = upload
        self.number = number
        self.body = body
        self.etag = etag
        self.checksum = checksum
    }
}

/// A part as the client lists it in a completion.
public struct CompletedPart: Hashable, Sendable {
    public var number: UInt16
    /// What the client gave; a tag that is not an MD5 never matches.
    public var etag: ETagMatch
    public var checksum: ObjectChecksum?

    public init(number: UInt16, etag: ETagMatch, checksum: ObjectChecksum?) {
        self.number = number
        self.etag = etag
        self.checksum = checksum
    }
}

public struct CompleteMultipartUpload: Hashable, Sendable {
    public var upload: MultipartUploadReference
    /// In ascending order of number, else `.invalidPartOrder`; not empty.
    public var parts: [CompletedPart]
    /// The whole object's checksum as the client computed it (`x-amz-checksum-…` on the completion).
    public var checksum: ObjectChecksum?
    /// `x-amz-mp-object-size`.
    public var expectedSize: UInt64?
    public var conditions: WriteConditions

    public init(
        upload: MultipartUploadReference, parts: [CompletedPart], checksum: ObjectChecksum? = nil,
        expectedSize: UInt64? = nil, conditions: WriteConditions = WriteConditions()
    ) {
        self.upload = upload
        self.parts = parts
        self.checksum = checksum
        self.expectedSize = expectedSize
        self.conditions = conditions
    }
}

public struct ListParts: Hashable, Sendable {
    public var upload: MultipartUploadReference
    /// Parts with a greater number.
    public var partNumberMarker: UInt16
    public var maxParts: Int
    public var read: ReadOptions

    public init(
        upload: MultipartUploadReference, partNumberMarker: UInt16 = 0, maxParts: Int = 1000,
        read: ReadOptions = .linearizable
    ) {
        self.upload = upload
        self.partNumberMarker = partNumberMarker
        self.maxParts = maxParts
        self.read = read
    }
}

public struct ListedPart: Hashable, Sendable {
    public var number: UInt16
    public var etag: ETag
    public var size: UInt64
    public var lastModifiedMilliseconds: UInt64
    public var checksum: ObjectChecksum?

    public init(
        number: UInt16, etag: ETag, size: UInt64, lastModifiedMilliseconds: UInt64, checksum: ObjectChecksum?
    ) {
        self.number = number
        self.etag = etag
        self.size = size
        self.lastModifiedMilliseconds = lastModifiedMilliseconds
        self.checksum = checksum
    }
}

public struct ListPartsPage: Hashable, Sendable {
    public var upload: MultipartUploadInfo
    public var parts: [ListedPart]
    /// More follow after this number.
    public var nextPartNumberMarker: UInt16?

    public init(upload: MultipartUploadInfo, parts: [ListedPart], nextPartNumberMarker: UInt16?) {
        self.upload = upload
        self.parts = parts
        self.nextPartNumberMarker = nextPartNumberMarker
    }
}

public struct ListMultipartUploads: Hashable, Sendable {
    public var bucket: BucketReference
    public var prefix: [UInt8]
    public var delimiter: [UInt8]
    /// Without `uploadIDMarker`: keys after this one. With it: this key's uploads after that one, then later keys.
    public var keyMarker: [UInt8]
    public var uploadIDMarker: UploadID?
    public var maxUploads: Int
    public var read: ReadOptions

    public init(
        bucket: BucketReference, prefix: [UInt8] = [], delimiter: [UInt8] = [], keyMarker: [UInt8] = [],
        uploadIDMarker: UploadID? = nil, maxUploads: Int = 1000, read: ReadOptions = .linearizable
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.uploadIDMarker = uploadIDMarker
        self.maxUploads = maxUploads
        self.read = read
    }
}

public struct ListMultipartUploadsPage: Hashable, Sendable {
    public struct Marker: Hashable, Sendable {
        public var key: [UInt8]
        public var uploadID: UploadID?

        public init(key: [UInt8], uploadID: UploadID?) {
            self.key = key
            self.uploadID = uploadID
        }
    }

    /// By key, then in the order of their start.
    public var uploads: [MultipartUploadInfo]
    public var commonPrefixes: [[UInt8]]
    public var next: Marker?

    public init(uploads: [MultipartUploadInfo], commonPrefixes: [[UInt8]], next: Marker?) {
        self.uploads = uploads
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}
