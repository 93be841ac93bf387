package import NIOHTTP1

/// What a path names.
package enum S3ResourceLevel: String, Sendable, CaseIterable {
    case service = "SERVICE"
    case bucket = "BUCKET"
    case object = "OBJECT"
}

/// One row of the routing table: a method on a sub-resource (a query parameter that the S3 API gives a meaning of its own).
package struct S3Route: Sendable {
    package var level: S3ResourceLevel
    /// The query parameter that selects the row.
    package var subresource: String
    package var method: HTTPMethod
    /// A second parameter that must be there too (`id` tells a configuration from the list of all).
    package var companion: String?
    package var operation: S3Operation

    fileprivate init(
        _ level: S3ResourceLevel, _ method: HTTPMethod, _ subresource: String, with companion: String? = nil,
        _ operation: S3Operation
    ) {
        self.level = level
        self.subresource = subresource
        self.method = method
        self.companion = companion
        self.operation = operation
    }
}

extension S3Route {
    /// Every sub-resource of the S3 API reference. Among rows of one sub-resource and method, the first whose companion is there decides.
    package static let all: [S3Route] = ours + bucketConfigurations + bucketLists + objects

    /// Names that are told apart by something other than a sub-resource (a header, the form of the body, the path).
    package static let notImplementedOtherwise = ["PostObject", "WriteGetObjectResponse"]

    private static let ours: [S3Route] = [
        S3Route(.bucket, .GET, "location", .getBucketLocation),
        S3Route(.bucket, .GET, "versioning", .getBucketVersioning),
        S3Route(.bucket, .PUT, "versioning", .putBucketVersioning),
        S3Route(.bucket, .GET, "tagging", .getBucketTagging),
        S3Route(.bucket, .PUT, "tagging", .putBucketTagging),
        S3Route(.bucket, .DELETE, "tagging", .deleteBucketTagging),
        S3Route(.bucket, .GET, "versions", .listObjectVersions),
        S3Route(.bucket, .GET, "uploads", .listMultipartUploads),
        S3Route(.bucket, .POST, "delete", .deleteObjects),
        S3Route(.object, .GET, "attributes", .getObjectAttributes),
        S3Route(.object, .GET, "tagging", .getObjectTagging),
        S3Route(.object, .PUT, "tagging", .putObjectTagging),
        S3Route(.object, .DELETE, "tagging", .deleteObjectTagging),
        S3Route(.object, .POST, "uploads", .createMultipartUpload),
        S3Route(.object, .PUT, "uploadId", with: "partNumber", .uploadPart),
        S3Route(.object, .POST, "uploadId", .completeMultipartUpload),
        S3Route(.object, .DELETE, "uploadId", .abortMultipartUpload),
        S3Route(.object, .GET, "uploadId", .listParts),
    ]

    private static let bucketConfigurations: [S3Route] =
        configuration("accelerate", "BucketAccelerateConfiguration", [.GET, .PUT])
        + configuration("abac", "BucketAbac", [.GET, .PUT])
        + configuration("acl", "BucketAcl", [.GET, .PUT])
        + configuration("cors", "BucketCors", [.GET, .PUT, .DELETE])
        + configuration("encryption", "BucketEncryption", [.GET, .PUT, .DELETE])
        + configuration("lifecycle", "BucketLifecycleConfiguration", [.GET, .PUT])
        + configuration("logging", "BucketLogging", [.GET, .PUT])
        + configuration("metadataConfiguration", "BucketMetadataConfiguration", [.GET, .DELETE])
        + configuration("metadataTable", "BucketMetadataTableConfiguration", [.GET, .DELETE])
        + configuration("notification", "BucketNotificationConfiguration", [.GET, .PUT])
        + configuration("object-lock", "ObjectLockConfiguration", [.GET, .PUT])
        + configuration("ownershipControls", "BucketOwnershipControls", [.GET, .PUT, .DELETE])
        + configuration("policy", "BucketPolicy", [.GET, .PUT, .DELETE])
        + configuration("policyStatus", "BucketPolicyStatus", [.GET])
        + configuration("publicAccessBlock", "PublicAccessBlock", [.GET, .PUT, .DELETE])
        + configuration("replication", "BucketReplication", [.GET, .PUT, .DELETE])
        + configuration("requestPayment", "BucketRequestPayment", [.GET, .PUT])
        + configuration("website", "BucketWebsite", [.GET, .PUT, .DELETE])
        + [
            S3Route(.bucket, .DELETE, "lifecycle", .notImplemented("DeleteBucketLifecycle")),
            S3Route(.bucket, .GET, "session", .notImplemented("CreateSession")),
            S3Route(.bucket, .POST, "metadataConfiguration", .notImplemented("CreateBucketMetadataConfiguration")),
            S3Route(.bucket, .POST, "metadataTable", .notImplemented("CreateBucketMetadataTableConfiguration")),
            S3Route(
                .bucket, .PUT, "metadataInventoryTable", .notImplemented("UpdateBucketMetadataInventoryTableConfiguration")),
            S3Route(.bucket, .PUT, "metadataJournalTable", .notImplemented("UpdateBucketMetadataJournalTableConfiguration")),
        ]

    /// Configurations of which a bucket has many, each with an id.
    private static let bucketLists: [S3Route] = [
        ("analytics", "Analytics"), ("intelligent-tiering", "IntelligentTiering"), ("inventory", "Inventory"),
        ("metrics", "Metrics"),
    ].flatMap { subresource, name in
        [
            S3Route(.bucket, .GET, subresource, with: "id", .notImplemented("GetBucket\(name)Configuration")),
            S3Route(.bucket, .GET, subresource, .notImplemented("ListBucket\(name)Configurations")),
            S3Route(.bucket, .PUT, subresource, .notImplemented("PutBucket\(name)Configuration")),
            S3Route(.bucket, .DELETE, subresource, .notImplemented("DeleteBucket\(name)Configuration")),
        ]
    }

    private static let objects: [S3Route] = [
        S3Route(.object, .GET, "acl", .notImplemented("GetObjectAcl")),
        S3Route(.object, .PUT, "acl", .notImplemented("PutObjectAcl")),
        S3Route(.object, .PUT, "encryption", .notImplemented("UpdateObjectEncryption")),
        S3Route(.object, .GET, "legal-hold", .notImplemented("GetObjectLegalHold")),
        S3Route(.object, .PUT, "legal-hold", .notImplemented("PutObjectLegalHold")),
        S3Route(.object, .PUT, "renameObject", .notImplemented("RenameObject")),
        S3Route(.object, .POST, "restore", .notImplemented("RestoreObject")),
        S3Route(.object, .GET, "retention", .notImplemented("GetObjectRetention")),
        S3Route(.object, .PUT, "retention", .notImplemented("PutObjectRetention")),
        S3Route(.object, .POST, "select", .notImplemented("SelectObjectContent")),
        S3Route(.object, .GET, "torrent", .notImplemented("GetObjectTorrent")),
    ]

    private static func configuration(_ subresource: String, _ noun: String, _ methods: [HTTPMethod]) -> [S3Route] {
        methods.map { method in
            let verb =
                switch method {
                case .GET: "Get"
                case .DELETE: "Delete"
                default: "Put"
                }
            return S3Route(.bucket, method, subresource, .notImplemented(verb + noun))
        }
    }
}
