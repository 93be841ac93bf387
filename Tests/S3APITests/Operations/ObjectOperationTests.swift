import Metadata
import NIOHTTP1
import S3API
import Synchronization
import Testing

@Suite("Writing, reading and deleting objects")
struct ObjectOperationTests {
    static let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"

    // MARK: Put and get

    @Test(
        "What was put is got, whatever the key",
        arguments: [
            "a", "a/", "/a", "..", "a%20b", "a+b", "%C3%A4%E2%82%AC%F0%9F%98%80", "%01%0A%7F", "%25", "a//b",
            "a?b".replacing("?", with: "%3F"),
        ])
    func roundTrip(path: String) async throws {
        let service = try await OperationsHarness()
        let put = try await service.send(.PUT, "/bucket/" + path, body: "hello")
        #expect(put.headers.first(name: "etag") == "\"5d41402abc4b2a76b9719d911017c592\"")
        #expect(!put.headers.contains(name: "x-amz-version-id"))
        let got = try await service.send(.GET, "/bucket/" + path)
        #expect(got.status == 200 && got.text == "hello")
        let head = try await service.send(.HEAD, "/bucket/" + path)
        #expect(head.headers.first(name: "content-length") == "5" && head.body.isEmpty)
        for name in ["ETag", "Last-Modified", "Content-Type", "Accept-Ranges"] {
            #expect(head.headers.first(name: name) == got.headers.first(name: name) && head.headers.contains(name: name))
        }
        #expect(got.headers.first(name: "content-type") == "binary/octet-stream")
    }

    @Test(
        "A key of 1,024 bytes is the longest, and broken UTF-8 is no key",
        arguments: [
            (String(repeating: "k", count: 1024), nil), (String(repeating: "k", count: 1025), "KeyTooLongError"),
            (String(repeating: "%C3%A4", count: 513), "KeyTooLongError"), ("%FF", "InvalidURI"), ("a%C3", "InvalidURI"),
            ("%ED%A0%80", "InvalidURI"),
        ] as [(String, String?)])
    func keys(path: String, code: String?) async throws {
        let service = try await OperationsHarness()
        #expect(try await service.refusal(.PUT, "/bucket/" + path, body: "x")?.code == code)
        #expect(try await service.refusal(.GET, "/bucket/" + path)?.code == code)
    }

    @Test("Headers and metadata come back as sent, and response parameters replace them")
    func attributes() async throws {
        let service = try await OperationsHarness()
        let headers: HTTPHeaders = [
            "Content-Type": "text/plain", "Cache-Control": "no-cache", "Content-Disposition": "attachment",
            "Content-Encoding": "gzip", "Content-Language": "de", "Expires": "never", "x-amz-storage-class": "STANDARD_IA",
            "x-amz-website-redirect-location": "/other", "X-Amz-Meta-Name": "Wert", "x-amz-meta-two": "1",
            "x-amz-meta-TWO": "2",
        ]
        try await service.send(.PUT, "/bucket/key", headers, body: "x")
        let head = try await service.send(.HEAD, "/bucket/key").headers
        for (name, value) in headers where !name.lowercased().hasPrefix("x-amz-meta") {
            #expect(head.first(name: name) == value, "\(name)")
        }
        #expect(head.first(name: "x-amz-meta-name") == "Wert")
        #expect(head.first(name: "x-amz-meta-two") == "1,2")
        let query =
            "?response-content-type=a/b&response-expires=soon&response-content-language=fr&response-cache-control=x"
            + "&response-content-disposition=inline&response-content-encoding=br"
        let got = try await service.send(.GET, "/bucket/key" + query).headers
        #expect(got["content-type"] == ["a/b"] && got["expires"] == ["soon"] && got["content-language"] == ["fr"])
        #expect(got["cache-control"] == ["x"] && got["content-disposition"] == ["inline"] && got["content-encoding"] == ["br"])
    }

    @Test("A response parameter cannot smuggle in a header")
    func smuggling() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "x")
        let error = try await service.refusal(.GET, "/bucket/key?response-content-type=a%0D%0ASet-Cookie:%20b")
        #expect(error?.code == "InvalidArgument")
    }

    @Test(
        "Attributes beyond S3's rules are refused and nothing is stored",
        arguments: [
            ("x-amz-storage-class", "LUKEWARM", "InvalidStorageClass"),
            ("x-amz-website-redirect-location", "ftp://x", "InvalidRedirectLocation"),
            ("x-amz-meta-a", String(repeating: "v", count: 2048), "MetadataTooLarge"),
        ])
    func refusedAttributes(name: String, value: String, code: String) async throws {
        let service = try await OperationsHarness()
        #expect(try await service.refusal(.PUT, "/bucket/key", [name: value], body: "x")?.code == code)
        #expect(try await service.refusal(.GET, "/bucket/key")?.code == "NoSuchKey")
    }

    @Test("Two KiB of metadata are accepted")
    func metadataLimit() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", ["x-amz-meta-a": String(repeating: "v", count: 2047)], body: "x")
        #expect(try await service.send(.HEAD, "/bucket/key").headers.first(name: "x-amz-meta-a")?.utf8.count == 2047)
    }

    // MARK: Bodies

    @Test(
        "A body stays inline up to 128 KiB and goes to the body store beyond, whole either way",
        arguments: [(0, 0), (1, 0), (131_072, 0), (131_073, 1), (3_000_001, 1)], [true, false])
    func sizes(sizeAndBodies: (Int, Int), declares: Bool) async throws {
        let service = try await OperationsHarness()
        let bytes = (0..<sizeAndBodies.0).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await service.send(
            .PUT, "/bucket/key", body: .streamed(PieceStream(bytes, pieceByteCount: 50_000, declares: declares)))
        #expect(service.engine.bodyCount == sizeAndBodies.1)
        try await service.send(.PUT, "/bucket/same", body: OperationsHarness.collected(bytes))
        #expect(service.engine.bodyCount == 2 * sizeAndBodies.1)
        let got = try await service.send(.GET, "/bucket/key")
        #expect(got.body == bytes)
        #expect(try await service.send(.HEAD, "/bucket/same").headers["etag"] == got.headers["etag"])
        try await service.send(.PUT, "/bucket/key", body: "small")
        #expect(service.engine.bodyCount == sizeAndBodies.1)
    }

    @Test(
        "An upload that breaks off or proves wrong at its end leaves nothing", arguments: [10, 131_072, 131_073, 1_000_000])
    func brokenOff(byteCount: Int) async throws {
        let service = try await OperationsHarness()
        let failure = S3Error("BadDigest", .badRequest, "")
        let stream = PieceStream([UInt8](repeating: 7, count: byteCount), pieceByteCount: 9_999, failure: failure)
        await #expect(throws: failure) { try await service.send(.PUT, "/bucket/key", body: .streamed(stream)) }
        #expect(service.engine.bodyCount == 0)
        #expect(try await service.refusal(.GET, "/bucket/key")?.code == "NoSuchKey")
    }

    @Test("A full disk is an error of its own and leaves nothing", arguments: [10, 1_000_000])
    func fullDisk(byteCount: Int) async throws {
        let service = try await OperationsHarness()
        service.engine.state.withLock { $0.failure = MetadataError(.noSpace) }
        let stream = PieceStream([UInt8](repeating: 7, count: byteCount), pieceByteCount: 9_999)
        await #expect { try await service.send(.PUT, "/bucket/key", body: .streamed(stream)) } throws: {
            ($0 as? S3Error)?.status == .insufficientStorage
        }
        #expect(service.engine.bodyCount == 0)
    }

    @Test("A large body to a bucket that is not there is refused before it is read")
    func earlyRefusal() async throws {
        let service = try await OperationsHarness()
        let stream = PieceStream([UInt8](repeating: 7, count: 1_000_000), pieceByteCount: 9_999)
        await #expect { try await service.send(.PUT, "/missing/key", body: .streamed(stream)) } throws: {
            ($0 as? S3Error)?.code == "NoSuchBucket"
        }
        #expect(stream.pullCount.withLock { $0 } == 0)
    }

    @Test("A damaged body is an error before the first byte, or a broken transfer: never other bytes, never a short object")
    func damage() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: OperationsHarness.collected([UInt8](repeating: 7, count: 1_000_000)))
        service.engine.state.withLock { $0.damagedFrom = 500_000 }
        await #expect(throws: MetadataError(.corruption)) { try await service.send(.GET, "/bucket/key") }
        #expect(try await service.send(.GET, "/bucket/key", ["Range": "bytes=0-399999"]).body.count == 400_000)
        let early = try await service.refusal(.GET, "/bucket/key", ["Range": "bytes=500000-"])
        #expect(early?.code == "InternalError" && early?.status == .internalServerError)
        let copy = try await service.refusal(.PUT, "/bucket/copy", ["x-amz-copy-source": "/bucket/key"])
        #expect(copy?.code == "InternalError")
        #expect(service.engine.bodyCount == 1)
    }

    @Test("An object whose body has gone since it was looked up is looked up again", arguments: [true, false])
    func overtaken(isCopied: Bool) async throws {
        let service = try await OperationsHarness()
        let (target, headers): (String, HTTPHeaders) =
            isCopied ? ("/bucket/copy", ["x-amz-copy-source": "/bucket/key"]) : ("/bucket/key", [:])
        func put(_ byte: UInt8) async throws {
            try await service.send(
                .PUT, "/bucket/key", body: OperationsHarness.collected([UInt8](repeating: byte, count: 500_000)))
        }
        let delete = DeleteObject(
            bucket: BucketReference(name: "bucket", requiredOwner: nil), key: ObjectKey(validated: Array("key".utf8)),
            owner: OperationsHarness.alice.owner)
        try await put(1)
        service.engine.state.withLock { $0.vanishing = [nil, nil] }
        #expect(try await service.send(isCopied ? .PUT : .GET, target, headers).status == 200)
        service.engine.state.withLock { $0.vanishing = [nil, nil, nil] }
        let lost = try await service.refusal(isCopied ? .PUT : .GET, target, headers)
        #expect(lost?.code == "ServiceUnavailable" && lost?.status == .serviceUnavailable)
        service.engine.state.withLock { $0.vanishing = [delete] }
        let gone = try await service.refusal(isCopied ? .PUT : .GET, target, headers)
        #expect(gone?.code == "NoSuchKey")
    }

    // MARK: Ranges

    @Test("Ranges of small and large objects are the bytes asked for", arguments: [1000, 1_500_000])
    func ranges(byteCount: Int) async throws {
        let service = try await OperationsHarness()
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        try await service.send(.PUT, "/bucket/key", body: OperationsHarness.collected(bytes))
        for range in [0..<1, 10..<900, byteCount - 1..<byteCount, 0..<byteCount, byteCount / 3..<byteCount - 5] {
            let got = try await service.send(
                .GET, "/bucket/key", ["Range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"])
            #expect(got.status == 206)
            #expect(got.body == Array(bytes[range]))
            #expect(
                got.headers.first(name: "content-range") == "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)")
        }
        let head = try await service.send(.HEAD, "/bucket/key", ["Range": "bytes=-7"])
        #expect(head.status == 206 && head.headers.first(name: "content-length") == "7")
        #expect(try await service.send(.GET, "/bucket/key", ["Range": "bytes=0-1,3-4"]).status == 200)
        let error = try #require(try await service.refusal(.GET, "/bucket/key", ["Range": "bytes=\(byteCount)-"]))
        #expect(error.code == "InvalidRange" && error.status == .rangeNotSatisfiable)
        #expect(error.headers.contains(S3Error.Detail("Content-Range", "bytes */\(byteCount)")))
        #expect(error.details.contains(S3Error.Detail("ActualObjectSize", "\(byteCount)")))
    }

    @Test("If-Range keeps the range while the version is the same")
    func ifRange() async throws {
        let service = try await OperationsHarness()
        let etag = try #require(try await service.send(.PUT, "/bucket/key", body: "hello").headers.first(name: "etag"))
        let date = try #require(try await service.send(.HEAD, "/bucket/key").headers.first(name: "last-modified"))
        for (value, status) in [
            (etag, 206), (date, 206), ("\"other\"", 200), ("W/" + etag, 200), ("*", 200),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ] {
            let got = try await service.send(.GET, "/bucket/key", ["Range": "bytes=1-2", "If-Range": value])
            #expect(got.status == status, "\(value)")
        }
    }

    @Test("An object of one piece is its own first part")
    func singlePart() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "hello")
        let part = try await service.send(.GET, "/bucket/key?partNumber=1")
        #expect(part.status == 206 && part.text == "hello" && !part.headers.contains(name: "x-amz-mp-parts-count"))
        #expect(try await service.refusal(.GET, "/bucket/key?partNumber=2")?.code == "InvalidPartNumber")
        #expect(try await service.refusal(.GET, "/bucket/key?partNumber=0")?.code == "InvalidArgument")
        #expect(try await service.refusal(.GET, "/bucket/key?partNumber=x")?.code == "InvalidArgument")
        #expect(
            try await service.refusal(.GET, "/bucket/key?partNumber=1", ["Range": "bytes=0-1"])?.code == "InvalidRequest")
    }

    // MARK: Conditions

    @Test("Conditional reads answer 304 with validators and 412 with the condition")
    func conditionalReads() async throws {
        let service = try await OperationsHarness()
        let etag = try #require(
            try await service.send(.PUT, "/bucket/key", ["Cache-Control": "x"], body: "hello").headers.first(name: "etag"))
        for method in [HTTPMethod.GET, .HEAD] {
            let reply = try await service.send(method, "/bucket/key", ["If-None-Match": etag])
            #expect(reply.status == 304 && reply.body.isEmpty && reply.headers.first(name: "etag") == etag)
            #expect(reply.headers.contains(name: "last-modified") && reply.headers.first(name: "cache-control") == "x")
            let error = try #require(try await service.refusal(method, "/bucket/key", ["If-Match": "\"other\""]))
            #expect(error.status == .preconditionFailed && error.details == [S3Error.Detail("Condition", "If-Match")])
        }
    }

    @Test("Conditional writes win once")
    func conditionalWrites() async throws {
        let service = try await OperationsHarness()
        #expect(try await service.refusal(.PUT, "/bucket/key", ["If-Match": "*"], body: "0")?.code == "NoSuchKey")
        let etag = try #require(
            try await service.send(.PUT, "/bucket/key", ["If-None-Match": "*"], body: "1").headers.first(name: "etag"))
        let second = try #require(try await service.refusal(.PUT, "/bucket/key", ["If-None-Match": "*"], body: "2"))
        #expect(second.code == "PreconditionFailed" && second.details == [S3Error.Detail("Condition", "If-None-Match")])
        try await service.send(.PUT, "/bucket/key", ["If-Match": etag], body: "3")
        #expect(try await service.refusal(.PUT, "/bucket/key", ["If-Match": etag], body: "4")?.code == "PreconditionFailed")
        #expect(try await service.send(.GET, "/bucket/key").text == "3")
        let both = try await service.refusal(.PUT, "/bucket/key", ["If-Match": "*", "If-None-Match": "*"], body: "5")
        #expect(both?.code == "InvalidRequest")
    }

    @Test(
        "Conditional deletes look at tag, size and time",
        arguments: [
            ("If-Match", "\"00000000000000000000000000000000\"", "PreconditionFailed"),
            ("x-amz-if-match-size", "6", "PreconditionFailed"),
            ("x-amz-if-match-last-modified-time", "Sun, 06 Nov 1994 08:49:37 GMT", "PreconditionFailed"),
            ("x-amz-if-match-size", "many", "InvalidArgument"),
            ("x-amz-if-match-last-modified-time", "then", "InvalidArgument"),
            ("If-Match", "\"5d41402abc4b2a76b9719d911017c592\"", nil), ("If-Match", "*", nil),
            ("x-amz-if-match-size", "5", nil),
        ] as [(String, String, String?)])
    func conditionalDeletes(name: String, value: String, code: String?) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "hello")
        #expect(try await service.refusal(.DELETE, "/bucket/key", [name: value])?.code == code)
        #expect(try await service.refusal(.GET, "/bucket/key")?.code == (code == nil ? "NoSuchKey" : nil))
    }

    // MARK: Versions

    @Test("Versions are kept, named, hidden by a marker, and removed one by one")
    func versions() async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "null")
        try await service.send(.PUT, "/bucket?versioning", body: Self.versioned)
        let first = try #require(
            try await service.send(.PUT, "/bucket/key", body: "one").headers.first(name: "x-amz-version-id"))
        #expect(try await service.send(.GET, "/bucket/key?versionId=null").text == "null")
        #expect(
            try await service.send(.GET, "/bucket/key?versionId=null").headers.first(name: "x-amz-version-id") == "null")
        let deletion = try await service.send(.DELETE, "/bucket/key")
        #expect(deletion.status == 204 && deletion.headers.first(name: "x-amz-delete-marker") == "true")
        let marker = try #require(deletion.headers.first(name: "x-amz-version-id"))

        let hidden = try #require(try await service.refusal(.GET, "/bucket/key"))
        #expect(hidden.code == "NoSuchKey" && hidden.status == .notFound)
        #expect(hidden.headers.contains(S3Error.Detail("x-amz-delete-marker", "true")))
        #expect(hidden.headers.contains(S3Error.Detail("x-amz-version-id", marker)))
        let named = try #require(try await service.refusal(.GET, "/bucket/key?versionId=" + marker))
        #expect(named.code == "MethodNotAllowed" && named.status == .methodNotAllowed)
        #expect(named.headers.contains(S3Error.Detail("Allow", "DELETE")))
        #expect(named.headers.contains { $0.name == "Last-Modified" })

        let removed = try await service.send(.DELETE, "/bucket/key?versionId=" + marker)
        #expect(removed.headers.first(name: "x-amz-version-id") == marker)
        #expect(removed.headers.first(name: "x-amz-delete-marker") == "true")
        #expect(try await service.send(.GET, "/bucket/key").text == "one")
        try await service.send(.DELETE, "/bucket/key?versionId=" + first)
        #expect(try await service.send(.GET, "/bucket/key").text == "null")
        #expect(try await service.refusal(.GET, "/bucket/key?versionId=" + first)?.code == "NoSuchVersion")
    }

    @Test("A version id that is none is an invalid argument", arguments: ["", "x", "AAAAAAAAAAAAAAA", "mpu-AAAAAAAAAAAAAAAA"])
    func garbageVersion(text: String) async throws {
        let service = try await OperationsHarness()
        try await service.send(.PUT, "/bucket/key", body: "x")
        for method in [HTTPMethod.GET, .HEAD, .DELETE] {
            #expect(try await service.refusal(method, "/bucket/key?versionId=" + text)?.code == "InvalidArgument")
        }
        #expect(try await service.send(.GET, "/bucket/key").text == "x")
    }

    // MARK: Checksums

    @Test("A stored checksum is shown when it is asked for, over the whole object only")
    func checksums() async throws {
        let service = try await OperationsHarness()
        let checksum = ObjectChecksum(algorithm: .crc32, kind: .fullObject, digest: [0x36, 0x10, 0xa6, 0x86])
        guard case .collected(let bytes, var digests) = OperationsHarness.collected(Array("hello".utf8)) else { return }
        digests.checksum = checksum
        let put = try await service.send(.PUT, "/bucket/key", body: .collected(bytes, digests))
        #expect(put.headers.first(name: "x-amz-checksum-crc32") == "NhCmhg==")
        #expect(put.headers.first(name: "x-amz-checksum-type") == "FULL_OBJECT")
        #expect(!(try await service.send(.GET, "/bucket/key").headers.contains(name: "x-amz-checksum-crc32")))
        let mode: HTTPHeaders = ["x-amz-checksum-mode": "ENABLED"]
        #expect(try await service.send(.HEAD, "/bucket/key", mode).headers.first(name: "x-amz-checksum-crc32") == "NhCmhg==")
        let range = try await service.send(.GET, "/bucket/key", ["x-amz-checksum-mode": "ENABLED", "Range": "bytes=0-1"])
        #expect(!range.headers.contains(name: "x-amz-checksum-crc32"))
    }

    @Test("Deleting what is not there succeeds")
    func deleteNothing() async throws {
        let service = try await OperationsHarness()
        let reply = try await service.send(.DELETE, "/bucket/nothing")
        #expect(reply.status == 204 && reply.headers.isEmpty)
        #expect(try await service.refusal(.DELETE, "/missing/nothing")?.code == "NoSuchBucket")
    }
}
