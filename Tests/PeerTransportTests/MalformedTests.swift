import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Garbage from peers and strangers", .timeLimit(.minutes(1)))
struct MalformedTests {
    struct Input: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        /// None: the connection is closed without a word.
        var answer: PeerHandshake.Kind?

        var testDescription: String { name }

        init(_ name: String, _ bytes: [UInt8], _ answer: PeerHandshake.Kind? = nil) {
            self.name = name
            self.bytes = bytes
            self.answer = answer
        }
    }

    private static func hello(_ change: (inout ByteBuffer) -> Void) -> [UInt8] {
        var bytes = RawPeer.hello(to: 1, as: 2)
        bytes.moveWriterIndex(to: bytes.writerIndex - 4)
        change(&bytes)
        bytes.writeInteger(PeerHandshake.checksum(of: bytes), endianness: .little)
        return Array(bytes.readableBytesView)
    }

    static let handshakes = [
        Input("zeros", [UInt8](repeating: 0, count: 100)),
        Input("HTTP", Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)),
        Input("TLS", [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
        Input("a wrong last byte of the magic", Array("rfs-peer".utf8.dropLast()) + [0]),
        Input("a length of 65535", Array("rfs-peer".utf8) + [0xFF, 0xFF], .refusal(.malformed)),
        Input("a length of 0", Array("rfs-peer".utf8) + [0, 0], .refusal(.malformed)),
        Input("a wrong checksum", Array(RawPeer.hello(to: 1, as: 2).readableBytesView.dropLast()) + [1], .refusal(.malformed)),
        Input("an unknown lane", hello { $0.setInteger(UInt8(4), at: 11) }, .refusal(.malformed)),
        Input("a welcome", hello { $0.setInteger(UInt8(2), at: 10) }, .refusal(.malformed)),
        Input("another lane than the opening's", hello { $0.setInteger(UInt8(1), at: 11) }, .refusal(.malformed)),
        Input("node 0", hello { $0.setInteger(UInt64(0), at: 25) }, .refusal(.malformed)),
    ]

    /// The node serves on.
    private func expectService(_ node: TestNode) async throws {
        let frames = node.frames.count
        let good = try await RawPeer(greeting: node, as: 9)
        try await good.send(FrameTests.frame(ByteBuffer(string: "good")))
        try await waitUntil { node.frames.count == frames + 1 }
        #expect(node.frames.last?.from.node == 9)
        try await good.close()
    }

    @Test("Instead of a handshake", arguments: handshakes)
    func handshake(input: Input) async throws {
        let node = TestNode(node: 1)
        try await withNodes(node, admission: { _ in nil }) {
            for _ in 0..<3 {
                let raw = try await RawPeer(port: node.port)
                try await raw.send(input.bytes)
                try await waitUntil { raw.isClosed }
                #expect(try raw.answer?.kind == input.answer)
            }
            #expect(node.log.count("what no peer sends") == 1)
            #expect(try await node.statistics().malformedConnections == 3)
            try await expectService(node)
        }
    }

    static let openings = [
        Input("zeros", [0, 0, 0, 0]), Input("HTTP", Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)),
        Input("TLS", [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
        Input("a hello", Array(RawPeer.hello(to: 1, as: 2).readableBytesView)),
        Input("an unknown lane", Array("rfs".utf8) + [4]), Input("a wrong second byte", [UInt8(ascii: "r"), 0]),
    ]

    @Test("Instead of an opening", arguments: openings)
    func opening(input: Input) async throws {
        let node = TestNode(node: 1)
        try await withNodes(node, admission: { _ in nil }) {
            for _ in 0..<3 {
                let raw = try await RawPeer(port: node.port, opening: nil)
                try await raw.send(input.bytes)
                try await waitUntil { raw.isClosed }
                #expect(raw.received.readableBytes == 0)
            }
            #expect(node.log.count("what no peer sends") == 1)
            #expect(try await node.statistics().malformedConnections == 3)
            try await expectService(node)
        }
    }

    static let frames = [
        Input("a length of 0", [0, 0, 0, 0, 0, 0, 0, 0]),
        Input("a frame of 4 GiB", [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]),
        Input("one byte above the lane's length", [1, 0, 16, 0, 0, 0, 0, 0]),
        Input("a wrong checksum", [4, 0, 0, 0, 1, 2, 3, 4] + Array("body".utf8)),
        Input("text", Array("\r\nhello, is there anybody\r\n".utf8)),
        Input("a second hello", Array(RawPeer.hello(to: 1, as: 2).readableBytesView)),
        Input("a body that is no message", Array(FrameTests.frame(TestNode.unreadable).readableBytesView)),
    ]

    @Test("Instead of a frame; those before it have been received", arguments: frames)
    func frame(input: Input) async throws {
        let node = TestNode(node: 1)
        try await withNodes(node, admission: { _ in nil }) {
            let raw = try await RawPeer(greeting: node, as: 2)
            try await raw.send(Array(FrameTests.frame(ByteBuffer(string: "good")).readableBytesView) + input.bytes)
            try await waitUntil { raw.isClosed }
            #expect(node.frames.count == 1)
            #expect(node.log.count("what no peer sends") == 1)
            // This node closed it: that is no sign of the peer's end.
            #expect(node.events.isEmpty)
            try await expectService(node)
        }
    }

    @Test("An acceptor that answers with something else is dialled again, slowly")
    func answers() async throws {
        let node = TestNode(node: 1)
        let acceptor = try await GarbageAcceptor()
        try await withNodes(node, admission: { _ in nil }) {
            try await node.run { [address = acceptor.address] in
                $0.setContacts([PeerContact(node: 2, incarnation: nil, address: address)])
            }
            try await waitUntil { acceptor.count.value >= 3 }
            #expect(node.log.count("what no peer sends") == 1)
            #expect(node.events.isEmpty)
            #expect(try await node.statistics().malformedConnections >= 2)
        }
        try await acceptor.close()
    }

    @Test("A connection that says nothing, or nothing more, is closed after a while")
    func silence() async throws {
        let node = TestNode(node: 1) { $0.handshakeMilliseconds = 100 }
        try await withNodes(node, admission: { _ in nil }) {
            let first = try await RawPeer(port: node.port, opening: nil)
            let second = try await RawPeer(port: node.port)
            try await second.send(Array("rfs-pe".utf8))
            try await waitUntil { first.isClosed && second.isClosed }
            #expect(first.received.readableBytes == 0 && second.received.readableBytes == 0)
            #expect(try await node.statistics().handshakeTimeouts == 2)
            #expect(node.log.count("no handshake followed") == 1)
            try await expectService(node)
        }
    }

    @Test("Connections altogether have a bound")
    func connections() async throws {
        let node = TestNode(node: 1) { $0.connectionCountMax = 2 }
        try await withNodes(node, admission: { _ in nil }) {
            let first = try await RawPeer(greeting: node, as: 2)
            let second = try await RawPeer(greeting: node, as: 3)
            let third = try await RawPeer(port: node.port)
            try await waitUntil { third.isClosed }
            try await first.close()
            try await waitUntil { try await node.statistics().connectionsOpen == 1 }
            _ = try await RawPeer(greeting: node, as: 4)
            #expect(!second.isClosed)
        }
    }
}
