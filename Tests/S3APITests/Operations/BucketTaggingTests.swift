import NIOHTTP1
import S3API
import Testing

@Suite("Bucket tagging")
struct BucketTaggingTests {
    @Test("Tags are put, read, replaced and removed")
    func life() async throws {
        let service = try await OperationsHarness()
        let none = try await service.refusal(.GET, "/bucket?tagging")
        #expect(none?.code == "NoSuchTagSet" && none?.status == .notFound)
        #expect(none?.details == [S3Error.Detail("BucketName", "bucket")])
        for tags in [[("a", "1"), ("ü", "")], [("c", "3")]] {
            let put = try await service.send(.PUT, "/bucket?tagging", body: ObjectTaggingTests.document(tags))
            #expect(put.status == 204 && put.body.isEmpty)
            let expected = tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }.joined()
            #expect(try await service.send(.GET, "/bucket?tagging").element("TagSet") == expected)
        }
        for _ in 0..<2 {
            #expect(try await service.send(.DELETE, "/bucket?tagging").status == 204)
            #expect(try await service.refusal(.GET, "/bucket?tagging")?.code == "NoSuchTagSet")
        }
        try await service.send(.PUT, "/bucket?tagging", body: ObjectTaggingTests.document([("a", "1")]))
        try await service.send(.PUT, "/bucket?tagging", body: ObjectTaggingTests.document([]))
        #expect(try await service.refusal(.GET, "/bucket?tagging")?.code == "NoSuchTagSet")
    }

    @Test("A bucket has up to 50 tags, of which none is the system's")
    func limits() async throws {
        let service = try await OperationsHarness()
        let long = (10..<60).map { ("\($0)" + String(repeating: "語", count: 126), String(repeating: "語", count: 256)) }
        #expect(try await service.send(.PUT, "/bucket?tagging", body: ObjectTaggingTests.document(long)).status == 204)
        let refused = [(0...50).map { ("\($0)", "") }, [("aws:x", "")], [("", "")], [("a", ""), ("a", "")]]
        for tags in refused {
            let error = try await service.refusal(.PUT, "/bucket?tagging", body: ObjectTaggingTests.document(tags))
            #expect(error?.code == "InvalidTag")
        }
        #expect(try await service.refusal(.PUT, "/bucket?tagging", body: "<Tagging/>")?.code == "MalformedXML")
        #expect(try await service.refusal(.PUT, "/bucket?tagging")?.code == "MalformedXML")
        #expect(try await service.send(.GET, "/bucket?tagging").text.contains("<Key>59語"))
    }

    @Test("Another's bucket and a missing one have none to be seen or set", arguments: [HTTPMethod.GET, .PUT, .DELETE])
    func others(method: HTTPMethod) async throws {
        let service = try await OperationsHarness()
        let body = method == .PUT ? ObjectTaggingTests.document([("a", "1")]) : ""
        #expect(
            try await service.refusal(method, "/bucket?tagging", body: body, as: OperationsHarness.bob)?.code == "AccessDenied")
        #expect(try await service.refusal(method, "/missing?tagging", body: body)?.code == "NoSuchBucket")
    }
}
