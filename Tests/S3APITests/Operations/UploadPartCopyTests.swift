import Crypto
import Metadata
import NIOHTTP1
import S3API
import Synchronization
import Testing

@Suite("UploadPartCopy")
struct UploadPartCopyTests {
    private static let upload = "/bucket/key?uploadId="

    /// A service with `/bucket/source` of so many bytes, and an upload of `/bucket/key`.
    private func start(
        _ byteCount: Int, _ headers: HTTPHeaders = [:]
    ) async throws -> (service: OperationsHarness, bytes: [UInt8], target: String) {
        let service = try await OperationsHarness()
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 / 251) }
        try await service.send(.PUT, "/bucket/source", body: OperationsHarness.collected(bytes))
        let upload = try #require(
            try await service.send(.POST, "/bucket/key?uploads", headers).element("UploadId"))
        return (service, bytes, Self.upload + upload)
    }

    private static func md5(_ bytes: some Sequence<UInt8>) -> String {
        Insecure.MD5.hash(data: Array(bytes)).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }

    @Test(
        "A part has the bytes that were asked for, and their MD5",
        arguments: [
            (0, nil, 0..<0), (5, nil, 0..<5), (5, "bytes=0-4", 0..<5), (5, "bytes=1-3", 1..<4), (5, "bytes=4-4", 4..<5),
            (300_000, nil, 0..<300_000), (300_000, "bytes=1-131072", 1..<131_073), (300_000, "bytes=1-131073", 1..<131_074),
            (2_000_000, "bytes=600000-1999999", 600_000..<2_000_000), (2_000_000, "bytes=0-0", 0..<1),
        ] as [(Int, String?, Range<Int>)])
    func copies(byteCount: Int, header: String?, range: Range<Int>) async throws {
        let (service, bytes, target) = try await start(byteCount)
        var headers: HTTPHeaders = ["x-amz-copy-source": "/bucket/source"]
        if let header { headers.add(name: "x-amz-copy-source-range", value: header) }
        let reply = try await service.send(.PUT, target + "&partNumber=2", headers)
        #expect(reply.status == 200 && reply.element("ETag") == "&quot;" + Self.md5(bytes[range]) + "&quot;")
        let listing = try await service.send(.GET, target)
        #expect(listing.element("Size") == "\(range.count)" && listing.element("ETag") == reply.element("ETag"))
        #expect(listing.element("LastModified") == reply.element("LastModified"))
        // The source, and the part if it is large, too.
        let expected = [byteCount, range.count].count { $0 > ObjectBody.inlineByteCountMax }
        #expect(service.engine.bodyCount == expected)
        let completion =
            "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>\(reply.element("ETag") ?? "")</ETag></Part>"
            + "</CompleteMultipartUpload>"
        try await service.send(.POST, target, body: completion)
        #expect(try await service.send(.GET, "/bucket/key").body == Array(bytes[range]))
    }

    @Test("A part of a multipart object's bytes has their MD5, not the object's tag")
    func multipartSource() async throws {
        let (service, _, target) = try await start(5)
        let other = try #require(try await service.send(.POST, "/bucket/parts?uploads").element("UploadId"))
        let part = try await service.send(.PUT, "/bucket/parts?partNumber=1&uploadId=\(other)", body: "hello")
        let tag = part.headers.first(name: "etag") ?? ""
        try await service.send(
            .POST, "/bucket/parts?uploadId=\(other)",
            body:
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(tag)</ETag></Part></CompleteMultipartUpload>")
        let reply = try await service.send(.PUT, target + "&partNumber=1", ["x-amz-copy-source": "/bucket/parts"])
        #expect(reply.element("ETag")?.replacing("&quot;", with: "\"") == tag)
    }

    @Test(
        "The checksum is of the upload's algorithm: the source's where it fits, else computed",
        arguments: [
            (nil, "CRC32C", nil), ("CRC32C", "CRC32C", nil), ("CRC32C", "SHA256", nil), (nil, "CRC32C", "bytes=2-7"),
            ("CRC32C", "CRC32C", "bytes=2-7"), ("CRC32C", nil, nil),
        ] as [(String?, String?, String?)])
    func checksums(ofSource: String?, ofUpload: String?, range: String?) async throws {
        let service = try await OperationsHarness()
        let all = Array("123456789".utf8)
        let sourceChecksum = ofSource.map { _ in
            ObjectChecksum(algorithm: .crc32c, kind: .fullObject, digest: [0xE3, 0x06, 0x92, 0x83])
        }
        guard case .collected(let content, let digests) = OperationsHarness.collected(all) else { return }
        try await service.send(
            .PUT, "/bucket/source", body: .collected(content, S3BodyDigests(md5: digests.md5, checksum: sourceChecksum)))
        let started: HTTPHeaders = ofUpload.map { ["x-amz-checksum-algorithm": $0] } ?? [:]
        let upload = try #require(try await service.send(.POST, "/bucket/key?uploads", started).element("UploadId"))
        var headers: HTTPHeaders = ["x-amz-copy-source": "bucket/source"]
        if let range { headers.add(name: "x-amz-copy-source-range", value: range) }
        let reply = try await service.send(.PUT, Self.upload + upload + "&partNumber=1", headers)

        let expected = range == nil ? all : Array(all[2...7])
        for name in ["CRC32C", "SHA256"] {
            var hasher = ChecksumHasher(try #require(ChecksumAlgorithm(name: name)))
            expected.withUnsafeBytes { hasher.update($0) }
            #expect(reply.element("Checksum" + name) == (name == ofUpload ? Base64.encode(hasher.digest) : nil))
        }
    }

    @Test(
        "A range that is none, or beyond the source, is refused",
        arguments: [
            "bytes=0-5", "bytes=5-5", "bytes=4-99999999999999999999", "bytes=3-2", "bytes=1-", "bytes=-2", "0-2", "bytes=0",
            "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "", "bytes=",
        ])
    func ranges(value: String) async throws {
        let (service, _, target) = try await start(5)
        let error = try await service.refusal(
            .PUT, target + "&partNumber=1", ["x-amz-copy-source": "/bucket/source", "x-amz-copy-source-range": value])
        #expect(error?.code == "InvalidArgument" && error?.status == .badRequest)
        #expect(error?.details.first == S3Error.Detail("ArgumentName", "x-amz-copy-source-range"))
        #expect(try await service.send(.GET, target).element("Part") == nil)
    }

    @Test("A part is no larger than 5 GiB")
    func tooLarge() async throws {
        let (service, _, target) = try await start(5)
        let gibibyte: UInt64 = 1 << 30
        service.engine.state.withLock { $0.reportedSize = 6 * gibibyte }
        let refused = [[], ["bytes=0-\(5 * gibibyte)"], ["bytes=\(gibibyte - 1)-\(6 * gibibyte - 1)"]]
        for ranges in refused {
            var headers: HTTPHeaders = ["x-amz-copy-source": "/bucket/source"]
            for range in ranges { headers.add(name: "x-amz-copy-source-range", value: range) }
            let error = try await service.refusal(.PUT, target + "&partNumber=1", headers)
            #expect(error?.code == "EntityTooLarge")
        }
        #expect(service.engine.bodyCount == 0)
    }

    @Test(
        "Conditions on the source hold, or nothing is copied",
        arguments: [
            ("x-amz-copy-source-if-match", "*", nil), ("x-amz-copy-source-if-match", "\"x\"", "PreconditionFailed"),
            ("x-amz-copy-source-if-none-match", "*", "PreconditionFailed"), ("x-amz-copy-source-if-none-match", "\"x\"", nil),
            ("x-amz-copy-source-if-modified-since", "Fri, 31 Dec 2027 00:00:00 GMT", "PreconditionFailed"),
            ("x-amz-copy-source-if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", nil),
            ("x-amz-copy-source-if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", "PreconditionFailed"),
        ] as [(String, String, String?)])
    func conditions(name: String, value: String, code: String?) async throws {
        let (service, _, target) = try await start(5)
        let error = try await service.refusal(
            .PUT, target + "&partNumber=1", ["x-amz-copy-source": "/bucket/source", name: value])
        #expect(error?.code == code)
        let parts = try await service.send(.GET, target).text
        #expect(parts.contains("<Part>") == (code == nil))
    }

    @Test(
        "Sources and uploads that are not there are refused",
        arguments: [
            ("/missing/source", "1", "NoSuchBucket"), ("/bucket/nothing", "1", "NoSuchKey"),
            ("/theirs/key", "1", "AccessDenied"),
            ("/bucket/source?versionId=AAAAAAAAAAAAAAAA", "1", "NoSuchVersion"), ("bucket", "1", "InvalidArgument"),
            ("/bucket/source", "0", "InvalidArgument"), ("/bucket/source", "10001", "InvalidArgument"),
        ])
    func sources(source: String, number: String, code: String) async throws {
        let (service, _, target) = try await start(200_000)
        try await service.send(.PUT, "/theirs", as: OperationsHarness.bob)
        try await service.send(.PUT, "/theirs/key", body: "x", as: OperationsHarness.bob)
        let error = try await service.refusal(.PUT, target + "&partNumber=" + number, ["x-amz-copy-source": source])
        #expect(error?.code == code)
        let gone = try await service.refusal(
            .PUT, "/bucket/key?uploadId=mpu-AAAAAAAAAAAAAAAA&partNumber=1", ["x-amz-copy-source": "/bucket/source"])
        #expect(gone?.code == "NoSuchUpload")
        #expect(service.engine.bodyCount == 1)
    }

    @Test("A version is copied, and the answer says which")
    func versions() async throws {
        let (service, _, target) = try await start(5)
        try await service.send(.PUT, "/bucket?versioning", body: ObjectOperationTests.versioned)
        try await service.send(.PUT, "/bucket/source", body: "newer")
        let reply = try await service.send(
            .PUT, target + "&partNumber=1", ["x-amz-copy-source": "/bucket/source?versionId=null"])
        #expect(reply.headers.first(name: "x-amz-copy-source-version-id") == "null")
        let newest = try await service.send(.PUT, target + "&partNumber=2", ["x-amz-copy-source": "/bucket/source"])
        #expect(newest.headers.first(name: "x-amz-copy-source-version-id") != "null")
        #expect(newest.element("ETag") == "&quot;" + Self.md5("newer".utf8) + "&quot;")
        let deletion = try await service.send(.DELETE, "/bucket/source")
        let marker = try #require(deletion.headers.first(name: "x-amz-version-id"))
        let named = try await service.refusal(
            .PUT, target + "&partNumber=3", ["x-amz-copy-source": "/bucket/source?versionId=" + marker])
        #expect(named?.code == "InvalidRequest")
    }

    @Test("Damage of the source on the way leaves neither a part nor a body")
    func damage() async throws {
        let (service, _, target) = try await start(2_000_000)
        service.engine.state.withLock { $0.damagedFrom = 1_000_000 }
        let error = try await service.refusal(.PUT, target + "&partNumber=1", ["x-amz-copy-source": "/bucket/source"])
        #expect(error?.code == "InternalError")
        #expect(service.engine.bodyCount == 1)
        let parts = try await service.send(.GET, target).text
        #expect(!parts.contains("<Part>"))
    }
}
