import NIOHTTP1
import S3API
import Testing

@Suite("Listings")
struct ListingTests {
    private static let namespace = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

    private func service(_ paths: [String]) async throws -> OperationsHarness {
        let service = try await OperationsHarness()
        for path in paths { try await service.send(.PUT, "/bucket/" + path, body: "hello") }
        return service
    }

    @Test("A page of the first version is what S3 writes")
    func goldenV1() async throws {
        let service = try await service(["a&b", "dir/1", "dir/2"])
        let reply = try await service.send(.GET, "/bucket?delimiter=/&max-keys=1000")
        #expect(reply.headers.first(name: "content-type") == "application/xml")
        #expect(
            reply.text == """
                <?xml version="1.0" encoding="UTF-8"?>
                <ListBucketResult \(Self.namespace)><Name>bucket</Name><Prefix></Prefix><Marker></Marker>\
                <MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>\
                <Contents><Key>a&amp;b</Key><LastModified>2026-09-21T14:13:21.123Z</LastModified>\
                <ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><Size>5</Size>\
                <Owner><ID>alice-id</ID><DisplayName>Alice</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>\
                <CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes></ListBucketResult>
                """)
    }

    @Test("A page of the second version is what S3 writes, url-encoded where asked")
    func goldenV2() async throws {
        let service = try await service(["a%20b/c+d", "%01", "z"])
        let reply = try await service.send(
            .GET, "/bucket?list-type=2&encoding-type=url&prefix=a%20b&start-after=a%20a&fetch-owner=false")
        #expect(
            reply.text == """
                <?xml version="1.0" encoding="UTF-8"?>
                <ListBucketResult \(Self.namespace)><Name>bucket</Name><Prefix>a+b</Prefix>\
                <StartAfter>a+a</StartAfter><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>\
                <IsTruncated>false</IsTruncated><Contents><Key>a+b/c%2Bd</Key>\
                <LastModified>2026-09-21T14:13:21.123Z</LastModified><ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag>\
                <Size>5</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>
                """)
        let plain = try await service.send(.GET, "/bucket?list-type=2&fetch-owner=true")
        #expect(plain.text.contains("<Key>&#x1;</Key>") && plain.text.contains("<Owner><ID>alice-id</ID>"))
    }

    @Test("Pages follow each other without gap or repetition, whatever their size", arguments: [1, 2, 3, 4, 7])
    func pages(maxKeys: Int) async throws {
        let service = try await service(["a", "b/1", "b/2", "c", "d/1", "e", "%F0%9F%98%80"])
        for version in ["", "&list-type=2"] {
            var seen: [String] = []
            var position = ""
            for _ in 0..<10 {
                let reply = try await service.send(
                    .GET, "/bucket?delimiter=/&encoding-type=url&max-keys=\(maxKeys)\(version)\(position)")
                seen += reply.text.split(separator: "<Key>").dropFirst().map { String($0.prefix { $0 != "<" }) }
                seen += reply.text.split(separator: "<CommonPrefixes><Prefix>").dropFirst().map {
                    String($0.prefix { $0 != "<" })
                }
                guard reply.element("IsTruncated") == "true" else {
                    #expect(reply.element("NextMarker") == nil && reply.element("NextContinuationToken") == nil)
                    break
                }
                position =
                    version.isEmpty
                    ? "&marker=" + (try #require(reply.element("NextMarker")))
                    : "&continuation-token=" + (try #require(reply.element("NextContinuationToken")))
            }
            #expect(seen.sorted() == ["%F0%9F%98%80", "a", "b/", "c", "d/", "e"])
        }
    }

    @Test("The first version names the next marker only with a delimiter")
    func nextMarker() async throws {
        let service = try await service(["a", "b"])
        #expect(try await service.send(.GET, "/bucket?max-keys=1").element("NextMarker") == nil)
        #expect(try await service.send(.GET, "/bucket?max-keys=1&delimiter=/").element("NextMarker") == "a")
    }

    @Test(
        "max-keys is a number, bounded and echoed as S3 does",
        arguments: [
            ("0", "0", nil), ("", "1000", nil), ("5", "5", nil), ("1000", "1000", nil), ("2000", "1000", nil),
            ("2147483647", "1000", nil), ("-1", nil, "InvalidArgument"), ("x", nil, "InvalidArgument"),
            ("2147483648", nil, "InvalidArgument"), ("1.5", nil, "InvalidArgument"), ("+5", nil, "InvalidArgument"),
        ] as [(String, String?, String?)])
    func maxKeys(value: String, echo: String?, code: String?) async throws {
        let service = try await service(["a", "b"])
        for query in ["?max-keys=", "?list-type=2&max-keys=", "?versions&max-keys=", "?uploads&max-uploads="] {
            if let code {
                #expect(try await service.refusal(.GET, "/bucket" + query + value)?.code == code)
                continue
            }
            let reply = try await service.send(.GET, "/bucket" + query + value)
            #expect(reply.element(query.contains("uploads") ? "MaxUploads" : "MaxKeys") == echo)
            #expect(reply.element("IsTruncated") == "false")
            if value == "0" { #expect(!reply.text.contains("<Contents>") && !reply.text.contains("<Version>")) }
        }
    }

    @Test(
        "Parameters that mean nothing are refused",
        arguments: [
            "?encoding-type=base64", "?list-type=2&continuation-token=garbage", "?list-type=2&encoding-type=x",
            "?versions&version-id-marker=null", "?versions&key-marker=a&version-id-marker=",
            "?versions&key-marker=a&version-id-marker=x", "?uploads&key-marker=a&upload-id-marker=x", "?prefix=%FF",
            "?delimiter=%C3", "?marker=%FF", "?list-type=2&start-after=%FF",
        ])
    func refusals(query: String) async throws {
        let service = try await service([])
        #expect(try await service.refusal(.GET, "/bucket" + query)?.code == "InvalidArgument")
    }

    @Test("An empty continuation token asks for the first page and is echoed")
    func emptyToken() async throws {
        let service = try await service(["a"])
        let reply = try await service.send(.GET, "/bucket?list-type=2&continuation-token=")
        #expect(reply.element("ContinuationToken") == "" && reply.element("Key") == "a")
    }

    @Test("Versions and delete markers are listed newest first, page by page")
    func versions() async throws {
        let service = try await service(["a"])
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        try await service.send(.PUT, "/bucket/a", body: "two")
        try await service.send(.DELETE, "/bucket/a")
        let all = try await service.send(.GET, "/bucket?versions")
        let order = all.text.split(separator: "<VersionId>").dropFirst().map { String($0.prefix { $0 != "<" }) }
        #expect(order.count == 3 && order[2] == "null")
        #expect(
            all.text.contains(
                "<DeleteMarker><Key>a</Key><VersionId>\(order[0])</VersionId><IsLatest>true</IsLatest>"
                    + "<LastModified>2026-09-21T14:13:23.123Z</LastModified>"
                    + "<Owner><ID>alice-id</ID><DisplayName>Alice</DisplayName></Owner></DeleteMarker>"))
        #expect(all.text.contains("<Version><Key>a</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>"))
        var seen: [String] = []
        var position = ""
        for _ in 0..<5 {
            let page = try await service.send(.GET, "/bucket?versions&max-keys=1" + position)
            seen.append(try #require(page.element("VersionId")))
            guard page.element("IsTruncated") == "true" else { break }
            position =
                "&key-marker=\(page.element("NextKeyMarker") ?? "")"
                + "&version-id-marker=\(page.element("NextVersionIdMarker") ?? "")"
        }
        #expect(seen == order)
    }
}
