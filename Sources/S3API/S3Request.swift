package import Metadata
package import NIOCore
package import NIOHTTP1

/// Who made a request, once its signature has been verified.
package struct S3Identity: Sendable, Hashable {
    package var accessKey: String
    package var owner: Owner

    package init(accessKey: String, owner: Owner) {
        self.accessKey = accessKey
        self.owner = owner
    }
}

/// A request that has been parsed, routed and authenticated: all that an operation's handler needs.
package struct S3Request: Sendable {
    package var operation: S3Operation
    package var method: HTTPMethod
    /// Percent-decoded; empty for service-level operations.
    package var bucket: String
    /// Percent-decoded bytes; empty for service- and bucket-level operations. Not yet checked for length or UTF-8.
    package var key: [UInt8]
    package var query: S3Query
    package var headers: HTTPHeaders
    package var identity: S3Identity
    package var body: S3RequestBody
    /// 16 upper-case hexadecimal digits, in `x-amz-request-id` and in error documents.
    package var requestID: String
    /// Milliseconds UTC at the request's arrival.
    package var nowMilliseconds: UInt64
    /// The request came over TLS.
    package var isSecure: Bool
    /// The bucket was named by the host, not by the path.
    package var isVirtualHosted: Bool
    package var eventLoop: any EventLoop
    /// What reads of this request ask of the state.
    package var read: ReadOptions
    /// When its write is answered.
    package var write: WriteConsistency

    package init(
        operation: S3Operation, method: HTTPMethod, bucket: String, key: [UInt8], query: S3Query, headers: HTTPHeaders,
        identity: S3Identity, body: S3RequestBody, requestID: String, nowMilliseconds: UInt64, isSecure: Bool = false,
        isVirtualHosted: Bool = false, eventLoop: any EventLoop, read: ReadOptions = .linearizable,
        write: WriteConsistency = .strong
    ) {
        self.operation = operation
        self.method = method
        self.bucket = bucket
        self.key = key
        self.query = query
        self.headers = headers
        self.identity = identity
        self.body = body
        self.requestID = requestID
        self.nowMilliseconds = nowMilliseconds
        self.isSecure = isSecure
        self.isVirtualHosted = isVirtualHosted
        self.eventLoop = eventLoop
        self.read = read
        self.write = write
    }
}

/// A decoded query string, in order of appearance. Names and values are percent-decoded (`+` stays `+`).
package struct S3Query: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package var name: String
        /// `nil`: no `=`.
        package var value: [UInt8]?

        package init(name: String, value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    package var items: [Item]

    package init(items: [Item] = []) {
        self.items = items
    }

    package func contains(_ name: String) -> Bool {
        items.contains { $0.name == name }
    }

    /// The first value of that name as bytes; `nil` when the name is absent. An item without `=` has an empty value.
    package func bytes(_ name: String) -> [UInt8]? {
        items.first { $0.name == name }.map { $0.value ?? [] }
    }

    package func string(_ name: String) -> String? {
        bytes(name).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// What the client's checksum headers, trailers and `Content-MD5` promised, and what the bytes turned out to be.
package struct S3BodyDigests: Sendable, Equatable {
    /// The MD5 of the (decoded) body; the ETag of a single-part object. Empty where neither the operation (PutObject,
    /// UploadPart) nor a `Content-MD5` asks for it: hashing is what a body costs most.
    package var md5: [UInt8]
    /// The additional checksum that was asked for (header, trailer or `x-amz-sdk-checksum-algorithm`), already verified where the client gave its value.
    package var checksum: ObjectChecksum?

    package init(md5: [UInt8], checksum: ObjectChecksum?) {
        self.md5 = md5
        self.checksum = checksum
    }
}

/// A request's body, decoded from `aws-chunked` where that is used.
///
/// Verification is part of reading: the last step (the `nil` of the stream, or `collect` returning) happens only after payload
/// hash, chunk signatures, `Content-MD5`, additional checksum and declared length have all been found right.
package protocol S3BodyStream: Sendable {
    /// Bytes of content the client declared (`x-amz-decoded-content-length`, else `Content-Length`); `nil`: not declared.
    var declaredByteCount: UInt64? { get }
    /// The next bytes of content; `nil` at the verified end.
    func next() async throws(S3Error) -> ByteBuffer?
    /// Available after `next()` has returned `nil`.
    var digests: S3BodyDigests { get async }
}

package enum S3RequestBody: Sendable {
    /// No body, or one that has been collected and verified already.
    case collected(ByteBuffer, S3BodyDigests)
    case streamed(any S3BodyStream)
}

/// One operation's name in the S3 API reference; what the router decides from method, path, query and headers.
package enum S3Operation: Sendable, Hashable {
    case listBuckets
    case createBucket, headBucket, deleteBucket, getBucketLocation, getBucketVersioning, putBucketVersioning
    case getBucketTagging, putBucketTagging, deleteBucketTagging
    case listObjects, listObjectsV2, listObjectVersions, listMultipartUploads
    case putObject, getObject, headObject, getObjectAttributes, deleteObject, deleteObjects, copyObject
    case getObjectTagging, putObjectTagging, deleteObjectTagging
    case createMultipartUpload, uploadPart, uploadPartCopy, completeMultipartUpload, abortMultipartUpload, listParts
    /// A known operation of S3 that this service does not have; the name is the API reference's (`PutBucketAcl` …).
    case notImplemented(String)
}
