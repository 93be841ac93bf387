import Metadata
import NIOHTTP1
import S3API
import Testing

@Suite("GetObjectAttributes")
struct GetObjectAttributesTests {
    private static let all = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"
    private static let target = "/bucket/key?attributes"

    /// `/bucket/key` of the parts 1, 3 and 4, with SHA-256 if asked for.
    private func multipart(_ checksum: HTTPHeaders) async throws -> OperationsHarness {
        let service = try await OperationsHarness()
        let upload = try #require(try await service.send(.POST, "/bucket/key?uploads", checksum).element("UploadId"))
        var parts = ""
        for (number, byteCount) in [(1, 5 << 20), (3, 5 << 20), (4, 5)] {
            let bytes = [UInt8](repeating: UInt8(number), count: byteCount)
            let part = try await service.send(
                .PUT, "/bucket/key?uploadId=\(upload)&partNumber=\(number)", body: OperationsHarness.collected(bytes))
            let tag = part.headers.first(name: "etag") ?? ""
            parts += "<Part><PartNumber>\(number)</PartNumber><ETag>\(tag)</ETag></Part>"
        }
        try await service.send(
            .POST, "/bucket/key?uploadId=\(upload)", body: "<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>")
        return service
    }

    @Test(
        "What is asked for is answered, and nothing else",
        arguments: [
            (["ETag"], ["ETag"]), (["ObjectSize"], ["ObjectSize"]),
            (["StorageClass, ObjectSize"], ["StorageClass", "ObjectSize"]),
            (["Checksum", "ETag"], ["ETag", "Checksum"]), (["ObjectParts"], []),
            ([all], ["ETag", "Checksum", "StorageClass", "ObjectSize"]),
            (["ETag,ETag,"], ["ETag"]),
        ] as [([String], [String])])
    func names(values: [String], expected: [String]) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/source", body: "123456789")
        try await service.send(
            .PUT, "/bucket/key", ["x-amz-copy-source": "/bucket/source", "x-amz-checksum-algorithm": "CRC32C"])
        let reply = try await service.send(
            .GET, Self.target, HTTPHeaders(values.map { ("x-amz-object-attributes", $0) }))
        #expect(reply.status == 200 && reply.headers.contains(name: "last-modified"))
        #expect(!reply.headers.contains(name: "x-amz-version-id"))
        let values = [
            "ETag": "25f9e794323b453885f5181f1b624d0b", "StorageClass": "STANDARD", "ObjectSize": "9",
            "Checksum": "<ChecksumCRC32C>4waSgw==</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>",
        ]
        for name in ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"] {
            #expect(reply.element(name) == (expected.contains(name) ? values[name] : nil), "\(name)")
        }
    }

    @Test(
        "An attribute that is none, or no attribute, is refused",
        arguments: [["etag"], ["ETag,Owner"], [""], [",", " "], []])
    func unknown(values: [String]) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "x")
        let error = try await service.refusal(
            .GET, Self.target, HTTPHeaders(values.map { ("x-amz-object-attributes", $0) }))
        #expect(error?.code == "InvalidArgument" && error?.message == "Invalid attribute name specified.")
    }

    @Test(
        "Parts with checksums are shown page by page",
        arguments: [
            (nil, nil, [1, 3, 4], 4, false), ("2", nil, [1, 3], 3, true), ("2", "1", [3, 4], 4, false),
            ("1", "3", [4], 4, false),
            ("5", "4", [], 0, false), ("0", nil, [], 0, false), ("99999", "0", [1, 3, 4], 4, false),
            (nil, "2147483647", [], 0, false),
        ] as [(String?, String?, [Int], Int, Bool)])
    func pages(maxParts: String?, marker: String?, expected: [Int], next: Int, isTruncated: Bool) async throws {
        let service = try await multipart(["x-amz-checksum-algorithm": "SHA256"])
        var headers: HTTPHeaders = ["x-amz-object-attributes": "ObjectParts,ETag"]
        if let maxParts { headers.add(name: "x-amz-max-parts", value: maxParts) }
        if let marker { headers.add(name: "x-amz-part-number-marker", value: marker) }
        let reply = try await service.send(.GET, Self.target, headers)
        #expect(reply.element("PartsCount") == "3" && reply.element("NextPartNumberMarker") == "\(next)")
        #expect(reply.element("IsTruncated") == "\(isTruncated)")
        #expect(reply.element("MaxParts") == "\(min(Int(maxParts ?? "") ?? 1000, 1000))")
        #expect(reply.element("ETag")?.hasSuffix("-3") == true)
        let shown = reply.text.split(separator: "<PartNumber>").dropFirst().map { String($0.prefix { $0 != "<" }) }
        #expect(shown == expected.map { "\($0)" })
        #expect(reply.text.contains("<ChecksumSHA256>") == !expected.isEmpty)
    }

    @Test("Parts without checksums are counted only", arguments: [nil, "x-amz-max-parts", "x-amz-part-number-marker"])
    func withoutChecksums(header: String?) async throws {
        let service = try await multipart([:])
        var headers: HTTPHeaders = ["x-amz-object-attributes": Self.all]
        let reply = try await service.send(.GET, Self.target, headers)
        #expect(reply.element("PartsCount") == "3" && reply.element("PartNumber") == nil && reply.element("Checksum") == nil)
        #expect(reply.element("ObjectSize") == "10485765")
        guard let header else { return }
        for value in ["x", "-1", "1.5", "2147483648"] {
            headers.replaceOrAdd(name: header, value: value)
            #expect(try await service.refusal(.GET, Self.target, headers)?.code == "InvalidArgument")
        }
    }

    @Test("Versions are named, and delete markers refused")
    func versions() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", ["x-amz-storage-class": "GLACIER"], body: "four")
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        try await service.send(.PUT, "/bucket/key", body: "newest")
        let headers: HTTPHeaders = ["x-amz-object-attributes": "ObjectSize,StorageClass"]
        let old = try await service.send(.GET, Self.target + "&versionId=null", headers)
        #expect(old.element("ObjectSize") == "4" && old.element("StorageClass") == "GLACIER")
        #expect(old.headers.first(name: "x-amz-version-id") == "null")
        #expect(try await service.send(.GET, Self.target, headers).element("ObjectSize") == "6")
        let deletion = try await service.send(.DELETE, "/bucket/key")
        let marker = try #require(deletion.headers.first(name: "x-amz-version-id"))
        let hidden = try await service.refusal(.GET, Self.target, headers)
        #expect(hidden?.code == "NoSuchKey" && hidden?.headers.contains(S3Error.Detail("x-amz-delete-marker", "true")) == true)
        let named = try await service.refusal(.GET, Self.target + "&versionId=" + marker, headers)
        #expect(named?.code == "MethodNotAllowed")
        let strange = try await service.refusal(.GET, Self.target + "&versionId=AAAAAAAAAAAAAAAA", headers)
        #expect(strange?.code == "NoSuchVersion")
    }
}
