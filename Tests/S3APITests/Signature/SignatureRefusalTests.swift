import NIOHTTP1
import S3API
import Testing

@Suite("A request that is not what was signed is refused with the right error")
struct SignatureRefusalTests {
    private static let target = "/bucket/key?partNumber=1&uploadId=u"

    private func verify(
        _ method: HTTPMethod = .PUT, _ target: String = target, _ headers: HTTPHeaders,
        now: UInt64 = TestSigner.nowMilliseconds, region: String = "us-east-1"
    ) -> S3Error? {
        errorThrown { () throws(S3Error) in
            try TestSigner.verifier(region: region).verify(
                method: method, target: S3Target(parsing: target), headers: headers, nowMilliseconds: now)
        }
    }

    private func signed(_ signer: TestSigner = TestSigner(), leavingOut: Set<String> = []) throws -> HTTPHeaders {
        try signer.sign(
            .PUT, Self.target, headers: ["Content-Type": "text/plain", "x-amz-meta-a": "b"], leavingOut: leavingOut)
    }

    @Test("As signed, it is accepted")
    func accepted() throws {
        #expect(try verify(.PUT, Self.target, signed()) == nil)
    }

    @Test("Another method, path or query does not match the signature")
    func requestLine() throws {
        let headers = try signed()
        #expect(verify(.GET, Self.target, headers)?.code == "SignatureDoesNotMatch")
        for target in [
            "/bucket/kez?partNumber=1&uploadId=u", "/bucket/key?partNumber=2&uploadId=u", "/bucket/key?partNumber=1&uploadId=v",
            "/bucket/key?partNumber=1&uploadId=u&versionId=x", "/bucket/key?partNumber=1",
            "/Bucket/key?partNumber=1&uploadId=u",
            "/bucket//key?partNumber=1&uploadId=u",
        ] {
            #expect(verify(.PUT, target, headers)?.code == "SignatureDoesNotMatch", "\(target)")
        }
    }

    @Test(
        "A signed header that was changed, removed or repeated does not match the signature",
        arguments: ["host", "content-type", "x-amz-meta-a"])
    func header(_ name: String) throws {
        var headers = try signed()
        headers.replaceOrAdd(name: name, value: "changed")
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
        headers = try signed()
        headers.remove(name: name)
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
        headers = try signed()
        headers.add(name: name, value: "again")
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
    }

    @Test("The date and the payload hash are covered")
    func dateAndPayload() throws {
        var headers = try signed()
        headers.replaceOrAdd(name: "x-amz-date", value: "20130524T000001Z")
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
        headers = try signed()
        headers.replaceOrAdd(name: "x-amz-content-sha256", value: "UNSIGNED-PAYLOAD")
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
    }

    @Test("The mismatch says what was expected to be signed")
    func mismatchDetails() throws {
        var headers = try signed()
        headers.replaceOrAdd(name: "x-amz-meta-a", value: "changed")
        let error = try #require(verify(.PUT, Self.target, headers))
        #expect(error.status == .forbidden)
        let details = Dictionary(error.details.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        #expect(details["AWSAccessKeyId"] == TestSigner.accessKey)
        #expect(
            details["StringToSign"]?.hasPrefix("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n")
                == true)
        #expect(details["CanonicalRequest"]?.contains("x-amz-meta-a:changed\n") == true)
        #expect(details["SignatureProvided"]?.count == 64)
    }

    @Test("A signature of another length, other digits or none does not match", arguments: ["", "00", "zz", "f0e8"])
    func signatureText(_ signature: String) throws {
        var headers = try signed()
        let value = try #require(headers.first(name: "authorization"))
        headers.replaceOrAdd(
            name: "authorization",
            value: value.prefix(while: { $0 != "," })
                + ", SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;content-type, Signature=" + signature)
        #expect(verify(.PUT, Self.target, headers)?.code == "SignatureDoesNotMatch")
    }

    @Test("Headers of S3 that are not signed are named")
    func unsignedHeaders() throws {
        var headers = try signed()
        headers.add(name: "X-Amz-Acl", value: "public-read")
        let error = try #require(verify(.PUT, Self.target, headers))
        #expect(error.code == "AccessDenied")
        #expect(error.details == [S3Error.Detail("HeadersNotSigned", "x-amz-acl")])
        #expect(try verify(.PUT, Self.target, signed(leavingOut: ["host"]))?.details.first?.value == "host")
        #expect(try verify(.PUT, Self.target, signed(leavingOut: ["content-type"])) == nil)
    }

    @Test("Another secret does not match, another access key is unknown")
    func otherCredentials() throws {
        #expect(try verify(.PUT, Self.target, signed(TestSigner(secretKey: "other")))?.code == "SignatureDoesNotMatch")
        let error = try #require(try verify(.PUT, Self.target, signed(TestSigner(accessKey: "STRANGER"))))
        #expect(error.code == "InvalidAccessKeyId" && error.status == .forbidden)
        #expect(error.details == [S3Error.Detail("AWSAccessKeyId", "STRANGER")])
    }

    @Test("Another region, service or day of the credential is malformed, and the right region is named")
    func scope() throws {
        let region = try #require(try verify(.PUT, Self.target, signed(TestSigner(region: "eu-west-1"))))
        #expect(region.code == "AuthorizationHeaderMalformed" && region.status == .badRequest)
        #expect(region.details == [S3Error.Detail("Region", "us-east-1")])
        #expect(region.message.contains("the region 'eu-west-1' is wrong; expecting 'us-east-1'"))
        #expect(try verify(.PUT, Self.target, signed(TestSigner(service: "ec2")))?.code == "AuthorizationHeaderMalformed")
        #expect(try verify(.PUT, Self.target, signed(TestSigner(date: "20130525")))?.code == "AuthorizationHeaderMalformed")
    }

    @Test(
        "The clock may differ by fifteen minutes, both ways, and not by a second more",
        arguments: [(-901, false), (-900, true), (0, true), (900, true), (901, false)])
    func skew(_ seconds: Int, _ isAccepted: Bool) throws {
        let now = UInt64(Int(TestSigner.nowMilliseconds) + seconds * 1000)
        let error = try verify(.PUT, Self.target, signed(), now: now)
        #expect(error?.code == (isAccepted ? nil : "RequestTimeTooSkewed"))
        if let error {
            #expect(error.status == .forbidden)
            #expect(error.details.map(\.name) == ["RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"])
            #expect(error.details[0].value == "20130524T000000Z")
        }
    }

    @Test("The Date header serves where x-amz-date is missing; without either access is denied")
    func dateHeader() throws {
        let signer = TestSigner()
        var headers: HTTPHeaders = [
            "Host": "h", "Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-content-sha256": TestSigner.emptyHash,
        ]
        let names = ["date", "host", "x-amz-content-sha256"]
        let signature = try signer.signature(.GET, "/b", headers: headers, names: names, payload: TestSigner.emptyHash)
        headers.add(
            name: "Authorization",
            value: "AWS4-HMAC-SHA256 Credential=\(signer.accessKey)/\(signer.scope.text),"
                + "SignedHeaders=\(names.joined(separator: ";")),Signature=\(signature)")
        #expect(verify(.GET, "/b", headers) == nil)
        headers.remove(name: "date")
        #expect(verify(.GET, "/b", headers)?.code == "AccessDenied")
        headers.add(name: "x-amz-date", value: "20130532T000000Z")
        #expect(verify(.GET, "/b", headers)?.message == S3Error.dateMissing.message)
    }

    @Test("Nobody is denied access")
    func anonymous() {
        let error = verify(.GET, "/bucket/key", ["Host": "h"])
        #expect(error?.code == "AccessDenied")
        #expect(error?.status == .forbidden)
    }

    @Test("The payload's hash must be there and be one of the forms")
    func payloadHash() throws {
        var headers = try signed()
        headers.remove(name: "x-amz-content-sha256")
        #expect(verify(.PUT, Self.target, headers)?.code == "InvalidRequest")
        for (value, code) in [
            ("abc", "InvalidArgument"), (String(repeating: "g", count: 64), "InvalidArgument"), ("", "InvalidArgument"),
            ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"),
            ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", "NotImplemented"),
        ] {
            let headers = try TestSigner().sign(.PUT, Self.target, payload: value)
            #expect(verify(.PUT, Self.target, headers)?.code == code, "\(value)")
        }
    }

    @Test(
        "Other mechanisms and broken headers have errors of their own",
        arguments: [
            ("AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "InvalidRequest"),
            ("Bearer token", "InvalidArgument"), ("Basic dXNlcjpwYXNz", "InvalidArgument"), ("", "InvalidArgument"),
            ("AWS4-ECDSA-P256-SHA256 Credential=a/20130524/s3/aws4_request,SignedHeaders=host,Signature=00", "NotImplemented"),
            ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
            ("AWS4-HMAC-SHA256 Credential", "AuthorizationHeaderMalformed"),
            ("AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request", "AuthorizationHeaderMalformed"),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;;x,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws3_request,SignedHeaders=host,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/2013052/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/b,Credential=a/c,SignedHeaders=host,Signature=00",
                "AuthorizationHeaderMalformed"
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00,More=1",
                "AuthorizationHeaderMalformed"
            ),
        ])
    func mechanisms(_ authorization: String, _ code: String) {
        let headers: HTTPHeaders = ["Host": "h", "Authorization": authorization, "x-amz-date": "20130524T000000Z"]
        #expect(verify(.GET, "/bucket", headers)?.code == code)
    }

    @Test("An access key may contain slashes; spaces between the fields do not matter")
    func leniency() throws {
        let scope = try #require(SigningScope(credential: Array("team/a/20130524/us-east-1/s3/aws4_request".utf8)[...]))
        #expect(scope.accessKey == "team/a" && scope.text == "20130524/us-east-1/s3/aws4_request")
        var headers = try signed()
        let value = try #require(headers.first(name: "authorization"))
        headers.replaceOrAdd(name: "authorization", value: value.split(separator: ", ").joined(separator: ","))
        #expect(verify(.PUT, Self.target, headers) == nil)
        headers.replaceOrAdd(name: "authorization", value: value.split(separator: ", ").joined(separator: "  ,   "))
        #expect(verify(.PUT, Self.target, headers) == nil)
    }

    @Test("Two mechanisms at once are refused, and so is a session token, which nobody here has issued")
    func twoMechanisms() throws {
        let presigned = try TestSigner().presign(.GET, "/bucket/key")
        var headers = presigned.headers
        headers.add(name: "Authorization", value: "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c")
        #expect(verify(.GET, presigned.target, headers)?.code == "InvalidArgument")
        #expect(verify(.GET, "/bucket?AWSAccessKeyId=a&Expires=1&Signature=b", ["Host": "h"])?.code == "InvalidRequest")
        let token = try TestSigner().sign(.GET, "/bucket", headers: ["x-amz-security-token": "t"])
        #expect(verify(.GET, "/bucket", token)?.code == "InvalidToken")
    }
}
