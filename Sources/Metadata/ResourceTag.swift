/// A label of an object or of a bucket: S3's `Tag`. What it may consist of is the API's affair; `RecordLimits` bounds its size.
public struct ResourceTag: Hashable, Sendable {
    public var key: String
    public var value: String

    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

// MARK: - Requests

/// Replaces the tags of one version of an object. Neither its tag nor its time nor its id changes, and no version is made.
public struct SetObjectTagging: Hashable, Sendable {
    public var bucket: BucketReference
    public var key: ObjectKey
    /// `nil`: the newest.
    public var versionID: VersionID?
    /// Empty: it has none from now on.
    public var tags: [ResourceTag]

    public init(bucket: BucketReference, key: ObjectKey, versionID: VersionID? = nil, tags: [ResourceTag]) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
        self.tags = tags
    }
}

/// Replaces the tags of a bucket.
public struct SetBucketTagging: Hashable, Sendable {
    public var bucket: BucketReference
    /// Empty: it has none from now on.
    public var tags: [ResourceTag]

    public init(bucket: BucketReference, tags: [ResourceTag]) {
        self.bucket = bucket
        self.tags = tags
    }
}
