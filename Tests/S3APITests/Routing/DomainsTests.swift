import NIOHTTP1
import S3API
import Testing

@Suite("Hosts that name buckets")
struct DomainsTests {
    private static let domains = S3Domains(["s3.example.com", "Example.org", "inner.s3.example.com", "localhost"])

    @Test(
        "A host below a domain names a bucket, and no other does",
        arguments: [
            ("bucket.s3.example.com", "bucket"), ("bucket.s3.example.com:9000", "bucket"), ("a.b.c.s3.example.com", "a.b.c"),
            ("BUCKET.S3.Example.COM", "bucket"), ("bucket.s3.example.com.", "bucket"), ("bucket.s3.example.com.:80", "bucket"),
            ("s3.example.com", nil), ("s3.example.com:9000", nil), ("S3.EXAMPLE.COM.", nil), ("xs3.example.com", nil),
            ("example.com", nil), ("bucket.example.com", nil), ("bucket.example.org", "bucket"), ("example.org", nil),
            ("bucket.inner.s3.example.com", "bucket"), ("inner.s3.example.com", nil), ("other.s3.example.com", "other"),
            ("bucket.localhost:1", "bucket"), ("localhost", nil), (".localhost", nil), ("", nil), (":9000", nil), (".", nil),
            ("127.0.0.1:9000", nil), ("[::1]:9000", nil), ("::1", nil), ("bucket.s3.example.com:x", nil), ("-.localhost", "-"),
        ] as [(String, String?)])
    func hosts(host: String, bucket: String?) {
        #expect(Self.domains.bucket(host: host) == bucket)
        #expect(S3Domains().bucket(host: host) == nil)
    }

    @Test(
        "The host names the bucket, all of the path is the key",
        arguments: [
            ("/", "bucket", ""), ("/k", "bucket", "k"), ("//", "bucket", "/"), ("//k", "bucket", "/k"),
            ("/a/b/", "bucket", "a/b/"),
            ("/bucket/k", "bucket", "bucket/k"), ("/a%2Fb%20c", "bucket", "a/b c"), ("/?list-type=2", "bucket", ""),
        ])
    func targets(target: String, bucket: String, key: String) throws {
        let parsed = try S3Target(parsing: target, host: "bucket.localhost:9000", domains: Self.domains)
        #expect(parsed.bucket == bucket && parsed.key == Array(key.utf8) && parsed.isVirtualHosted)
        #expect(parsed.rawPath == Array(target.prefix { $0 != "?" }.utf8))
    }

    @Test("Other hosts leave the path as it was", arguments: [nil, "localhost:9000", "127.0.0.1", "example.com"])
    func pathStyle(host: String?) throws {
        let target = try S3Target(parsing: "/bucket/a/b", host: host, domains: Self.domains)
        #expect(target.bucket == "bucket" && target.key == Array("a/b".utf8) && !target.isVirtualHosted)
    }

    @Test(
        "A target with a host of its own must agree with the header, which is what is signed",
        arguments: [
            ("http://bucket.localhost/k", "bucket.localhost", "bucket"),
            ("http://BUCKET.localhost/k", "bucket.localhost", "bucket"),
            ("http://other.localhost/k", "bucket.localhost", nil), ("http://localhost/b/k", "bucket.localhost", nil),
            ("http://bucket.localhost:80/k", "bucket.localhost", nil), ("http://bucket.localhost/k", nil, nil),
            ("http://localhost/b/k", "localhost", "b"),
        ] as [(String, String?, String?)])
    func absoluteForm(target: String, host: String?, bucket: String?) {
        let parsed = Result { () throws(S3Error) in try S3Target(parsing: target, host: host, domains: Self.domains) }
        switch parsed {
        case .success(let target): #expect(target.bucket == bucket)
        case .failure(let error): #expect(error == .invalidURI && bucket == nil)
        }
        // Without domains nothing depends on it.
        #expect(throws: Never.self) { try S3Target(parsing: target, host: host, domains: S3Domains()) }
    }

    @Test(
        "Requests to a bucket's host are routed as those to its path",
        arguments: [
            (.PUT, "/", .createBucket), (.GET, "/", .listObjects), (.GET, "/?versioning", .getBucketVersioning),
            (.GET, "/k", .getObject), (.PUT, "/k/", .putObject), (.POST, "/?delete", .deleteObjects), (.HEAD, "/", .headBucket),
            (.PUT, "/k?uploadId=u&partNumber=1", .uploadPart), (.DELETE, "/", .deleteBucket),
        ] as [(HTTPMethod, String, S3Operation)])
    func routes(method: HTTPMethod, target: String, operation: S3Operation) throws {
        let parsed = try S3Target(parsing: target, host: "bucket.localhost", domains: Self.domains)
        #expect(try S3Router.route(method: method, target: parsed, headers: [:]) == operation)
    }
}
