import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Floods of strangers", .timeLimit(.minutes(1)))
struct FloodTests {
    @Test("Of unfinished handshakes the oldest makes way, so that a peer gets through")
    func eviction() async throws {
        let node = TestNode(node: 1) { $0.handshakeCountMax = 2 }
        try await withNodes(node, admission: { _ in nil }) {
            let first = try await RawPeer(port: node.port, opening: nil)
            try await waitUntil { try await node.statistics().connectionsOpen == 1 }
            let second = try await RawPeer(port: node.port)
            try await waitUntil { try await node.statistics().connectionsOpen == 2 }
            let peer = try await RawPeer(greeting: node, as: 9)
            try await waitUntil { first.isClosed }
            #expect(!second.isClosed && !peer.isClosed)
            #expect(try await node.statistics().handshakesEvicted == 1)
            #expect(node.log.count("have not finished their handshake") == 1)
        }
    }

    @Test("Two nodes find each other while strangers hold as many connections as they can", arguments: [false, true])
    func flood(hasOpening: Bool) async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second, admission: { _ in nil }) {
            let port = second.port
            let flood = Task {
                var open: [RawPeer] = []
                while !Task.isCancelled {
                    if let raw = try? await RawPeer(port: port, opening: hasOpening ? .log : nil) { open.append(raw) }
                    if open.count == 300 { try? await open.removeFirst().close() }
                }
                for raw in open { try? await raw.close() }
            }
            try await waitUntil { try await second.statistics().handshakesEvicted > 10 }
            try await first.contact(second)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await first.send("through", to: second)
            try await waitUntil { second.frames.count == 1 }
            // Who is open is not touched.
            let evicted = try await second.statistics().handshakesEvicted
            try await waitUntil { try await second.statistics().handshakesEvicted > evicted + 100 }
            #expect(try await first.isConnected(to: 2))
            #expect(first.count(.connectionLost(2)) == 0)
            #expect(try await second.statistics().connectionsOpen < 100)
            #expect(second.log.count("have not finished their handshake") == 1)
            flood.cancel()
            await flood.value
        }
    }

    @Test("A flood of frames is received in order, and is no trouble for another peer's")
    func frames() async throws {
        let node = TestNode(node: 1)
        try await withNodes(node, admission: { _ in nil }) {
            let flooding = try await RawPeer(greeting: node, as: 2)
            let other = try await RawPeer(greeting: node, as: 3)
            var bytes = ByteBuffer()
            for number in 0..<20_000 { bytes.writeImmutableBuffer(FrameTests.frame(ByteBuffer(integer: number))) }
            async let flood: Void = flooding.send(bytes)
            try await other.send(FrameTests.frame(ByteBuffer(string: "small")))
            try await flood
            try await waitUntil { node.frames.count == 20_001 }
            let numbers = node.frames.filter { $0.from.node == 2 }.map {
                $0.body.getInteger(at: $0.body.readerIndex, as: Int.self)
            }
            #expect(numbers == Array(0..<20_000))
        }
    }

    @Test(
        "The source that has most makes way, with its oldest",
        arguments: [
            ([], nil), (["a"], 0), (["a", "b"], 0), (["a", "b", "b"], 1), (["a", "b", "c", "c", "b"], 1),
            (["peer", "x", "x", "x"], 1), (["", "", "a"], 0),
        ] as [([String], Int?)])
    func places(sources: [String], place: Int?) {
        #expect(HandshakeEviction.place(in: sources) == place)
    }
}
