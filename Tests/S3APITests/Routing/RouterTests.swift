import NIOHTTP1
import S3API
import Testing

@Suite("Method, path, query and headers decide the operation")
struct RouterTests {
    private func route(_ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders = [:]) -> Result<S3Operation, S3Error> {
        Result { () throws(S3Error) in
            try S3Router.route(method: method, target: S3Target(parsing: target), headers: headers)
        }
    }

    @Test(
        "Each operation that there is has its route",
        arguments: [
            (.GET, "/", .listBuckets), (.GET, "/?x-id=ListBuckets&max-buckets=5", .listBuckets),
            (.PUT, "/b", .createBucket), (.PUT, "/b/", .createBucket), (.HEAD, "/b", .headBucket),
            (.DELETE, "/b", .deleteBucket), (.GET, "/b?location", .getBucketLocation),
            (.GET, "/b?location=", .getBucketLocation), (.GET, "/b/?versioning", .getBucketVersioning),
            (.PUT, "/b?versioning", .putBucketVersioning), (.GET, "/b", .listObjects),
            (.GET, "/b?tagging", .getBucketTagging), (.PUT, "/b?tagging", .putBucketTagging),
            (.DELETE, "/b/?tagging", .deleteBucketTagging),
            (.GET, "/b?prefix=x&unknown=1", .listObjects), (.GET, "/b?list-type=2", .listObjectsV2),
            (.GET, "/b?versions&prefix=a", .listObjectVersions), (.GET, "/b?uploads", .listMultipartUploads),
            (.POST, "/b?delete", .deleteObjects), (.POST, "/b?delete&x-id=DeleteObjects", .deleteObjects),
            (.PUT, "/b/k", .putObject), (.PUT, "/b//", .putObject), (.PUT, "/b/k?x-id=PutObject", .putObject),
            (.GET, "/b/k", .getObject), (.GET, "/b/k?versionId=null", .getObject), (.GET, "/b/k?partNumber=2", .getObject),
            (.GET, "/b/k?response-content-type=a", .getObject), (.HEAD, "/b/k", .headObject),
            (.GET, "/b/k?attributes&versionId=null", .getObjectAttributes),
            (.GET, "/b/k?tagging", .getObjectTagging), (.PUT, "/b/k?tagging&versionId=null", .putObjectTagging),
            (.DELETE, "/b/k?tagging=", .deleteObjectTagging),
            (.DELETE, "/b/k", .deleteObject), (.DELETE, "/b/k?versionId=x", .deleteObject),
            (.POST, "/b/k?uploads", .createMultipartUpload), (.PUT, "/b/k?uploadId=u&partNumber=1", .uploadPart),
            (.PUT, "/b/k?partNumber=1&uploadId=u", .uploadPart), (.POST, "/b/k?uploadId=u", .completeMultipartUpload),
            (.DELETE, "/b/k?uploadId=u", .abortMultipartUpload), (.GET, "/b/k?uploadId=u&max-parts=3", .listParts),
        ] as [(HTTPMethod, String, S3Operation)])
    func operations(_ method: HTTPMethod, _ target: String, _ expected: S3Operation) throws {
        #expect(try route(method, target).get() == expected)
    }

    @Test("Headers tell a copy from an upload")
    func copies() throws {
        let headers: HTTPHeaders = ["x-amz-copy-source": "/b/k"]
        #expect(try route(.PUT, "/b/k", headers).get() == .copyObject)
        #expect(try route(.PUT, "/b/k?uploadId=u&partNumber=1", headers).get() == .uploadPartCopy)
        #expect(
            try route(.POST, "/b", ["Content-Type": "multipart/form-data; boundary=x"]).get() == .notImplemented("PostObject"))
        #expect(
            try route(.POST, "/WriteGetObjectResponse", ["x-amz-request-route": "r"]).get()
                == .notImplemented("WriteGetObjectResponse"))
    }

    @Test(
        "What is missing is known by its name",
        arguments: [
            (.PUT, "/b?acl", "PutBucketAcl"), (.GET, "/b?acl", "GetBucketAcl"), (.GET, "/b/k?acl", "GetObjectAcl"),
            (.PUT, "/b/k?acl&versionId=1", "PutObjectAcl"), (.GET, "/b?policy", "GetBucketPolicy"),
            (.DELETE, "/b?policy", "DeleteBucketPolicy"), (.GET, "/b?policyStatus", "GetBucketPolicyStatus"),
            (.PUT, "/b?lifecycle", "PutBucketLifecycleConfiguration"), (.DELETE, "/b?lifecycle", "DeleteBucketLifecycle"),
            (.GET, "/b?cors", "GetBucketCors"),
            (.GET, "/b?object-lock", "GetObjectLockConfiguration"), (.PUT, "/b/k?retention", "PutObjectRetention"),
            (.GET, "/b/k?legal-hold", "GetObjectLegalHold"), (.GET, "/b/k?torrent", "GetObjectTorrent"),
            (.POST, "/b/k?select&select-type=2", "SelectObjectContent"), (.POST, "/b/k?restore", "RestoreObject"),
            (.GET, "/b?analytics", "ListBucketAnalyticsConfigurations"),
            (.GET, "/b?analytics&id=1", "GetBucketAnalyticsConfiguration"),
            (.GET, "/b?inventory&id=1", "GetBucketInventoryConfiguration"),
            (.DELETE, "/b?metrics&id=1", "DeleteBucketMetricsConfiguration"),
            (.PUT, "/b?intelligent-tiering&id=1", "PutBucketIntelligentTieringConfiguration"),
            (.GET, "/b?session", "CreateSession"), (.PUT, "/b?publicAccessBlock", "PutPublicAccessBlock"),
            (.GET, "/b?requestPayment", "GetBucketRequestPayment"), (.PUT, "/b?accelerate", "PutBucketAccelerateConfiguration"),
        ] as [(HTTPMethod, String, String)])
    func notImplemented(_ method: HTTPMethod, _ target: String, _ name: String) throws {
        #expect(try route(method, target).get() == .notImplemented(name))
    }

    @Test(
        "A method that a resource does not have is refused, with the ones it has",
        arguments: [
            (.PUT, "/", "GET"), (.DELETE, "/", "GET"), (.POST, "/", "GET"), (.POST, "/b", "GET, HEAD, PUT, DELETE"),
            (.PATCH, "/b", "GET, HEAD, PUT, DELETE, POST"), (.POST, "/b/k", "GET, HEAD, PUT, DELETE"),
            (.TRACE, "/b/k", "GET, HEAD, PUT, DELETE"), (.DELETE, "/b?location", "GET"), (.HEAD, "/b?acl", "GET, PUT"),
            (.GET, "/b?delete", "POST"), (.PUT, "/b?versions", "GET"),
        ] as [(HTTPMethod, String, String)])
    func methodNotAllowed(_ method: HTTPMethod, _ target: String, _ allow: String) throws {
        guard case .failure(let error) = route(method, target) else {
            Issue.record("\(method) \(target) was routed")
            return
        }
        #expect(error.code == "MethodNotAllowed" && error.status == .methodNotAllowed)
        #expect(error.headers == [S3Error.Detail("Allow", allow)])
    }

    @Test(
        "A sub-resource in the wrong place never falls back to the plain operation",
        arguments: [(.DELETE, "/b/k?lifecycle"), (.DELETE, "/b?retention"), (.PUT, "/b/k?policy"), (.DELETE, "/b/k?acl")]
            as [(HTTPMethod, String)])
    func wrongPlace(_ method: HTTPMethod, _ target: String) {
        guard case .failure(let error) = route(method, target) else {
            Issue.record("\(method) \(target) was routed")
            return
        }
        #expect(error.status == .methodNotAllowed)
    }

    @Test("A part without its number or its upload is no object")
    func lonelyParts() {
        #expect(throws: S3Error.partWithoutNumber) { try route(.PUT, "/b/k?uploadId=u").get() }
        #expect(throws: S3Error.partWithoutUpload) { try route(.PUT, "/b/k?partNumber=1").get() }
    }

    @Test("A list type other than 2 is refused", arguments: ["1", "3", ""])
    func listType(_ value: String) {
        guard case .failure(let error) = route(.GET, "/b?list-type=\(value)") else {
            Issue.record("list-type=\(value) was routed")
            return
        }
        #expect(error.code == "InvalidArgument")
    }

    @Test("A preflight is forbidden", arguments: ["/", "/b", "/b/k", "/b/k?acl"])
    func preflight(_ target: String) {
        guard case .failure(let error) = route(.OPTIONS, target) else {
            Issue.record("OPTIONS \(target) was routed")
            return
        }
        #expect(error.code == "AccessForbidden" && error.status == .forbidden)
    }

    @Test("No two rows of the table contradict each other, and each leads to its operation")
    func table() throws {
        for row in S3Route.all {
            let path = row.level == .bucket ? "/b" : "/b/k"
            let target = "\(path)?\(row.subresource)=1" + (row.companion.map { "&\($0)=1" } ?? "")
            #expect(try route(row.method, target).get() == row.operation, "\(row.method) \(target)")
        }
    }
}
