import Metadata
import NIOHTTP1
import S3API
import Testing

@Suite("Signature Version 4 agrees with what AWS publishes and with botocore")
struct SignatureVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var method: HTTPMethod
        var target: String
        var headers: [(String, String)]
        var signedHeaders: String
        var signature: String
        var testDescription: String { "\(method.rawValue) \(target)" }
    }

    /// S3 API reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" and
    /// "… in Multiple Chunks", "Including Trailing Headers".
    static let published: [Vector] = [
        Vector(
            method: .GET, target: "/test.txt",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9"),
                ("x-amz-content-sha256", TestSigner.emptyHash), ("x-amz-date", "20130524T000000Z"),
            ], signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Vector(
            method: .PUT, target: "/test$file.text",
            headers: [
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("Host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
                ("x-amz-date", "20130524T000000Z"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ], signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Vector(
            method: .GET, target: "/?lifecycle",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", TestSigner.emptyHash),
                ("x-amz-date", "20130524T000000Z"),
            ], signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Vector(
            method: .GET, target: "/?max-keys=2&prefix=J",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", TestSigner.emptyHash),
                ("x-amz-date", "20130524T000000Z"),
            ], signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        Vector(
            method: .PUT, target: "/examplebucket/chunkObject.txt",
            headers: [
                ("Host", "s3.amazonaws.com"), ("Content-Encoding", "aws-chunked"), ("Content-Length", "66824"),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-decoded-content-length", "66560"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            signedHeaders:
                "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
            signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
        Vector(
            method: .PUT, target: "/examplebucket/chunkObject.txt",
            headers: [
                ("Host", "s3.amazonaws.com"), ("Content-Encoding", "aws-chunked"),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-decoded-content-length", "66560"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-trailer", "x-amz-checksum-crc32c"),
            ],
            signedHeaders:
                "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
            signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
    ]

    @Test("The examples of the S3 API reference verify", arguments: published)
    func publishedExample(_ vector: Vector) throws {
        var headers = HTTPHeaders(vector.headers)
        headers.add(
            name: "Authorization",
            value: "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders=\(vector.signedHeaders),Signature=\(vector.signature)")
        let verified = try TestSigner.verifier().verify(
            method: vector.method, target: S3Target(parsing: vector.target), headers: headers,
            nowMilliseconds: TestSigner.nowMilliseconds)
        #expect(verified.identity.owner == TestSigner.owner)
        #expect(verified.chunkSigning.seedSignature == Array(vector.signature.utf8))
    }

    @Test("The presigned example of the S3 API reference verifies")
    func publishedPresigned() throws {
        let target = try S3Target(
            parsing: "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
        let verified = try TestSigner.verifier().verify(
            method: .GET, target: target, headers: ["Host": "examplebucket.s3.amazonaws.com"],
            nowMilliseconds: TestSigner.nowMilliseconds + 86_400_000)
        #expect(verified.payloadHash == .unsigned)
    }

    /// Signed by botocore 1.43.11 for `rustfsadmin` with the secret `secret/with+signs`, region eu-west-3, 2026-11-24T06:00:00Z,
    /// with `X-Amz-Meta-Note:   two   spaces  and tabs `.
    static let botocore: [(HTTPMethod, String, String)] = [
        (.GET, "/", "5825d3ea775d226bb106326e226ffcb9e16dc4de055e86af07c54a02650b0d7f"),
        (
            .PUT, "/bucket/a%20key/with%20spaces%20%2Bplus%26amp%3D%3F%23%2541",
            "871def26e2d327647719863e2d5a81521b61650828e7e113d9e9ff6445d64f0a"
        ),
        (
            .GET, "/bucket/%E6%97%A5%E6%9C%AC%E8%AA%9E/%D0%BA%D0%BB%D1%8E%D1%87/%F0%9F%94%91",
            "31be2424afb9ef384e120bd0688e3979e78517aa2eb3a1fd0d2aa2202c2790a5"
        ),
        (.GET, "/bucket/../../etc//passwd", "f611f622a18ca7408d7aaac4f904c30adbe142adfc324bdbe120fb76e4b09b9d"),
        (.DELETE, "/bucket//leading/./x/", "c69860ee9638357ff63ee412838ce709f71d0fb2ac749058dacc83c511a08ea0"),
        (
            .GET, "/bucket?list-type=2&prefix=%2B%20%C3%A9&delimiter=%2F&max-keys=7",
            "89c8f2ab65d80d8f17786b80765e0516ad52adc94a865a72adea9c5ec2140909"
        ),
        (.POST, "/bucket/key?uploads", "796a0a5477b6543ab13569b3ecacd4bd20c9e8e63dcf016dc2a9713da77479ad"),
        (
            .PUT, "/bucket/key?uploadId=A.b-~_&partNumber=10",
            "b8fbd7a5a2374dfda19ed502fc1169fb97e417f62532826a8e2fead0ce34b0cf"
        ),
        (
            .GET, "/bucket?prefix=a&marker=&delimiter=",
            "1ce2a24a4fd6627584159108a238801d7ddea13b4317164207681426782e0f4f"
        ),
        (
            .GET,
            "/bucket/%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%1A%1B%1C%1D%1E%1F%7F",
            "e185b0d783fc302000a89c6ea361bd5322316c53b9545b3e3f760c0bdfdde31c"
        ),
    ]

    private static let botocoreVerifier = SignatureVerifier(
        region: "eu-west-3",
        credentials: S3CredentialStore([
            S3Credential(accessKey: "rustfsadmin", secretKey: "secret/with+signs", owner: TestSigner.owner)
        ]))
    /// 2026-11-24T06:00:00Z
    private static let botocoreNow: UInt64 = 1_795_500_000_000

    @Test("Requests signed by botocore verify, whatever stands in the key", arguments: botocore)
    func signedByBotocore(_ method: HTTPMethod, _ target: String, _ signature: String) throws {
        let headers: HTTPHeaders = [
            "Host": "127.0.0.1:9000", "X-Amz-Meta-Note": "  two   spaces  and tabs ", "X-Amz-Date": "20261124T060000Z",
            "X-Amz-Content-SHA256": TestSigner.emptyHash,
            "Authorization": "AWS4-HMAC-SHA256 Credential=rustfsadmin/20261124/eu-west-3/s3/aws4_request, "
                + "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-note, Signature=\(signature)",
        ]
        let verified = try Self.botocoreVerifier.verify(
            method: method, target: S3Target(parsing: target), headers: headers, nowMilliseconds: Self.botocoreNow)
        #expect(verified.identity.accessKey == "rustfsadmin")
    }

    @Test(
        "URLs presigned by botocore verify",
        arguments: [
            (
                HTTPMethod.PUT, "/bucket/a%20key/with%20spaces%20%2Bplus%26amp%3D%3F%23%2541?",
                "d2d70ee42fe89ba5c663a8a2059fc2767a50843fd54e8d7f5644f0aa4cfbc87f"
            ),
            (
                .GET, "/bucket/%E6%97%A5%E6%9C%AC%E8%AA%9E/%D0%BA%D0%BB%D1%8E%D1%87/%F0%9F%94%91?",
                "4249ad9413422d07f02ea93a696a2c83eb6aa479219e95c38834652d4247af52"
            ),
            (
                .GET, "/bucket?list-type=2&prefix=%2B%20%C3%A9&delimiter=%2F&max-keys=7&",
                "ff92233e137fc78ce5a2dca9e7b0eb78e39cb4ed4df2e2eaf6e797a4c52798ba"
            ),
        ])
    func presignedByBotocore(_ method: HTTPMethod, _ target: String, _ signature: String) throws {
        let target = try S3Target(
            parsing: target + "X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=rustfsadmin%2F20261124%2Feu-west-3%2Fs3%2Faws4_request&X-Amz-Date=20261124T060000Z"
                + "&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=\(signature)")
        let verified = try Self.botocoreVerifier.verify(
            method: method, target: target, headers: ["Host": "127.0.0.1:9000"], nowMilliseconds: Self.botocoreNow + 3_600_000)
        #expect(verified.payloadHash == .unsigned)
    }

    @Test(
        "A client that signs an encoding of its own is accepted as long as it signs what it sends",
        arguments: ["/bucket/a%2fb", "/bucket/a%2Fb", "/bucket/(a)!*'", "/bucket/caf\u{e9}"])
    func signsWhatItSends(_ target: String) throws {
        let signer = TestSigner()
        var headers: HTTPHeaders = [
            "Host": "localhost", "x-amz-date": signer.timestamp, "x-amz-content-sha256": TestSigner.emptyHash,
        ]
        let names = ["host", "x-amz-content-sha256", "x-amz-date"]
        let canonical = CanonicalRequest(
            method: .GET, path: .asSent(Array(target.utf8)), query: S3Query(),
            headers: SignedHeaders(names: names, in: headers), payloadHash: TestSigner.emptyHash)
        let signature = hexadecimal(
            signer.key.sign(
                StringToSign.request(canonicalRequest: canonical.bytes, timestamp: signer.timestamp, scope: signer.scope)))
        headers.add(
            name: "Authorization",
            value: "AWS4-HMAC-SHA256 Credential=\(signer.accessKey)/\(signer.scope.text),"
                + "SignedHeaders=\(names.joined(separator: ";")),Signature=\(signature)")
        let verified = try TestSigner.verifier().verify(
            method: .GET, target: S3Target(parsing: target), headers: headers, nowMilliseconds: TestSigner.nowMilliseconds)
        #expect(verified.identity.accessKey == signer.accessKey)
    }

    @Test("The query is sorted by its encoded bytes, repeated names by value, and headers of one name are joined")
    func canonicalForm() throws {
        let target = try S3Target(parsing: "/b/k%2fey?b=2&a=&B=1&b=10&%C3%A9=x&a%20=1&flag")
        let canonical = CanonicalRequest(
            method: .GET, path: .encoded(target.path), query: target.query,
            headers: SignedHeaders(
                names: ["host", "x-amz-meta-a"],
                in: HTTPHeaders([("X-Amz-Meta-A", "  one \t two "), ("Host", "h"), ("x-amz-meta-a", "three"), ("x-amz-b", "")])),
            payloadHash: "UNSIGNED-PAYLOAD")
        #expect(
            String(decoding: canonical.bytes, as: UTF8.self) == """
                GET
                /b/k/ey
                %C3%A9=x&B=1&a=&a%20=1&b=10&b=2&flag=
                host:h
                x-amz-meta-a:one two,three

                host;x-amz-meta-a
                UNSIGNED-PAYLOAD
                """)
    }

    @Test("A signing key is derived once, and the cache stays within its bound")
    func cacheIsBounded() {
        let cache = SigningKeyCache(countMax: 4)
        for day in 10..<30 {
            let scope = SigningScope(accessKey: "a", date: "201305\(day)", region: "r")
            let text = Array("text".utf8)
            #expect(cache.key(for: scope, secretKey: "s").sign(text) == SigningKey(secretKey: "s", scope: scope).sign(text))
            #expect(cache.count <= 4)
        }
    }
}
