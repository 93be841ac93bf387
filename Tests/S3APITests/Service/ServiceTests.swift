import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Testing

@Suite("The service's front")
struct ServiceTests {
    private static let pool = NIOThreadPool(numberOfThreads: 1)

    private func service(_ error: MetadataError = MetadataError(.unavailable)) -> S3Service<UnavailableEngine> {
        Self.pool.start()
        return S3Service(
            engine: UnavailableEngine(error: error),
            configuration: S3ServiceConfiguration(
                credentials: TestSigner.credentials, hostID: "node-1", clock: { TestSigner.nowMilliseconds }),
            hashing: S3HashingPool(threads: Self.pool), logger: Logger(label: "test"))
    }

    private func respond(
        _ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders, body: [UInt8] = [],
        error: MetadataError = MetadataError(.unavailable)
    ) async -> HTTPResponse {
        var headers = headers
        if !body.isEmpty { headers.add(name: "Content-Length", value: "\(body.count)") }
        return await service(error).respond(
            to: HTTPRequest(
                method: method, target: target, headers: headers, body: .collected(ByteBuffer(bytes: body)),
                remoteAddress: nil, isSecure: false, eventLoop: MultiThreadedEventLoopGroup.singleton.any()))
    }

    private func text(_ response: HTTPResponse) -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        return String(buffer: bytes)
    }

    @Test("An error is a document with code, message, resource and request id, which the headers repeat")
    func errorDocument() async throws {
        let response = await respond(.GET, "/bucket/a%20key?versionId=1", ["Host": "h"])
        #expect(response.status == .forbidden)
        let requestID = try #require(response.headers.first(name: "x-amz-request-id"))
        #expect(requestID.utf8.count == 16 && requestID.allSatisfy { $0.isHexDigit && !$0.isLowercase })
        #expect(
            text(response) == """
                <?xml version="1.0" encoding="UTF-8"?>
                <Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/bucket/a%20key</Resource>\
                <RequestId>\(requestID)</RequestId><HostId>node-1</HostId></Error>
                """)
        #expect(response.headers.first(name: "x-amz-id-2") == "node-1")
        #expect(response.headers.first(name: "Server") == "rustfs-metadata")
        #expect(response.headers.first(name: "Content-Type") == "application/xml")
    }

    @Test("HEAD has no body, whatever is wrong")
    func head() async throws {
        for target in ["/bucket", "/bucket/key", "/bucket/%", "/"] {
            let response = await respond(.HEAD, target, ["Host": "h"])
            #expect(response.status.code >= 400)
            guard case .none = response.body else {
                Issue.record("a body to HEAD \(target)")
                continue
            }
            #expect(response.headers.contains(name: "x-amz-request-id"))
        }
    }

    @Test("What is missing is only told to who may ask", arguments: ["/bucket?acl", "/bucket/key?torrent"])
    func notImplemented(_ target: String) async throws {
        #expect(await respond(.GET, target, ["Host": "h"]).status == .forbidden)
        let response = await respond(.GET, target, try TestSigner().sign(.GET, target))
        #expect(response.status == .notImplemented)
        #expect(text(response).contains("<Code>NotImplemented</Code>"))
        #expect(text(response).contains(target == "/bucket?acl" ? "GetBucketAcl" : "GetObjectTorrent"))
    }

    @Test("A form is not implemented; a preflight is forbidden; both without a signature")
    func unsigned() async {
        let form = await respond(.POST, "/bucket", ["Host": "h", "Content-Type": "multipart/form-data; boundary=x"])
        #expect(form.status == .notImplemented && text(form).contains("PostObject"))
        let preflight = await respond(.OPTIONS, "/bucket/key", ["Host": "h", "Origin": "https://example.com"])
        #expect(preflight.status == .forbidden && text(preflight).contains("AccessForbidden"))
    }

    @Test("Encryption by the customer's key is refused before the body is looked at")
    func customerKey() async throws {
        let headers = try TestSigner().sign(
            .PUT, "/bucket/key", headers: ["x-amz-server-side-encryption-customer-algorithm": "AES256"])
        let response = await respond(.PUT, "/bucket/key", headers, body: [1, 2, 3])
        #expect(response.status == .notImplemented)
        #expect(text(response).contains("<Header>x-amz-server-side-encryption-customer-algorithm</Header>"))
    }

    @Test("A body that is not the signed one never reaches the engine")
    func wrongBody() async throws {
        let response = await respond(.PUT, "/bucket/key", try TestSigner().sign(.PUT, "/bucket/key"), body: [1])
        #expect(response.status == .badRequest)
        #expect(text(response).contains("XAmzContentSHA256Mismatch"))
    }

    @Test("The engine's failure is the client's error")
    func engineFailure() async throws {
        let headers = try TestSigner().sign(.GET, "/bucket?location")
        let response = await respond(.GET, "/bucket?location", headers)
        #expect(response.status == .serviceUnavailable)
        #expect(response.headers.first(name: "Retry-After") == "1")
        let missing = await respond(.GET, "/bucket?location", headers, error: MetadataError(.noSuchBucket))
        #expect(missing.status == .notFound)
        #expect(text(missing).contains("<Code>NoSuchBucket</Code>"))
        #expect(text(missing).contains("<BucketName>bucket</BucketName>"))
    }

    @Test(
        "What is not HTTP is answered in the manner of S3",
        arguments: [
            (.malformedRequest, 400, "BadRequest"), (.requestLineTooLong, 414, "RequestURITooLong"),
            (.headersTooLarge, 400, "RequestHeaderSectionTooLarge"), (.tooManyHeaders, 400, "RequestHeaderSectionTooLarge"),
            (.headTimeout, 400, "RequestTimeout"),
        ] as [(HTTPProtocolViolation, UInt, String)])
    func malformed(_ violation: HTTPProtocolViolation, _ status: UInt, _ code: String) {
        let response = service().respond(toMalformed: violation)
        #expect(response.status.code == status)
        #expect(response.closesConnection)
        #expect(text(response).contains("<Code>\(code)</Code>"))
    }

    @Test("A document can hold any text that a request brings")
    func escaping() {
        let error = S3Error("Code", .badRequest, "a<b>&\"'\r\n\t\u{1}\u{0}\u{ffff}é🔑")
        let document = String(buffer: S3ErrorDocument.encode(error, resource: "/x", requestID: "1", hostID: "h"))
        #expect(document.contains("<Message>a&lt;b&gt;&amp;\"'&#13;\n\t\u{fffd}\u{fffd}\u{fffd}é🔑</Message>"))
    }

    @Test("Request ids do not repeat")
    func requestIDs() {
        let ids = S3RequestIDs(seed: 7)
        let all = Set((0..<10_000).map { _ in ids.next() })
        #expect(all.count == 10_000)
        #expect(all.allSatisfy { $0.utf8.count == 16 })
    }
}

@Suite("The engine's errors as clients see them")
struct MetadataErrorMappingTests {
    @Test(
        "Each code has its place",
        arguments: [
            (.noSuchBucket, 404, "NoSuchBucket"), (.bucketAlreadyExists, 409, "BucketAlreadyExists"),
            (.bucketAlreadyOwnedByYou, 409, "BucketAlreadyOwnedByYou"), (.bucketNotEmpty, 409, "BucketNotEmpty"),
            (.noSuchKey, 404, "NoSuchKey"), (.noSuchVersion, 404, "NoSuchVersion"), (.deleteMarker, 405, "MethodNotAllowed"),
            (.noSuchUpload, 404, "NoSuchUpload"), (.accessDenied, 403, "AccessDenied"),
            (.preconditionFailed, 412, "PreconditionFailed"), (.invalidPart, 400, "InvalidPart"),
            (.invalidPartOrder, 400, "InvalidPartOrder"), (.entityTooSmall, 400, "EntityTooSmall"),
            (.checksumMismatch, 400, "BadDigest"), (.invalidArgument, 400, "InvalidArgument"),
            (.keyTooLong, 400, "KeyTooLongError"), (.invalidKey, 400, "InvalidURI"), (.limitExceeded, 400, "InvalidRequest"),
            (.corruption, 500, "InternalError"), (.ioError, 500, "InternalError"), (.noSpace, 507, "StorageFull"),
            (.unavailable, 503, "ServiceUnavailable"), (.unknownOutcome, 500, "InternalError"),
            (.staleRead, 503, "ServiceUnavailable"), (.timeout, 503, "SlowDown"),
            (.unknownTimeout, 503, "SlowDown"), (.notImplemented, 501, "NotImplemented"),
        ] as [(MetadataError.Code, UInt, String)])
    func code(_ code: MetadataError.Code, _ status: UInt, _ name: String) {
        let error = S3Error(MetadataError(code), bucket: "b", key: [UInt8](repeating: 1, count: 1025))
        #expect(error.code == name)
        #expect(error.status.code == status)
        #expect(error.headers.contains { $0.name == "Retry-After" } == (status == 503))
    }

    @Test("What broke inside is for the log, not for the client")
    func secrecy() {
        for code in [MetadataError.Code.corruption, .ioError, .noSpace, .unavailable, .unknownOutcome] {
            let error = S3Error(MetadataError(code, "/data/metadata/kv/000017.sst is damaged"))
            #expect(!error.message.contains("sst") && error.details.isEmpty)
        }
    }

    @Test("A delete marker says what it is and since when")
    func deleteMarker() {
        let error = S3Error(MetadataError(.deleteMarker, deleteMarker: .null, lastModifiedMilliseconds: 1_369_353_600_999))
        #expect(error.headers.contains(.init("x-amz-delete-marker", "true")))
        #expect(error.headers.contains(.init("Last-Modified", "Fri, 24 May 2013 00:00:00 GMT")))
        #expect(error.headers.contains(.init("Allow", "DELETE")))
        let hidden = S3Error(MetadataError(.noSuchKey, deleteMarker: .null))
        #expect(hidden.headers == [.init("x-amz-delete-marker", "true")])
    }
}
