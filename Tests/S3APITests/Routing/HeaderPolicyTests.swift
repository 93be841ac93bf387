import NIOHTTP1
import S3API
import Testing

@Suite("Headers that ask for what is not there")
struct HeaderPolicyTests {
    private func check(_ name: String, _ value: String) -> S3Error? {
        errorThrown { () throws(S3Error) in
            try S3HeaderPolicy.check([name: value], of: S3Identity(accessKey: "a", owner: TestSigner.owner))
        }
    }

    @Test(
        "A header whose promise cannot be kept is refused by its name",
        arguments: [
            ("x-amz-server-side-encryption", "AES256"), ("X-Amz-Server-Side-Encryption", "aws:kms"),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "k"), ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
            ("x-amz-copy-source-server-side-encryption-customer-key", "k"), ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"), ("x-amz-object-lock-legal-hold", "ON"),
            ("x-amz-bucket-object-lock-enabled", "true"), ("x-amz-acl", "public-read"),
            ("x-amz-acl", "public-read-write"), ("x-amz-acl", "authenticated-read"), ("x-amz-acl", "log-delivery-write"),
            ("x-amz-grant-read", "id=1"), ("x-amz-grant-full-control", "id=1"), ("x-amz-object-ownership", "ObjectWriter"),
            ("x-amz-write-offset-bytes", "0"),
        ])
    func refused(_ name: String, _ value: String) throws {
        let error = try #require(check(name, value))
        #expect(error.code == "NotImplemented" && error.status == .notImplemented)
        #expect(error.details.first == S3Error.Detail("Header", name.lowercased()))
    }

    @Test(
        "A header that changes nothing is accepted",
        arguments: [
            ("x-amz-acl", "private"), ("x-amz-acl", "bucket-owner-full-control"), ("x-amz-tagging", "a=b"),
            ("x-amz-bucket-object-lock-enabled", "false"), ("x-amz-object-lock-legal-hold", "OFF"),
            ("x-amz-object-ownership", "BucketOwnerEnforced"), ("x-amz-request-payer", "requester"),
            ("x-amz-expected-bucket-owner", "0123456789abcdef"), ("x-amz-meta-server-side-encryption", "x"),
            ("x-amz-storage-class", "GLACIER"), ("x-amz-mfa", "1 2"),
        ])
    func accepted(_ name: String, _ value: String) {
        #expect(check(name, value) == nil)
    }

    @Test("An unknown canned ACL is an argument error, a bucket expected to be another's is denied")
    func others() {
        #expect(check("x-amz-acl", "anyone")?.code == "InvalidArgument")
        #expect(check("x-amz-expected-bucket-owner", "111122223333")?.code == "AccessDenied")
        #expect(check("x-amz-source-expected-bucket-owner", "111122223333")?.code == "AccessDenied")
    }

    @Test(
        "aws-chunked is how a body travels, not how it is stored",
        arguments: [
            ("aws-chunked", nil), ("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"), ("AWS-Chunked", nil),
            ("gzip, aws-chunked , br", "gzip,br"), ("gzip, br", "gzip, br"), ("", ""), ("x-aws-chunked", "x-aws-chunked"),
        ] as [(String, String?)])
    func contentEncoding(_ value: String, _ kept: String?) {
        var headers: HTTPHeaders = ["Content-Encoding": value]
        S3HeaderPolicy.removeTransferCoding(from: &headers)
        #expect(headers.first(name: "content-encoding") == kept)
    }
}
