import Metadata
import NIOHTTP1
import S3API
import Testing

@Suite("Multipart uploads")
struct MultipartTests {
    private func start(_ service: OperationsHarness, _ headers: HTTPHeaders = [:]) async throws -> String {
        let reply = try await service.send(.POST, "/bucket/key?uploads", headers)
        #expect(reply.element("Bucket") == "bucket" && reply.element("Key") == "key")
        return try #require(reply.element("UploadId"))
    }

    private static func completion(_ parts: [(Int, String)]) -> String {
        "<CompleteMultipartUpload>"
            + parts.map { "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>" }.joined()
            + "</CompleteMultipartUpload>"
    }

    @Test("Parts become an object that is read whole, by range and by part")
    func life() async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service, ["Content-Type": "a/b", "x-amz-meta-a": "1"])
        let first = [UInt8](repeating: 1, count: 5 << 20)
        let target = "/bucket/key?uploadId=\(upload)"
        let one = try await service.send(
            .PUT, target + "&partNumber=1", body: .streamed(PieceStream(first, pieceByteCount: 100_000)))
        let two = try await service.send(.PUT, target + "&partNumber=3", body: "tail")
        let tags = [one, two].map { $0.headers.first(name: "etag") ?? "" }

        let parts = try await service.send(.GET, target)
        #expect(parts.element("NextPartNumberMarker") == "3" && parts.element("IsTruncated") == "false")
        #expect(parts.text.contains("<Part><PartNumber>1</PartNumber>") && parts.text.contains("<Size>5242880</Size>"))
        let page = try await service.send(.GET, target + "&max-parts=1")
        #expect(page.element("NextPartNumberMarker") == "1" && page.element("IsTruncated") == "true")
        let rest = try await service.send(.GET, target + "&part-number-marker=1")
        #expect(rest.element("PartNumber") == "3" && rest.element("PartNumberMarker") == "1")

        let reply = try await service.send(
            .POST, target, ["Host": "example:9000"], body: Self.completion([(1, tags[0]), (3, tags[1])]))
        #expect(reply.element("Location") == "http://example:9000/bucket/key")
        #expect(reply.element("ETag")?.hasSuffix("-2&quot;") == true)
        let got = try await service.send(.GET, "/bucket/key")
        #expect(got.body == first + Array("tail".utf8) && got.headers.first(name: "x-amz-meta-a") == "1")
        let part = try await service.send(.GET, "/bucket/key?partNumber=3")
        #expect(part.status == 206 && part.text == "tail")
        #expect(part.headers.first(name: "x-amz-mp-parts-count") == "2")
        #expect(part.headers.first(name: "content-range") == "bytes 5242880-5242883/5242884")
        #expect(try await service.refusal(.GET, "/bucket/key?partNumber=2")?.code == "InvalidPartNumber")
        #expect(try await service.refusal(.GET, target)?.code == "NoSuchUpload")
    }

    @Test("A copy of a multipart object is a single part with the MD5 of its bytes")
    func copy() async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service)
        let tag = try await service.send(.PUT, "/bucket/key?partNumber=1&uploadId=\(upload)", body: "hello").headers
            .first(name: "etag")
        try await service.send(.POST, "/bucket/key?uploadId=\(upload)", body: Self.completion([(1, tag ?? "")]))
        try await service.send(.PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/key"])
        let copy = try await service.send(.GET, "/bucket/copy")
        #expect(copy.text == "hello" && copy.headers.first(name: "etag") == "\"5d41402abc4b2a76b9719d911017c592\"")
    }

    @Test("An aborted upload is gone with its bodies")
    func abort() async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service)
        let target = "/bucket/key?uploadId=\(upload)"
        let bytes = [UInt8](repeating: 1, count: 200_000)
        try await service.send(.PUT, target + "&partNumber=1", body: .streamed(PieceStream(bytes, pieceByteCount: 9_999)))
        #expect(service.engine.bodyCount == 1)
        #expect(try await service.send(.DELETE, target).status == 204)
        #expect(service.engine.bodyCount == 0)
        for method in [HTTPMethod.DELETE, .GET] {
            #expect(try await service.refusal(method, target)?.code == "NoSuchUpload")
        }
        #expect(try await service.refusal(.PUT, target + "&partNumber=1", body: "x")?.code == "NoSuchUpload")
    }

    @Test(
        "An upload id that is none, or another key's, names no upload",
        arguments: ["", "x", "mpu-", "mpu-AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"])
    func garbage(text: String) async throws {
        let service = try await OperationsHarness()
        for (method, query) in [(HTTPMethod.PUT, "&partNumber=1"), (.DELETE, ""), (.GET, ""), (.POST, "")] {
            let error = try await service.refusal(
                method, "/bucket/key?uploadId=\(text)\(query)", body: method == .POST ? Self.completion([(1, "x")]) : "")
            #expect(error?.code == "NoSuchUpload" && error?.status == .notFound)
        }
    }

    @Test("A part's number is 1 to 10,000", arguments: ["0", "10001", "-1", "x", "", "1.0", "99999999999"])
    func numbers(text: String) async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service)
        let error = try await service.refusal(.PUT, "/bucket/key?partNumber=\(text)&uploadId=\(upload)", body: "x")
        #expect(error?.code == "InvalidArgument")
    }

    @Test(
        "A completion that is none is refused, and the upload stays",
        arguments: [
            ("", "MalformedXML"), ("<CompleteMultipartUpload/>", "MalformedXML"), ("<Other/>", "MalformedXML"),
            ("<CompleteMultipartUpload><Part/></CompleteMultipartUpload>", "MalformedXML"),
            ("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>", "MalformedXML"),
            (completion([(0, "x")]), "InvalidArgument"), (completion([(10_001, "x")]), "InvalidArgument"),
            (completion((1...10_001).map { ($0, "x") }), "MalformedXML"), (completion([(1, "x")]), "InvalidPart"),
            (completion([(2, "\"5d41402abc4b2a76b9719d911017c592\"")]), "InvalidPart"),
            (
                completion([
                    (1, "\"5d41402abc4b2a76b9719d911017c592\""), (1, "\"5d41402abc4b2a76b9719d911017c592\""),
                ]), "EntityTooSmall"
            ),
        ])
    func completions(body: String, code: String) async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service)
        let target = "/bucket/key?uploadId=\(upload)"
        try await service.send(.PUT, target + "&partNumber=1", body: "hello")
        #expect(try await service.refusal(.POST, target, body: body)?.code == code)
        #expect(try await service.send(.GET, target).status == 200)
    }

    @Test(
        "Headers of a completion are checked",
        arguments: [
            ("x-amz-mp-object-size", "5", nil), ("x-amz-mp-object-size", "6", "InvalidRequest"),
            ("x-amz-mp-object-size", "x", "InvalidRequest"), ("If-None-Match", "*", "PreconditionFailed"),
            ("If-Match", "*", nil), ("x-amz-checksum-crc32", "x", "InvalidRequest"),
            ("x-amz-checksum-type", "FULL_OBJECT", "InvalidRequest"), ("x-amz-checksum-type", "COMPOSITE", nil),
            ("x-amz-checksum-type", "x", "InvalidRequest"),
        ] as [(String, String, String?)])
    func headers(name: String, value: String, code: String?) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "before")
        let upload = try await start(service, ["x-amz-checksum-algorithm": "SHA256"])
        let target = "/bucket/key?uploadId=\(upload)"
        let part = try await service.send(.PUT, target + "&partNumber=1", body: "hello")
        // The upload's algorithm is computed where the client sends no value.
        #expect(part.headers.first(name: "x-amz-checksum-sha256") == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
        let tag = part.headers.first(name: "etag") ?? ""
        #expect(try await service.refusal(.POST, target, [name: value], body: Self.completion([(1, tag)]))?.code == code)
    }

    @Test(
        "A checksum type is one that the algorithm has",
        arguments: [
            ("CRC32", nil, "COMPOSITE"), ("CRC32", "FULL_OBJECT", "FULL_OBJECT"), ("crc32c", nil, "COMPOSITE"),
            ("CRC64NVME", nil, "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE", nil), ("SHA1", nil, "COMPOSITE"),
            ("SHA256", "FULL_OBJECT", nil), ("SHA256", "COMPOSITE", "COMPOSITE"), ("MD5", nil, nil), (nil, "COMPOSITE", nil),
            ("CRC32", "WHOLE", nil),
        ] as [(String?, String?, String?)])
    func checksumTypes(algorithm: String?, type: String?, expected: String?) async throws {
        let service = try await OperationsHarness()
        var headers = HTTPHeaders()
        if let algorithm { headers.add(name: "x-amz-checksum-algorithm", value: algorithm) }
        if let type { headers.add(name: "x-amz-checksum-type", value: type) }
        if let expected {
            let reply = try await service.send(.POST, "/bucket/key?uploads", headers)
            #expect(reply.headers.first(name: "x-amz-checksum-type") == expected)
            #expect(reply.headers.first(name: "x-amz-checksum-algorithm") == algorithm?.uppercased())
        } else {
            #expect(try await service.refusal(.POST, "/bucket/key?uploads", headers)?.code == "InvalidRequest")
        }
    }

    @Test("A part with another checksum than the upload's is refused")
    func mismatch() async throws {
        let service = try await OperationsHarness()
        let upload = try await start(service, ["x-amz-checksum-algorithm": "CRC32"])
        let error = try await service.refusal(
            .PUT, "/bucket/key?partNumber=1&uploadId=\(upload)", ["x-amz-checksum-sha256": "x"], body: "hello")
        #expect(error?.code == "InvalidRequest")
        #expect(
            error?.message == "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: sha256")
    }

    @Test("Uploads in progress are listed in order, page by page, with what they were started with")
    func listing() async throws {
        let service = try await OperationsHarness()
        var started: [String] = []
        for path in ["b", "a", "b"] {
            let headers: HTTPHeaders = ["x-amz-storage-class": "ONEZONE_IA", "x-amz-checksum-algorithm": "CRC64NVME"]
            let reply = try await service.send(.POST, "/bucket/\(path)?uploads", headers)
            started.append(try #require(reply.element("UploadId")))
        }
        var seen: [String] = []
        var position = ""
        for _ in 0..<5 {
            let page = try await service.send(.GET, "/bucket?uploads&max-uploads=1" + position)
            #expect(page.element("StorageClass") == "ONEZONE_IA" && page.element("ChecksumType") == "FULL_OBJECT")
            seen.append(try #require(page.element("UploadId")))
            guard page.element("IsTruncated") == "true" else { break }
            position =
                "&key-marker=\(page.element("NextKeyMarker") ?? "")"
                + "&upload-id-marker=\(page.element("NextUploadIdMarker") ?? "")"
        }
        #expect(seen == [started[1], started[0], started[2]])
    }
}
