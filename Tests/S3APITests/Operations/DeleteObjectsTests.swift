import NIOHTTP1
import S3API
import Testing

@Suite("DeleteObjects")
struct DeleteObjectsTests {
    private static func body(_ objects: [String], quiet: Bool = false) -> String {
        "<Delete>" + objects.map { "<Object>\($0)</Object>" }.joined() + (quiet ? "<Quiet>true</Quiet>" : "") + "</Delete>"
    }

    @Test("Each key has its own outcome")
    func outcomes() async throws {
        let service = try await OperationsHarness()
        for key in ["a", "b", "c", "%20x%20"] { try await service.send(.PUT, "/bucket/" + key, body: "hello") }
        let long = String(repeating: "k", count: 1025)
        let reply = try await service.send(
            .POST, "/bucket?delete", ["Content-MD5": "verified by the front"],
            body: Self.body([
                "<Key>a</Key>", "<Key>b</Key><ETag>\"00000000000000000000000000000000\"</ETag>", "<Key>gone</Key>",
                "<Key>\(long)</Key>", "<Key>c</Key><VersionId>bad</VersionId>", "<Key> x </Key><Size>5</Size>",
                "<Key>c</Key><Size>4</Size>",
            ]))
        let start = reply.text.firstRange(of: "<Deleted>")?.lowerBound
        #expect(
            String(reply.text[try #require(start)...])
                == "<Deleted><Key>a</Key></Deleted>"
                + "<Error><Key>b</Key><Code>PreconditionFailed</Code>"
                + "<Message>At least one of the pre-conditions you specified did not hold</Message></Error>"
                + "<Deleted><Key>gone</Key></Deleted>"
                + "<Error><Key>\(long)</Key><Code>KeyTooLongError</Code><Message>Your key is too long</Message></Error>"
                + "<Error><Key>c</Key><VersionId>bad</VersionId><Code>NoSuchVersion</Code>"
                + "<Message>The specified version does not exist.</Message></Error>"
                + "<Deleted><Key> x </Key></Deleted>"
                + "<Error><Key>c</Key><Code>PreconditionFailed</Code>"
                + "<Message>At least one of the pre-conditions you specified did not hold</Message></Error></DeleteResult>")
        #expect(try await service.refusal(.GET, "/bucket/a")?.code == "NoSuchKey")
        #expect(try await service.send(.GET, "/bucket/b").status == 200)
        #expect(try await service.send(.GET, "/bucket/c").status == 200)
    }

    @Test("Markers and versions are named; quiet shows failures only")
    func versions() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        try await service.send(.PUT, "/bucket/a", body: "x")
        let headers = ["x-amz-checksum-crc32": "AAAAAA=="]
        let reply = try await service.send(
            .POST, "/bucket?delete", .init(headers.map { $0 }), body: Self.body(["<Key>a</Key>"]))
        let marker = try #require(reply.element("DeleteMarkerVersionId"))
        #expect(reply.element("DeleteMarker") == "true")
        let quiet = try await service.send(
            .POST, "/bucket?delete", .init(headers.map { $0 }),
            body: Self.body(["<Key>a</Key><VersionId>\(marker)</VersionId>"], quiet: true))
        #expect(quiet.text.hasSuffix("/2006-03-01/\"></DeleteResult>"))
        #expect(try await service.send(.GET, "/bucket/a").text == "x")
    }

    @Test(
        "A list that is none is refused and deletes nothing",
        arguments: [
            "", "<Delete/>", "<Delete><Object/></Delete>", "<Delete><Object><Key></Key></Object></Delete>", "<Remove/>",
            "<Delete><Object><Key>a</Key></Object><Quiet>maybe</Quiet></Delete>", "<Delete><Object><Key>a</Key>",
            "<Delete><Object><Key>a</Key><Size>x</Size></Object></Delete>",
            "<Delete><Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object></Delete>",
            "<!DOCTYPE x><Delete><Object><Key>a</Key></Object></Delete>",
            body([String](repeating: "<Key>a</Key>", count: 1001)),
            body(["<Key>a</Key>" + String(repeating: " ", count: 1 << 20)]),
        ])
    func malformed(body: String) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/a", body: "x")
        let error = try await service.refusal(.POST, "/bucket?delete", ["Content-MD5": "verified"], body: body)
        #expect(error?.code == "MalformedXML")
        #expect(try await service.send(.GET, "/bucket/a").text == "x")
    }

    @Test("A thousand keys are deleted; a list without digest, and another's bucket, are refused whole")
    func bounds() async throws {
        let service = try await OperationsHarness()
        let body = Self.body((0..<1000).map { "<Key>k\($0)</Key>" })
        let reply = try await service.send(.POST, "/bucket?delete", ["Content-MD5": "verified"], body: body)
        #expect(reply.text.contains("<Key>k999</Key>"))
        let missing = try #require(try await service.refusal(.POST, "/bucket?delete", body: body))
        #expect(missing.code == "InvalidRequest" && missing.message == "Missing required header for this request: Content-MD5")
        for (bucket, code) in [("missing", "NoSuchBucket"), ("bucket", "AccessDenied")] {
            let error = try await service.refusal(
                .POST, "/\(bucket)?delete", ["Content-MD5": "verified"], body: body, as: OperationsHarness.bob)
            #expect(error?.code == code)
        }
    }
}
