import NIOHTTP1
import S3API
import Testing

/// Who has seen a client before takes a short way. It must say what the long one says.
@Suite("A verifier that knows a client judges its requests like one that does not")
struct KnownSignatureTests {
    private static let target = "/bucket/folder/key%20one"
    private static let fields: HTTPHeaders = ["Content-Type": "text/plain", "x-amz-meta-a": "b", "Content-MD5": "x"]

    private struct Judgement: Equatable {
        var accessKey: String?
        var payload: PayloadHash?
        var seed: [UInt8]?
        var scope: SigningScope?
        var timestamp: String?
        var error: String?
    }

    private func judge(
        _ verifier: SignatureVerifier, _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders,
        now: UInt64 = TestSigner.nowMilliseconds
    ) -> Judgement {
        do throws(S3Error) {
            let signature = try verifier.verify(
                method: method, target: S3Target(parsing: target), headers: headers, nowMilliseconds: now)
            return Judgement(
                accessKey: signature.identity.accessKey, payload: signature.payloadHash,
                seed: signature.chunkSigning.seedSignature, scope: signature.chunkSigning.scope,
                timestamp: signature.chunkSigning.timestamp)
        } catch { return Judgement(error: error.code) }
    }

    /// By a verifier that has seen a request of the same form, and by one that has seen none.
    private func judgements(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, now: UInt64 = TestSigner.nowMilliseconds
    ) throws -> (known: Judgement, unknown: Judgement) {
        let verifier = TestSigner.verifier()
        let earlier = try TestSigner().sign(.PUT, "/bucket/earlier", headers: Self.fields)
        #expect(judge(verifier, .PUT, "/bucket/earlier", earlier).error == nil)
        return (
            judge(verifier, method, target, headers, now: now), judge(TestSigner.verifier(), method, target, headers, now: now)
        )
    }

    @Test(
        "What is signed is accepted, and says the same of the body",
        arguments: [TestSigner.emptyHash, "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
        [target, "/bucket/", "/bucket/a//b", "/bucket/key?partNumber=1&uploadId=u"])
    func accepted(_ payload: String, _ target: String) throws {
        let headers = try TestSigner().sign(.PUT, target, headers: Self.fields, payload: payload)
        let (known, unknown) = try judgements(.PUT, target, headers)
        #expect(known == unknown)
        #expect(known.accessKey == TestSigner.accessKey && known.error == nil)
    }

    @Test("A header that the earlier requests did not sign must be signed")
    func unsigned() throws {
        for name in ["x-amz-acl", "X-Amz-Meta-B", "x-amz-security-token"] {
            var headers = try TestSigner().sign(.PUT, Self.target, headers: Self.fields)
            headers.add(name: name, value: "c")
            let (known, unknown) = try judgements(.PUT, Self.target, headers)
            #expect(known == unknown, "\(name)")
            #expect(known.error != nil, "\(name)")
        }
    }

    @Test(
        "What was changed is refused with the same error",
        arguments: ["host", "content-type", "x-amz-meta-a", "x-amz-date", "x-amz-content-sha256", "authorization"])
    func changed(_ name: String) throws {
        let signed = try TestSigner().sign(.PUT, Self.target, headers: Self.fields)
        let value = try #require(signed.first(name: name))
        for change in ["\(value.dropLast())0", "", value + " ", "UNSIGNED-PAYLOAD"] where change != value {
            var headers = signed
            headers.replaceOrAdd(name: name, value: change)
            let (known, unknown) = try judgements(.PUT, Self.target, headers)
            #expect(known == unknown, "\(name): \(change)")
        }
        var headers = signed
        headers.remove(name: name)
        var (known, unknown) = try judgements(.PUT, Self.target, headers)
        #expect(known == unknown && known.error != nil)
        headers = signed
        headers.add(name: name, value: value)
        (known, unknown) = try judgements(.PUT, Self.target, headers)
        #expect(known == unknown)
    }

    @Test("Method, path and time are covered")
    func requestLine() throws {
        let headers = try TestSigner().sign(.PUT, Self.target, headers: Self.fields)
        let day: UInt64 = 86_400_000
        for (method, target, now): (HTTPMethod, String, UInt64) in [
            (.GET, Self.target, 0), (.PUT, "/bucket/folder/key", 0), (.PUT, Self.target + "?acl", 0), (.PUT, Self.target, day),
        ] {
            let (known, unknown) = try judgements(method, target, headers, now: TestSigner.nowMilliseconds + now)
            #expect(known == unknown && known.error != nil, "\(method) \(target) \(now)")
        }
    }
}
