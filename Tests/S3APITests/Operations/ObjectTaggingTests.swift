import Metadata
import NIOHTTP1
import S3API
import Synchronization
import Testing

@Suite("Object tagging")
struct ObjectTaggingTests {
    static func document(_ tags: [(String, String)]) -> String {
        "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>"
            + tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }.joined() + "</TagSet></Tagging>"
    }

    private func service(_ headers: HTTPHeaders = [:]) async throws -> OperationsHarness {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", headers, body: "body")
        return service
    }

    private func tags(_ service: OperationsHarness, _ target: String = "/bucket/key?tagging") async throws -> String? {
        try await service.send(.GET, target).element("TagSet")
    }

    @Test("Tags are put, read and removed, and nothing else of the object changes")
    func life() async throws {
        let service = try await service()
        let before = try await service.send(.GET, "/bucket/key")
        #expect(try await tags(service) == "" && !before.headers.contains(name: "x-amz-tagging-count"))
        let put = try await service.send(.PUT, "/bucket/key?tagging", body: Self.document([("a", "1"), (" b:/@ ", "")]))
        #expect(put.status == 200 && put.body.isEmpty && !put.headers.contains(name: "x-amz-version-id"))
        #expect(
            try await tags(service)
                == "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key> b:/@ </Key><Value></Value></Tag>")
        for method in [HTTPMethod.GET, .HEAD] {
            var headers = try await service.send(method, "/bucket/key").headers
            #expect(headers.first(name: "x-amz-tagging-count") == "2")
            headers.remove(name: "x-amz-tagging-count")
            headers.remove(name: "content-length")
            #expect(Array(headers).map(\.0) == Array(before.headers).map(\.0))
            #expect(Array(headers).map(\.1) == Array(before.headers).map(\.1))
        }
        try await service.send(.PUT, "/bucket/key?tagging", body: Self.document([("c", "3")]))
        #expect(try await tags(service) == "<Tag><Key>c</Key><Value>3</Value></Tag>")
        for _ in 0..<2 {
            #expect(try await service.send(.DELETE, "/bucket/key?tagging").status == 204)
            #expect(try await tags(service) == "")
        }
        try await service.send(.PUT, "/bucket/key?tagging", body: Self.document([("c", "3")]))
        try await service.send(.PUT, "/bucket/key?tagging", body: Self.document([]))
        #expect(try await tags(service) == "")
        try await service.send(.PUT, "/bucket/key?tagging", body: Self.document([("c", "3")]))
        try await service.send(.PUT, "/bucket/key", body: "another")
        #expect(try await tags(service) == "")
    }

    @Test("Each version has its own tags")
    func versions() async throws {
        let service = try await service()
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        let newest = try await service.send(.PUT, "/bucket/key", ["x-amz-tagging": "n=1"], body: "newest")
        let id = try #require(newest.headers.first(name: "x-amz-version-id"))
        let put = try await service.send(
            .PUT, "/bucket/key?tagging&versionId=null", body: Self.document([("old", "")]))
        #expect(put.headers.first(name: "x-amz-version-id") == "null")
        #expect(try await tags(service) == "<Tag><Key>n</Key><Value>1</Value></Tag>")
        let old = try await service.send(.GET, "/bucket/key?tagging&versionId=null")
        #expect(old.element("Key") == "old" && old.headers.first(name: "x-amz-version-id") == "null")
        let removed = try await service.send(.DELETE, "/bucket/key?tagging")
        #expect(removed.headers.first(name: "x-amz-version-id") == id)
        let deletion = try await service.send(.DELETE, "/bucket/key")
        let marker = try #require(deletion.headers.first(name: "x-amz-version-id"))
        for method in [HTTPMethod.GET, .PUT, .DELETE] {
            let body = method == .PUT ? Self.document([("a", "")]) : ""
            let hidden = try await service.refusal(method, "/bucket/key?tagging", body: body)
            #expect(hidden?.code == "NoSuchKey")
            let named = try await service.refusal(method, "/bucket/key?tagging&versionId=" + marker, body: body)
            #expect(named?.code == "MethodNotAllowed")
            let strange = try await service.refusal(
                method, "/bucket/key?tagging&versionId=AAAAAAAAAAAAAAAA", body: body)
            #expect(strange?.code == "NoSuchVersion")
            #expect(try await service.refusal(method, "/bucket/none?tagging", body: body)?.code == "NoSuchKey")
            #expect(try await service.refusal(method, "/missing/key?tagging", body: body)?.code == "NoSuchBucket")
            let stranger = try await service.refusal(
                method, "/bucket/key?tagging", body: body, as: OperationsHarness.bob)
            #expect(stranger?.code == "AccessDenied")
        }
    }

    // MARK: What a tag may be

    private static let longest = String(repeating: "é", count: 127) + "k"

    @Test(
        "Tags of every shape that S3 takes",
        arguments: [
            [(longest, String(repeating: "v", count: 256))], [("日本", "語 1")], [("a.b:c/d=e+f-g@h_i", " . ")],
            [("A", ""), ("a", "")], [("AWS", "aws:x"), ("xaws:", "")], [("x", "½ Ⅷ ٣")],
            (0..<10).map { ("\($0)", "") },
        ])
    func taken(tags: [(String, String)]) async throws {
        let service = try await service()
        try await service.send(.PUT, "/bucket/key?tagging", body: Self.document(tags))
        let expected = tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }.joined()
        #expect(Array((try await self.tags(service) ?? "").utf8) == Array(expected.utf8))
        let header = tags.map { "\(PathEscape.encode(Array($0.0.utf8)))=\(PathEscape.encode(Array($0.1.utf8)))" }
        try await service.send(.PUT, "/bucket/other", ["x-amz-tagging": header.joined(separator: "&")], body: "x")
        #expect(Array((try await self.tags(service, "/bucket/other?tagging") ?? "").utf8) == Array(expected.utf8))
    }

    @Test(
        "Tags that cannot be are refused, in a document as in a header",
        arguments: [
            [("", "v")], [(longest + "k", "")], [("k", String(repeating: "v", count: 257))],
            [("k", String(repeating: "\u{20000}", count: 129))], [("aws:k", "")], [("Aws:k", "")], [("k;", "")], [("k", "a,b")],
            [("k", "#")], [("k&amp;", "")], [("e\u{301}", "")], [("k\u{7f}", "")], [("😀", "")], [("k", "a\tb")],
            (0...10).map { ("\($0)", "") },
        ])
    func refused(tags: [(String, String)]) async throws {
        let service = try await service(["x-amz-tagging": "before=1"])
        let error = try await service.refusal(.PUT, "/bucket/key?tagging", body: Self.document(tags))
        #expect(error?.code == "InvalidTag" && error?.status == .badRequest)
        let header = tags.map { "\(PathEscape.encode(Array($0.0.utf8)))=\(PathEscape.encode(Array($0.1.utf8)))" }
        for (method, target) in [(HTTPMethod.PUT, "/bucket/key"), (.POST, "/bucket/key?uploads")] {
            let error = try await service.refusal(
                method, target, ["x-amz-tagging": header.joined(separator: "&")], body: "x")
            #expect(error?.code == "InvalidTag")
        }
        #expect(try await self.tags(service) == "<Tag><Key>before</Key><Value>1</Value></Tag>")
    }

    @Test("A key twice is no set, and a header with one is not encoded as it must be")
    func duplicates() async throws {
        let service = try await service()
        let error = try await service.refusal(
            .PUT, "/bucket/key?tagging", body: Self.document([("a", "1"), ("b", ""), ("a", "2")]))
        #expect(error?.code == "InvalidTag" && error?.details == [S3Error.Detail("TagKey", "a")])
        for header in ["a=1&a=2", "a&a", "%", "a=%zz", "a=%ff", "%41=1&A=2"] {
            let error = try await service.refusal(.PUT, "/bucket/key", ["x-amz-tagging": header], body: "x")
            #expect(error?.code == "InvalidArgument", "\(header)")
        }
    }

    @Test(
        "A header is read as a form",
        arguments: [
            ("", ""), ("a=1", "a=1;"), ("a=1&b=2", "a=1;b=2;"), ("a", "a=;"), ("a=", "a=;"), ("a=1=2", "a=1=2;"),
            ("a+b=c+d", "a b=c d;"), ("a%20b=%2B", "a b=+;"), ("&a=1&&b=2&", "a=1;b=2;"), ("%C3%A9=%C3%A9", "é=é;"),
        ])
    func form(header: String, expected: String) async throws {
        let tags = try TagSet(header: header).tags
        #expect(tags.map { "\($0.key)=\($0.value);" }.joined() == expected)
    }

    @Test(
        "A document that is none is refused",
        arguments: [
            "", "<Tagging/>", "<Other><TagSet/></Other>", "<Tagging><TagSet/><TagSet/></Tagging>", "<TagSet/>",
            "<Tagging><TagSet><Tag/></TagSet></Tagging>", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>", "<Tagging><TagSet>",
            "<Tagging><TagSet><Label><Key>a</Key><Value/></Label></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key><Value><Key/></Value></Tag></TagSet></Tagging>",
        ])
    func malformed(document: String) async throws {
        let service = try await service()
        #expect(try await service.refusal(.PUT, "/bucket/key?tagging", body: document)?.code == "MalformedXML")
    }

    // MARK: Where else tags come from

    @Test(
        "A copy has the source's tags, or the request's",
        arguments: [
            (nil, nil, "a"), ("COPY", "c=1", "a"), (nil, "c=1", "a"), ("REPLACE", "c=1", "c"), ("REPLACE", nil, ""),
        ] as [(String?, String?, String)])
    func copies(directive: String?, header: String?, expected: String) async throws {
        let service = try await service(["x-amz-tagging": "a=1", "x-amz-meta-m": "1"])
        for metadata in ["COPY", "REPLACE"] {
            var headers: HTTPHeaders = ["x-amz-copy-source": "/bucket/key", "x-amz-metadata-directive": metadata]
            if let directive { headers.add(name: "x-amz-tagging-directive", value: directive) }
            if let header { headers.add(name: "x-amz-tagging", value: header) }
            try await service.send(.PUT, "/bucket/copy", headers)
            let copy = try await service.send(.GET, "/bucket/copy?tagging")
            #expect((copy.element("Key") ?? "") == expected)
            #expect(
                try await service.send(.HEAD, "/bucket/copy").headers.contains(name: "x-amz-meta-m") == (metadata == "COPY"))
        }
    }

    @Test("A copy onto itself keeps the tags unless it replaces them, and does not move a byte")
    func selfCopies() async throws {
        let service = try await service(["x-amz-tagging": "a=1"])
        var headers: HTTPHeaders = ["x-amz-copy-source": "/bucket/key", "x-amz-metadata-directive": "REPLACE"]
        try await service.send(.PUT, "/bucket/key", headers)
        #expect(try await service.send(.GET, "/bucket/key?tagging").element("Key") == "a")
        headers.add(name: "x-amz-tagging-directive", value: "REPLACE")
        headers.add(name: "x-amz-tagging", value: "b=1")
        try await service.send(.PUT, "/bucket/key", headers)
        #expect(try await service.send(.GET, "/bucket/key?tagging").element("Key") == "b")
        #expect(service.engine.state.withLock { $0.updatesInPlace } == 2)
        headers.remove(name: "x-amz-metadata-directive")
        #expect(try await service.refusal(.PUT, "/bucket/key", headers)?.code == "InvalidRequest")
    }

    @Test("An upload's tags are the object's once it is completed")
    func uploads() async throws {
        let service = try await OperationsHarness()
        let started = try await service.send(.POST, "/bucket/key?uploads", ["x-amz-tagging": "a=1&b=2"])
        let upload = try #require(started.element("UploadId"))
        let part = try await service.send(.PUT, "/bucket/key?uploadId=\(upload)&partNumber=1", body: "x")
        let tag = part.headers.first(name: "etag") ?? ""
        try await service.send(
            .POST, "/bucket/key?uploadId=\(upload)",
            body:
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(tag)</ETag></Part></CompleteMultipartUpload>")
        #expect(try await service.send(.HEAD, "/bucket/key").headers.first(name: "x-amz-tagging-count") == "2")
        #expect(try await tags(service)?.contains("<Key>b</Key><Value>2</Value>") == true)
    }
}
