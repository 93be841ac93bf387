import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Synchronization
import Testing

/// A plain read and the general way must not be told apart by a client, but for the time they take.
@Suite("Reads that are answered at once")
struct PlainReadTests {
    private static let hashing = S3HashingPool(threads: .singleton)
    private let engine = MemoryEngine()
    private let service: S3Service<MemoryEngine>

    init() async throws {
        service = S3Service(
            engine: engine,
            configuration: S3ServiceConfiguration(
                credentials: TestSigner.credentials, hostID: "node-1", clock: { TestSigner.nowMilliseconds }),
            hashing: Self.hashing, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await engine.createBucket(CreateBucket(name: "bucket", owner: TestSigner.owner, location: ""))
        let other = Owner(canonicalID: "other", displayName: "Other")
        try await engine.createBucket(CreateBucket(name: "theirs", owner: other, location: ""))
        for (bucket, owner) in [("bucket", TestSigner.owner), ("theirs", other)] {
            for key in ["a/key", "a~b_c-d.e", "with space"] {
                _ = try await engine.putObject(
                    PutObject(
                        bucket: BucketReference(name: bucket, requiredOwner: nil), key: try ObjectKey(Array(key.utf8)),
                        body: .inline(ByteBuffer(string: "the bytes of \(key)")), etag: ETag(high: 1, low: 2),
                        checksum: ObjectChecksum(algorithm: .crc32, kind: .fullObject, digest: [1, 2, 3, 4]),
                        attributes: ObjectAttributes(
                            contentType: "text/plain", userMetadata: [MetadataField(name: "colour", value: "blue")]),
                        owner: owner, conditions: WriteConditions()))
            }
        }
        engine.state.withLock { $0.isOnDisk = false }
    }

    private func request(_ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, body: String = "") -> HTTPRequest {
        HTTPRequest(
            method: method, target: target, headers: headers, body: .collected(ByteBuffer(string: body)), remoteAddress: nil,
            isSecure: false, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
    }

    /// Whether the request was answered at once, after a comparison of both ways. The first request makes the client known.
    private func isAtOnce(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, body: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Bool {
        let request = request(method, target, headers, body: body)
        let general = seen(await service.respond(to: request))
        switch service.reply(to: request) {
        case .now(let response):
            #expect(seen(response) == general, sourceLocation: sourceLocation)
            return true
        case .later(let produce):
            #expect(seen(await produce()) == general, sourceLocation: sourceLocation)
            return false
        case .promised:
            Issue.record("a read promises nothing", sourceLocation: sourceLocation)
            return false
        }
    }

    @Test("Plain reads", arguments: [HTTPMethod.GET, .HEAD], ["/bucket/a/key", "/bucket/a~b_c-d.e"])
    func plain(_ method: HTTPMethod, _ target: String) async throws {
        #expect(try await isAtOnce(method, target, try TestSigner().sign(method, target)))
        let checksum = try TestSigner().sign(
            method, target, headers: ["x-amz-checksum-mode": "ENABLED", "User-Agent": "x", "amz-sdk-request": "attempt=1"])
        #expect(try await isAtOnce(method, target, checksum))
        let unsigned = try TestSigner().sign(method, target, payload: "UNSIGNED-PAYLOAD")
        #expect(try await isAtOnce(method, target, unsigned))
    }

    @Test("A client that has not been seen goes the general way once")
    func first() async throws {
        let request = request(.GET, "/bucket/a/key", try TestSigner().sign(.GET, "/bucket/a/key"))
        guard case .later(let produce) = service.reply(to: request) else {
            Issue.record("nobody has verified this client")
            return
        }
        #expect(await produce().status == .ok)
        guard case .now = service.reply(to: request) else {
            Issue.record("the client is known now")
            return
        }
    }

    @Test(
        "Errors of the engine are the same",
        arguments: [HTTPMethod.GET, .HEAD], ["/bucket/missing", "/nowhere/key", "/theirs/a/key"])
    func refused(_ method: HTTPMethod, _ target: String) async throws {
        #expect(try await isAtOnce(method, target, try TestSigner().sign(method, target)))
    }

    @Test("What the engine would have to fetch is answered later, and alike", arguments: [HTTPMethod.GET, .HEAD])
    func onDisk(_ method: HTTPMethod) async throws {
        engine.state.withLock { $0.isOnDisk = true }
        for target in ["/bucket/a/key", "/bucket/missing", "/theirs/a/key"] {
            #expect(try await !isAtOnce(method, target, try TestSigner().sign(method, target)))
        }
    }

    @Test(
        "Whatever asks for more goes the general way",
        arguments: [
            ["Range": "bytes=1-3"], ["If-None-Match": "*"], ["if-modified-since": "Fri, 24 May 2013 00:00:00 GMT"],
            ["x-amz-expected-bucket-owner": "somebody"], ["x-amz-checksum-mode": "other"], ["x-amz-acl": "nonsense"],
            ["Content-Encoding": "gzip"], ["x-amz-security-token": "token"], ["x-rustfs-read-consistency": "eventual"],
        ] as [HTTPHeaders])
    func unusual(_ headers: HTTPHeaders) async throws {
        for method in [HTTPMethod.GET, .HEAD] {
            let signed = try TestSigner().sign(method, "/bucket/a/key", headers: headers)
            #expect(try await !isAtOnce(method, "/bucket/a/key", signed))
        }
    }

    @Test(
        "Other targets and methods go the general way",
        arguments: [
            (.GET, "/bucket/with%20space"), (.GET, "/bucket/a/key?partNumber=1"), (.GET, "/bucket/a/key?response-expires=x"),
            (.GET, "/bucket"), (.GET, "/"), (.GET, "/bucket/"), (.GET, "/Bucket/a/key"),
            (.GET, "/192.168.1.1/k"),
            (.GET, "/bucket/\(String(repeating: "k", count: 1025))"), (.DELETE, "/bucket/missing"),
        ] as [(HTTPMethod, String)])
    func otherTargets(_ method: HTTPMethod, _ target: String) async throws {
        _ = await service.respond(to: request(.GET, "/bucket/a/key", try TestSigner().sign(.GET, "/bucket/a/key")))
        let request = request(method, target, try TestSigner().sign(method, target))
        guard case .later = service.reply(to: request) else {
            Issue.record("\(method) \(target) is no plain read")
            return
        }
    }

    @Test("No change of a signed request is answered at once")
    func tampering() async throws {
        let target = "/bucket/a/key"
        let signed = try TestSigner().sign(.GET, target)
        #expect(try await isAtOnce(.GET, target, signed))
        func change(_ name: String, _ change: (String) -> String) -> HTTPHeaders {
            HTTPHeaders(signed.map { ($0.name, $0.name == name ? change($0.value) : $0.value) })
        }
        var changed: [HTTPHeaders] = [
            change("Host") { $0 + "1" }, change("x-amz-date") { _ in "20130524T000001Z" },
            change("x-amz-date") { _ in "20130525T000000Z" }, change("x-amz-date") { _ in "20130524X000000Z" },
            change("x-amz-content-sha256") { _ in "UNSIGNED-PAYLOAD" },
            change("x-amz-content-sha256") { String($0.reversed()) },
            change("Authorization") { $0.replacing("AWS4-HMAC-SHA256", with: "AWS4-HMAC-SHA512") },
            change("Authorization") { $0.replacing("host;", with: "") },
            change("Authorization") { $0.uppercased() }, change("Authorization") { String($0.dropLast()) },
            change("Authorization") { $0 + " " }, change("Authorization") { $0.replacing("us-east-1", with: "us-west-1") },
        ]
        for position in 0..<64 {
            changed.append(
                change("Authorization") { value in
                    var bytes = Array(value.utf8)
                    let place = bytes.count - 64 + position
                    bytes[place] = bytes[place] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
                    return String(decoding: bytes, as: UTF8.self)
                })
        }
        for name in ["Host", "x-amz-date", "x-amz-content-sha256", "Authorization"] {
            var (fewer, more) = (signed, signed)
            fewer.remove(name: name)
            more.add(name: name, value: signed.first(name: name) ?? "")
            changed += [fewer, more]
        }
        for added in ["x-amz-checksum-mode", "x-amz-meta-a"] {
            var more = signed
            more.add(name: added, value: "ENABLED")
            changed.append(more)
        }
        for headers in changed { #expect(try await !isAtOnce(.GET, target, headers), "\(headers)") }
        #expect(try await !isAtOnce(.HEAD, target, signed))
        #expect(try await !isAtOnce(.GET, "/bucket/a~b_c-d.e", signed))
        #expect(try await !isAtOnce(.GET, target, signed, body: "x"))
    }

    @Test("A signature holds as long as its date")
    func expiry() async throws {
        let target = "/bucket/a/key"
        for (timestamp, isGood) in [("20130524T001500Z", true), ("20130524T001501Z", false)] {
            var signer = TestSigner()
            signer.timestamp = timestamp
            #expect(try await isAtOnce(.GET, target, try signer.sign(.GET, target)) == isGood)
        }
    }

    @Test("Values that have to be normalized, and headers sent twice, go the general way")
    func normalization() async throws {
        let target = "/bucket/a/key"
        #expect(try await !isAtOnce(.GET, target, try TestSigner().sign(.GET, target, headers: ["X-Note": "a  b"])))
        let twice: HTTPHeaders = ["Note": "a", "note": "b"]
        #expect(try await !isAtOnce(.GET, target, try TestSigner().sign(.GET, target, headers: twice)))
    }
}
