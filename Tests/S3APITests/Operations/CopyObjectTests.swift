import Metadata
import NIOHTTP1
import S3API
import Synchronization
import Testing

@Suite("CopyObject")
struct CopyObjectTests {
    private func service(_ byteCount: Int = 5) async throws -> OperationsHarness {
        let service = try await OperationsHarness()
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        try await service.send(
            .PUT, "/bucket/source", ["Content-Type": "text/plain", "x-amz-meta-a": "1", "x-amz-storage-class": "GLACIER_IR"],
            body: OperationsHarness.collected(bytes))
        return service
    }

    @Test(
        "The copy has the source's bytes, tag and metadata, not its storage class",
        arguments: [0, 5, 131_072, 131_073, 2_000_000])
    func copies(byteCount: Int) async throws {
        let service = try await service(byteCount)
        let reply = try await service.send(.PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/source"])
        let source = try await service.send(.GET, "/bucket/source")
        let copy = try await service.send(.GET, "/bucket/copy")
        #expect(copy.body == source.body)
        #expect(copy.headers["etag"] == source.headers["etag"])
        #expect(reply.element("ETag")?.replacing("&quot;", with: "\"") == copy.headers.first(name: "etag"))
        #expect(reply.element("LastModified") != nil)
        #expect(copy.headers.first(name: "x-amz-meta-a") == "1" && copy.headers.first(name: "content-type") == "text/plain")
        #expect(!copy.headers.contains(name: "x-amz-storage-class"))
        #expect(service.engine.bodyCount == (byteCount > 131_072 ? 2 : 0))
    }

    @Test("REPLACE takes the request's metadata")
    func replaces() async throws {
        let service = try await service()
        try await service.send(
            .PUT, "/bucket/copy",
            ["x-amz-copy-source": "bucket/source", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"])
        let copy = try await service.send(.HEAD, "/bucket/copy").headers
        #expect(!copy.contains(name: "x-amz-meta-a") && copy.first(name: "x-amz-meta-b") == "2")
        #expect(copy.first(name: "content-type") == "binary/octet-stream")
    }

    @Test("A copy onto itself must change something, and then moves no byte")
    func itself() async throws {
        let service = try await service(200_000)
        let error = try await service.refusal(.PUT, "/bucket/source", ["x-amz-copy-source": "/bucket/source"])
        #expect(error?.code == "InvalidRequest")
        #expect(
            error?.message.hasPrefix("This copy request is illegal because it is trying to copy an object to itself") == true)
        let before = try await service.send(.GET, "/bucket/source")
        try await service.send(
            .PUT, "/bucket/source",
            ["x-amz-copy-source": "/bucket/source", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"])
        let after = try await service.send(.GET, "/bucket/source")
        #expect(after.body == before.body && after.headers["etag"] == before.headers["etag"])
        #expect(after.headers.first(name: "x-amz-meta-b") == "2" && !after.headers.contains(name: "x-amz-meta-a"))
        #expect(service.engine.state.withLock { $0.updatesInPlace } == 1)
        #expect(service.engine.bodyCount == 1)
    }

    @Test("A copy onto itself with versioning makes a version; an old version is restored without REPLACE")
    func versions() async throws {
        let service = try await service()
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        let replaced = try await service.send(
            .PUT, "/bucket/source", ["x-amz-copy-source": "/bucket/source", "x-amz-metadata-directive": "REPLACE"])
        #expect(replaced.headers.first(name: "x-amz-version-id") != "null")
        #expect(replaced.headers.first(name: "x-amz-copy-source-version-id") == "null")
        #expect(service.engine.state.withLock { $0.updatesInPlace } == 0)
        let restored = try await service.send(
            .PUT, "/bucket/source", ["x-amz-copy-source": "/bucket/source?versionId=null"])
        #expect(restored.status == 200)
        #expect(try await service.send(.HEAD, "/bucket/source").headers.first(name: "x-amz-meta-a") == "1")
        let deletion = try await service.send(.DELETE, "/bucket/source")
        let marker = try #require(deletion.headers.first(name: "x-amz-version-id"))
        let named = try await service.refusal(
            .PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/source?versionId=" + marker])
        #expect(named?.code == "InvalidRequest")
        let hidden = try await service.refusal(.PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/source"])
        #expect(hidden?.code == "NoSuchKey")
    }

    @Test(
        "Conditions on the source and on the destination are kept apart",
        arguments: [
            ("x-amz-copy-source-if-match", "*", nil), ("x-amz-copy-source-if-match", "\"x\"", "PreconditionFailed"),
            ("x-amz-copy-source-if-none-match", "*", "PreconditionFailed"), ("x-amz-copy-source-if-none-match", "\"x\"", nil),
            ("x-amz-copy-source-if-modified-since", "Fri, 31 Dec 2027 00:00:00 GMT", "PreconditionFailed"),
            ("x-amz-copy-source-if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", nil),
            ("x-amz-copy-source-if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", "PreconditionFailed"),
            ("If-None-Match", "*", nil), ("If-Match", "*", "NoSuchKey"), ("x-amz-metadata-directive", "MIX", "InvalidArgument"),
            ("x-amz-tagging-directive", "COPY", nil), ("x-amz-tagging-directive", "REPLACE", nil),
            ("x-amz-tagging-directive", "MIX", "InvalidArgument"),
            ("x-amz-checksum-algorithm", "MD2", "InvalidRequest"), ("x-amz-storage-class", "LUKEWARM", "InvalidStorageClass"),
        ] as [(String, String, String?)])
    func conditions(name: String, value: String, code: String?) async throws {
        let service = try await service()
        let error = try await service.refusal(.PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/source", name: value])
        #expect(error?.code == code)
        #expect(try await service.refusal(.HEAD, "/bucket/copy")?.code == (code == nil ? nil : "NoSuchKey"))
    }

    @Test(
        "Sources that are not there, or another's, are refused",
        arguments: [
            ("/missing/source", "NoSuchBucket"), ("/bucket/nothing", "NoSuchKey"), ("/theirs/key", "AccessDenied"),
            ("/bucket/source?versionId=AAAAAAAAAAAAAAAA", "NoSuchVersion"), ("bucket", "InvalidArgument"),
        ])
    func sources(source: String, code: String) async throws {
        let service = try await service()
        try await service.send(.PUT, "/theirs", as: OperationsHarness.bob)
        try await service.send(.PUT, "/theirs/key", body: "x", as: OperationsHarness.bob)
        #expect(try await service.refusal(.PUT, "/bucket/copy", ["x-amz-copy-source": source])?.code == code)
        #expect(
            try await service.refusal(.PUT, "/theirs/copy", ["x-amz-copy-source": "/bucket/source"])?.code == "AccessDenied")
        #expect(service.engine.bodyCount == 0)
    }

    @Test(
        "A checksum asked for is computed over the copy, small or large",
        arguments: [
            (9, "x-amz-checksum-crc32c"), (300_000, "x-amz-checksum-crc32c"), (300_000, "x-amz-checksum-sha256"),
        ])
    func checksums(byteCount: Int, header: String) async throws {
        let service = try await OperationsHarness()
        let bytes = byteCount == 9 ? Array("123456789".utf8) : [UInt8](repeating: 0, count: byteCount)
        try await service.send(.PUT, "/bucket/source", body: OperationsHarness.collected(bytes))
        let algorithm = header.split(separator: "-").last.map { $0.uppercased() } ?? ""
        try await service.send(
            .PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/source", "x-amz-checksum-algorithm": algorithm])
        let value = try await service.send(.HEAD, "/bucket/copy", ["x-amz-checksum-mode": "ENABLED"]).headers.first(
            name: header)
        // CRC32C's check value, and the digests of 300,000 zero bytes by independent programs.
        let expected =
            switch (byteCount, algorithm) {
            case (9, _): "4waSgw=="
            default: try await Self.digest(of: bytes, algorithm)
            }
        #expect(value == expected)
    }

    private static func digest(of bytes: [UInt8], _ name: String) async throws -> String {
        var hasher = ChecksumHasher(try #require(ChecksumAlgorithm(name: name)))
        for start in stride(from: 0, to: bytes.count, by: 1000) {
            bytes[start..<min(start + 1000, bytes.count)].withUnsafeBytes { hasher.update($0) }
        }
        return Base64.encode(hasher.digest)
    }
}
