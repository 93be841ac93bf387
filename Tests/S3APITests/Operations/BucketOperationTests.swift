import NIOHTTP1
import S3API
import Testing

@Suite("Operations on buckets")
struct BucketOperationTests {
    @Test("A bucket is made, found, located, listed and deleted")
    func life() async throws {
        let service = try await OperationsHarness()
        let created = try await service.send(.PUT, "/fresh")
        #expect(created.status == 200)
        #expect(created.headers.first(name: "location") == "/fresh")
        let head = try await service.send(.HEAD, "/fresh")
        #expect(head.headers.first(name: "x-amz-bucket-region") == "us-east-1")
        #expect(
            try await service.send(.GET, "/fresh?location").text
                == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                + "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>")
        let list = try await service.send(.GET, "/")
        #expect(list.text.contains("<Owner><ID>alice-id</ID><DisplayName>Alice</DisplayName></Owner><Buckets><Bucket>"))
        #expect(list.text.contains("<Name>bucket</Name>") && list.text.contains("<Name>fresh</Name>"))
        #expect(try await service.send(.DELETE, "/fresh").status == 204)
        #expect(try await service.refusal(.HEAD, "/fresh")?.code == "NoSuchBucket")
    }

    @Test(
        "Making a bucket again answers as the region's S3 does, somebody else's is taken",
        arguments: [("us-east-1", nil), ("eu-west-1", "BucketAlreadyOwnedByYou")] as [(String, String?)])
    func again(region: String, code: String?) async throws {
        let service = try await OperationsHarness(region: region)
        #expect(try await service.refusal(.PUT, "/bucket")?.code == code)
        let taken = try #require(try await service.refusal(.PUT, "/bucket", as: OperationsHarness.bob))
        #expect(taken.code == "BucketAlreadyExists" && taken.status == .conflict)
    }

    @Test(
        "A location constraint is the service's own region or refused",
        arguments: [
            ("", nil), ("<LocationConstraint/>", nil), ("<LocationConstraint>us-east-1</LocationConstraint>", nil),
            ("<LocationConstraint>eu-west-1</LocationConstraint>", nil),
            ("<LocationConstraint>mars</LocationConstraint>", "InvalidLocationConstraint"),
            ("<Tags><Tag/></Tags>", "NotImplemented"), ("<LocationConstraint>", "MalformedXML"),
        ] as [(String, String?)])
    func constraint(content: String, code: String?) async throws {
        let service = try await OperationsHarness(region: "eu-west-1")
        let body = "<CreateBucketConfiguration>\(content)</CreateBucketConfiguration>"
        #expect(try await service.refusal(.PUT, "/fresh", body: body)?.code == code)
        if code == nil {
            #expect(try await service.send(.GET, "/fresh?location").text.contains(">eu-west-1<"))
        }
    }

    @Test("Another's bucket and a name that is none are refused by every operation on buckets")
    func refusals() async throws {
        let service = try await OperationsHarness()
        for (method, query) in [
            ("HEAD", ""), ("DELETE", ""), ("GET", "?location"), ("GET", "?versioning"), ("GET", ""), ("GET", "?list-type=2"),
            ("GET", "?versions"), ("GET", "?uploads"),
        ] {
            let send = { (bucket: String, identity: S3Identity) async throws -> String? in
                try await service.refusal(.init(rawValue: method), "/\(bucket)\(query)", as: identity)?.code
            }
            #expect(try await send("bucket", OperationsHarness.bob) == "AccessDenied")
            #expect(try await send("missing", OperationsHarness.alice) == "NoSuchBucket")
            #expect(try await send("No_Bucket", OperationsHarness.alice) == "InvalidBucketName")
        }
        #expect(try await service.send(.GET, "/", as: OperationsHarness.bob).text.contains("<Buckets></Buckets>"))
    }

    @Test("Buckets are listed by pages, by prefix, and by region")
    func paging() async throws {
        let service = try await OperationsHarness()
        for name in ["page-1", "page-2", "page-3"] { try await service.send(.PUT, "/" + name) }
        let first = try await service.send(.GET, "/?prefix=page&max-buckets=2")
        #expect(first.text.contains("<Name>page-2</Name>") && !first.text.contains("<Name>page-3</Name>"))
        let token = try #require(first.element("ContinuationToken"))
        let second = try await service.send(.GET, "/?prefix=page&max-buckets=2&continuation-token=" + token)
        #expect(second.text.contains("<Name>page-3</Name>") && !second.text.contains("<Name>page-2</Name>"))
        #expect(second.element("ContinuationToken") == nil)
        #expect(try await service.send(.GET, "/?bucket-region=mars").text.contains("<Buckets></Buckets>"))
        #expect(try await service.refusal(.GET, "/?max-buckets=0")?.code == "InvalidArgument")
        #expect(try await service.refusal(.GET, "/?continuation-token=garbage")?.code == "InvalidArgument")
    }

    @Test("Versioning is set and shown")
    func versioning() async throws {
        let service = try await OperationsHarness()
        #expect(try await service.send(.GET, "/bucket?versioning").element("Status") == nil)
        for status in ["Enabled", "Suspended"] {
            let body = "<VersioningConfiguration><Status>\(status)</Status></VersioningConfiguration>"
            try await service.send(.PUT, "/bucket?versioning", body: body)
            #expect(try await service.send(.GET, "/bucket?versioning").element("Status") == status)
        }
    }

    @Test(
        "A versioning document that is none is refused",
        arguments: [
            ("", "MalformedXML"), ("<VersioningConfiguration/>", "IllegalVersioningConfigurationException"),
            ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML"),
            ("<Other><Status>Enabled</Status></Other>", "MalformedXML"),
            (
                "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>",
                "NotImplemented"
            ),
        ])
    func brokenVersioning(body: String, code: String) async throws {
        let service = try await OperationsHarness()
        #expect(try await service.refusal(.PUT, "/bucket?versioning", body: body)?.code == code)
        #expect(try await service.send(.GET, "/bucket?versioning").element("Status") == nil)
    }

    @Test("A bucket that holds something stays")
    func notEmpty() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "x")
        let error = try #require(try await service.refusal(.DELETE, "/bucket"))
        #expect(error.code == "BucketNotEmpty" && error.status == .conflict)
    }
}
