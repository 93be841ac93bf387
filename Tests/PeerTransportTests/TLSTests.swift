import LogTestKit
import Foundation
import NIOCore
import PeerTransport
import Testing

@Suite("Mutual TLS", .timeLimit(.minutes(1)))
struct TLSTests {
    /// Two authorities and certificates of theirs, made by `openssl` in a directory of their own.
    struct Certificates {
        let directory: URL

        init() throws {
            directory = FileManager.default.temporaryDirectory.appendingPathComponent("peer-tls-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            for authority in ["ours", "theirs"] {
                try openssl(
                    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=\(authority) "
                        + "-keyout \(authority).key -out \(authority).pem")
            }
            try issue("first", by: "ours", for: "IP:127.0.0.1")
            try issue("second", by: "ours", for: "IP:127.0.0.1,DNS:localhost")
            try issue("elsewhere", by: "ours", for: "IP:192.0.2.1,DNS:elsewhere.example")
            try issue("stranger", by: "theirs", for: "IP:127.0.0.1")
        }

        private func issue(_ name: String, by authority: String, for names: String) throws {
            try Data("subjectAltName=\(names)\n".utf8).write(to: directory.appendingPathComponent("\(name).ext"))
            try openssl(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) -keyout \(name).key -out \(name).csr"
            )
            try openssl(
                "x509 -req -in \(name).csr -CA \(authority).pem -CAkey \(authority).key -CAcreateserial -days 2 "
                    + "-extfile \(name).ext -out \(name).pem")
        }

        private func openssl(_ arguments: String) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
            process.currentDirectoryURL = directory
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "openssl \(arguments)")
        }

        func remove() { try? FileManager.default.removeItem(at: directory) }

        func path(_ file: String) -> String { directory.appendingPathComponent(file).path }

        func tls(_ name: String, trusting authority: String = "ours") throws -> PeerTransportTLS {
            try PeerTransportTLS(
                certificateFile: path("\(name).pem"), keyFile: path("\(name).key"), trustRootsFile: path("\(authority).pem"))
        }
    }

    private func withCertificates(_ body: (Certificates) async throws -> Void) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try await body(certificates)
    }

    @Test("Peers with certificates of one authority exchange frames; the end of one is seen at once")
    func frames() async throws {
        try await withCertificates { certificates in
            let first = TestNode(node: 1, tls: try certificates.tls("first"))
            let second = TestNode(node: 2, tls: try certificates.tls("second"))
            try await withNodes(first, second, admission: { _ in nil }) {
                let port = second.port
                try await first.run { $0.setContacts([PeerContact(node: 2, incarnation: 20, address: "localhost:\(port)")]) }
                try await second.contact(first)
                try await waitUntil { try await first.isConnected(to: 2) }
                try await waitUntil { try await second.isConnected(to: 1) }
                let body = ByteBuffer(repeating: 9, count: 3_000_000)
                try await first.run { transport in
                    for _ in 0..<3 { transport.send(body, to: 2, lane: .log) }
                    transport.flush()
                }
                try await second.send("back", to: first)
                try await waitUntil { second.frames.count == 3 && first.frames.count == 1 }
                #expect(second.frames.allSatisfy { $0.body == body })
                try await second.close()
                try await waitUntil { first.count(.connectionLost(2)) == 1 }
            }
        }
    }

    @Test(
        "A certificate of another authority, one for another address, and none at all come to nothing", arguments: [0, 1, 2, 3])
    func refused(row: Int) async throws {
        try await withCertificates { certificates in
            let ours = try certificates.tls("first")
            let (dialler, acceptor): (PeerTransportTLS?, PeerTransportTLS?) =
                switch row {
                case 0: (try certificates.tls("stranger"), ours)
                case 1: (ours, try certificates.tls("elsewhere"))
                case 2: (nil, ours)
                default: (ours, nil)
                }
            let first = TestNode(node: 1, tls: dialler)
            let second = TestNode(node: 2, tls: acceptor)
            try await withNodes(first, second, admission: { _ in nil }) {
                try await first.contact(second)
                try await waitUntil { try await first.statistics().dialsFailed + first.statistics().malformedConnections >= 3 }
                #expect(first.events.isEmpty && second.frames.isEmpty)
                #expect(!first.log.lines.isEmpty)
                #expect(first.log.lines.count + second.log.lines.count <= 3, "\(first.log.lines) \(second.log.lines)")
            }
        }
    }

    @Test("An unusable file is named")
    func files() async throws {
        try await withCertificates { certificates in
            let good = ["first.pem", "first.key", "ours.pem"].map(certificates.path)
            for (place, wrong) in [
                (0, "/nonexistent"), (1, "/nonexistent"), (2, "/nonexistent"), (0, good[1]), (1, good[0]), (2, good[1]),
                (1, certificates.path("second.key")),
            ] {
                var paths = good
                paths[place] = wrong
                #expect {
                    _ = try PeerTransportTLS(certificateFile: paths[0], keyFile: paths[1], trustRootsFile: paths[2])
                } throws: { error in
                    guard case PeerTransportError.unusableTLSFile(let path, _) = error else { return false }
                    return path == wrong
                }
            }
        }
    }
}
