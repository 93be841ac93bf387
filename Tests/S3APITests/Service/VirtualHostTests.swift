import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Synchronization
import Testing

@Suite("Requests to the hosts of buckets")
struct VirtualHostTests {
    private static let hashing = S3HashingPool(threads: .singleton)
    private let engine = MemoryEngine()
    private let service: S3Service<MemoryEngine>

    init() async throws {
        var configuration = S3ServiceConfiguration(
            credentials: TestSigner.credentials, hostID: "node-1", clock: { TestSigner.nowMilliseconds })
        configuration.domains = S3Domains(["s3.example.com"])
        service = S3Service(
            engine: engine, configuration: configuration, hashing: Self.hashing,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for name in ["bucket", "with.dots"] {
            try await engine.createBucket(CreateBucket(name: name, owner: TestSigner.owner, location: ""))
        }
    }

    private func request(_ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, body: String = "") -> HTTPRequest {
        var headers = headers
        if !body.isEmpty { headers.add(name: "Content-Length", value: "\(body.utf8.count)") }
        return HTTPRequest(
            method: method, target: target, headers: headers, body: .collected(ByteBuffer(string: body)), remoteAddress: nil,
            isSecure: false, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
    }

    private func signed(_ method: HTTPMethod, _ host: String, _ target: String, body: String = "") throws -> HTTPRequest {
        let headers = try TestSigner().sign(method, target, headers: ["Host": host], payload: "UNSIGNED-PAYLOAD")
        return request(method, target, headers, body: body)
    }

    private func answer(_ request: HTTPRequest) async -> [String] {
        switch service.reply(to: request) {
        case .now(let response): seen(response)
        case .later(let produce): seen(await produce())
        // The write of a small object: PutReplyTests compare that way with this one.
        case .promised: seen(await service.respond(to: request))
        }
    }

    @Test(
        "An object that was put by the host is read by the path, and the other way round", arguments: ["bucket", "with.dots"])
    func bothWays(bucket: String) async throws {
        let host = "\(bucket).s3.example.com:9000"
        #expect(seen(await service.respond(to: try signed(.PUT, host, "/a/key", body: "one")))[0] == "200")
        #expect(seen(await service.respond(to: try signed(.PUT, "s3.example.com", "/\(bucket)/k", body: "two")))[0] == "200")
        for isOnDisk in [true, false, false] {
            engine.state.withLock { $0.isOnDisk = isOnDisk }
            for (key, body) in [("a/key", "one"), ("k", "two")] {
                let byHost = await answer(try signed(.GET, host, "/" + key))
                let byPath = await answer(try signed(.GET, "127.0.0.1:9000", "/\(bucket)/\(key)"))
                #expect(byHost == byPath && byHost.contains(body))
            }
        }
    }

    @Test("Plain reads by the host are answered at once, as those by the path are", arguments: [HTTPMethod.GET, .HEAD])
    func plain(method: HTTPMethod) async throws {
        engine.state.withLock { $0.isOnDisk = false }
        #expect(seen(await service.respond(to: try signed(.PUT, "bucket.s3.example.com", "/k", body: "body")))[0] == "200")
        for target in ["/k", "/bucket/k", "/missing"] {
            let read = try signed(method, "bucket.s3.example.com", target)
            let general = seen(await service.respond(to: read))
            guard case .now(let response) = service.reply(to: read) else {
                Issue.record("\(target) was not answered at once")
                continue
            }
            #expect(seen(response) == general)
            #expect(general[0] == (target == "/k" ? "200" : "404"))
        }
        // The bucket itself is no object.
        let listing = try signed(method, "bucket.s3.example.com", "/")
        #expect(seen(await service.respond(to: listing))[0] == "200")
        guard case .later = service.reply(to: listing) else {
            Issue.record("a listing was taken for a read")
            return
        }
    }

    @Test("A signature holds for the host that it was made for", arguments: ["other.s3.example.com", "s3.example.com"])
    func otherHost(host: String) async throws {
        #expect(seen(await service.respond(to: try signed(.PUT, "bucket.s3.example.com", "/k", body: "body")))[0] == "200")
        var headers = try TestSigner().sign(.GET, "/k", headers: ["Host": "bucket.s3.example.com"])
        #expect(await answer(request(.GET, "/k", headers))[0] == "200")
        headers.replaceOrAdd(name: "Host", value: host)
        let refused = await answer(request(.GET, "/k", headers))
        #expect(refused[0] == "403" && refused.contains { $0.contains("<Code>SignatureDoesNotMatch</Code>") })
    }

    @Test(
        "A host's bucket is checked as a path's is",
        arguments: [("nowhere", "NoSuchBucket"), ("not_valid", "InvalidBucketName"), ("x", "InvalidBucketName")])
    func names(bucket: String, code: String) async throws {
        for method in [HTTPMethod.GET, .DELETE] {
            let refused = await answer(try signed(method, "\(bucket).s3.example.com", "/k"))
            #expect(refused.contains { $0.contains("<Code>\(code)</Code>") })
        }
    }

    @Test("A completed upload's location is where it was asked for")
    func location() async throws {
        for (host, prefix) in [("bucket.s3.example.com", ""), ("s3.example.com", "/bucket")] {
            let started = await answer(try signed(.POST, host, prefix + "/k?uploads"))
            let text = try #require(started.last { $0.contains("<UploadId>") })
            let upload = try #require(text.split(separator: "<UploadId>").last?.prefix { $0 != "<" })
            let target = "\(prefix)/k?uploadId=\(upload)"
            let part = await answer(try signed(.PUT, host, target + "&partNumber=1", body: "x"))
            let tag = try #require(part.first { $0.hasPrefix("etag: ") }).dropFirst(6)
            let done = await answer(
                try signed(
                    .POST, host, target,
                    body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(tag)</ETag></Part>"
                        + "</CompleteMultipartUpload>"))
            #expect(done.contains { $0.contains("<Location>http://\(host)\(prefix)/k</Location>") })
        }
    }
}
