import HTTPServer
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    /// A directory of its own with the certificate and the key in it, removed afterwards.
    private func withFiles(_ body: (_ certificate: String, _ key: String) async throws -> Void) async throws {
        var template = Array("/tmp/http-server-tls-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let paths = (certificate: "\(directory)/certificate.pem", key: "\(directory)/key.pem")
        defer {
            unlink(paths.certificate)
            unlink(paths.key)
            rmdir(directory)
        }
        for (path, text) in [(paths.certificate, TestCertificate.certificatePEM), (paths.key, TestCertificate.keyPEM)] {
            let file = try #require(fopen(path, "w"))
            fputs(text, file)
            fclose(file)
        }
        try await body(paths.certificate, paths.key)
    }

    @Test("Requests and large bodies pass over TLS, and the handler knows it")
    func roundTrip() async throws {
        try await withFiles { certificate, key in
            let tls = try HTTPServerConfiguration.tls(certificateFile: certificate, keyFile: key)
            try await withServer(
                { $0.tls = tls },
                answer: { request in
                    if request.target == "/malformed" { return .text("") }
                    let body = (try? await collect(request.body)) ?? ByteBuffer()
                    var response = HTTPResponse(
                        status: .ok, headers: ["X-Secure": "\(request.isSecure)"], body: .bytes(body))
                    response.closesConnection = request.target == "/close"
                    return response
                }
            ) { _, port in
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.trustRoots = .certificates(
                    try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.certificatePEM.utf8)))
                let context = try NIOSSLContext(configuration: configuration)
                let client = try await RawClient(port: port, tls: context)
                for byteCount in [10, 3_000_000] {
                    let body = ByteBuffer(repeating: 5, count: byteCount)
                    try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n")
                    try await client.send(body)
                    let response = try await client.receiveResponse()
                    #expect(response.headers["X-Secure"] == ["true"])
                    #expect(response.body == body)
                }
                try await client.send("GET /close HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().headers["Connection"] == ["close"])
                #expect(await client.receiveToEnd() == "")

                let strange = try await RawClient(port: port, tls: context)
                try await strange.send("\u{1}\u{2}\r\n\r\n")
                #expect(try await strange.receiveResponse().status == 400)
                #expect(await strange.receiveToEnd() == "")

                // Plain HTTP on a TLS port, and a handshake that never comes to an end, hurt nobody.
                let plain = try await RawClient(port: port)
                try await plain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = await plain.receiveToEnd()
                try await RawClient(port: port, tls: context).send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            }
        }
    }

    @Test("An unusable certificate or key names its file")
    func errors() async throws {
        try await withFiles { certificate, key in
            for (certificateFile, keyFile, blamed) in [
                ("/nonexistent.pem", key, "/nonexistent.pem"), (certificate, "/nonexistent.pem", "/nonexistent.pem"),
                (certificate, certificate, certificate), (key, key, key),
            ] {
                do throws(HTTPServerError) {
                    _ = try HTTPServerConfiguration.tls(certificateFile: certificateFile, keyFile: keyFile)
                    Issue.record("accepted \(certificateFile), \(keyFile)")
                } catch {
                    guard case .unusableTLSFile(let path, _) = error else {
                        Issue.record("\(error)")
                        continue
                    }
                    #expect(path == blamed)
                }
            }
        }
    }
}
