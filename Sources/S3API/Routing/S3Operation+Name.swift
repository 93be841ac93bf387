extension S3Operation {
    /// The operations that this service has, in the order of docs/s3-compatibility.md.
    package static let implemented: [S3Operation] = [
        .listBuckets,
        .createBucket, .headBucket, .deleteBucket, .getBucketLocation, .getBucketVersioning, .putBucketVersioning,
        .getBucketTagging, .putBucketTagging, .deleteBucketTagging,
        .listObjects, .listObjectsV2, .listObjectVersions, .listMultipartUploads,
        .putObject, .getObject, .headObject, .getObjectAttributes, .deleteObject, .deleteObjects, .copyObject,
        .getObjectTagging, .putObjectTagging, .deleteObjectTagging,
        .createMultipartUpload, .uploadPart, .uploadPartCopy, .completeMultipartUpload, .abortMultipartUpload, .listParts,
    ]

    /// The operation's name in the S3 API reference; also the label of its metrics.
    package var name: String {
        switch self {
        case .listBuckets: "ListBuckets"
        case .createBucket: "CreateBucket"
        case .headBucket: "HeadBucket"
        case .deleteBucket: "DeleteBucket"
        case .getBucketLocation: "GetBucketLocation"
        case .getBucketVersioning: "GetBucketVersioning"
        case .putBucketVersioning: "PutBucketVersioning"
        case .getBucketTagging: "GetBucketTagging"
        case .putBucketTagging: "PutBucketTagging"
        case .deleteBucketTagging: "DeleteBucketTagging"
        case .listObjects: "ListObjects"
        case .listObjectsV2: "ListObjectsV2"
        case .listObjectVersions: "ListObjectVersions"
        case .listMultipartUploads: "ListMultipartUploads"
        case .putObject: "PutObject"
        case .getObject: "GetObject"
        case .headObject: "HeadObject"
        case .getObjectAttributes: "GetObjectAttributes"
        case .deleteObject: "DeleteObject"
        case .deleteObjects: "DeleteObjects"
        case .copyObject: "CopyObject"
        case .getObjectTagging: "GetObjectTagging"
        case .putObjectTagging: "PutObjectTagging"
        case .deleteObjectTagging: "DeleteObjectTagging"
        case .createMultipartUpload: "CreateMultipartUpload"
        case .uploadPart: "UploadPart"
        case .uploadPartCopy: "UploadPartCopy"
        case .completeMultipartUpload: "CompleteMultipartUpload"
        case .abortMultipartUpload: "AbortMultipartUpload"
        case .listParts: "ListParts"
        case .notImplemented(let name): name
        }
    }
}
