import NIOHTTP1
import S3API
import Testing

@Suite("A presigned URL holds for its time and for what it names")
struct PresignedTests {
    private func verify(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, secondsLater: Int = 0
    ) -> S3Error? {
        errorThrown { () throws(S3Error) in
            try TestSigner.verifier().verify(
                method: method, target: S3Target(parsing: target), headers: headers,
                nowMilliseconds: UInt64(Int(TestSigner.nowMilliseconds) + secondsLater * 1000))
        }
    }

    @Test(
        "It is valid from fifteen minutes before its date until its expiry",
        arguments: [
            (-901, "Request is not yet valid"), (-900, nil), (0, nil), (3600, nil), (3601, "Request has expired"),
        ] as [(Int, String?)])
    func validity(_ secondsLater: Int, _ message: String?) throws {
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/key?versionId=v", expires: "3600")
        let error = verify(.GET, target, headers, secondsLater: secondsLater)
        #expect(error?.message == message)
        if let error {
            #expect(error.code == "AccessDenied" && error.status == .forbidden)
            #expect(error.details.contains { $0.name == "ServerTime" })
        }
    }

    @Test("The expiry is named")
    func expiry() throws {
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/key", expires: "60")
        let error = try #require(verify(.GET, target, headers, secondsLater: 61))
        #expect(
            error.details == [
                .init("X-Amz-Expires", "60"), .init("Expires", "2013-05-24T00:01:00Z"),
                .init("ServerTime", "2013-05-24T00:01:01Z"),
            ])
    }

    @Test(
        "It holds for 1 second to 7 days",
        arguments: [
            ("1", true), ("604800", true), ("0", false), ("-1", false), ("604801", false), ("", false), ("1.5", false),
            ("99999999999999999999", false),
        ])
    func expiresRange(_ expires: String, _ isAccepted: Bool) throws {
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/key", expires: expires)
        let error = verify(.GET, target, headers)
        #expect(error?.code == (isAccepted ? nil : "AuthorizationQueryParametersError"))
        #expect(error == nil || error?.status == .badRequest)
    }

    @Test(
        "Every parameter is needed once",
        arguments: [
            "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
        ])
    func parameters(_ name: String) throws {
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/key")
        let (path, query) = (target.split(separator: "?")[0], target.split(separator: "?")[1])
        let items = query.split(separator: "&")
        let without = items.filter { !$0.hasPrefix(name + "=") }
        #expect(without.count == 5)
        #expect(
            verify(.GET, path + "?" + without.joined(separator: "&"), headers)?.code == "AuthorizationQueryParametersError")
        let twice = items + items.filter { $0.hasPrefix(name + "=") }
        #expect(verify(.GET, path + "?" + twice.joined(separator: "&"), headers)?.code == "AuthorizationQueryParametersError")
    }

    @Test("Another method, key, parameter, host or expiry does not match")
    func tampering() throws {
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/key?response-content-type=text%2Fplain")
        #expect(verify(.GET, target, headers) == nil)
        #expect(verify(.PUT, target, headers)?.code == "SignatureDoesNotMatch")
        #expect(verify(.GET, target, ["Host": "elsewhere"])?.code == "SignatureDoesNotMatch")
        #expect(verify(.GET, target + "&versionId=1", headers)?.code == "SignatureDoesNotMatch")
        for (from, to) in [("/key", "/kez"), ("plain", "html"), ("Expires=900", "Expires=901")] {
            let changed = target.split(separator: from).joined(separator: to)
            #expect(changed != target)
            #expect(verify(.GET, changed, headers)?.code == "SignatureDoesNotMatch", "\(changed)")
        }
    }

    @Test("A header of S3 that is sent along must have been signed")
    func headers() throws {
        let signed = try TestSigner().presign(.PUT, "/bucket/key", headers: ["x-amz-meta-a": "b"])
        #expect(verify(.PUT, signed.target, signed.headers) == nil)
        let unsigned = try TestSigner().presign(.PUT, "/bucket/key")
        var headers = unsigned.headers
        headers.add(name: "x-amz-meta-a", value: "b")
        #expect(verify(.PUT, unsigned.target, headers)?.details.first?.value == "x-amz-meta-a")
        headers = unsigned.headers
        headers.add(name: "Content-Type", value: "text/plain")
        #expect(verify(.PUT, unsigned.target, headers) == nil)
    }

    @Test("Another region is named in the error")
    func region() throws {
        let (target, headers) = try TestSigner(region: "eu-west-1").presign(.GET, "/bucket/key")
        let error = try #require(verify(.GET, target, headers))
        #expect(error.code == "AuthorizationQueryParametersError")
        #expect(error.details == [S3Error.Detail("Region", "us-east-1")])
    }
}
