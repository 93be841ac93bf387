import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("The snapshot lane on a loop of its own", .timeLimit(.minutes(1)))
struct BulkLoopTests {
    private func nodes(_ certificates: TLSTests.Certificates?) throws -> (TestNode, TestNode) {
        (
            TestNode(node: 1, tls: try certificates?.tls("first"), hasBulkLoop: true),
            TestNode(node: 2, tls: try certificates?.tls("second"), hasBulkLoop: true)
        )
    }

    private func isConnected(_ node: TestNode, to peer: UInt64) async throws -> Bool {
        guard let bulk = node.transport.bulk else { return false }
        let snapshot = try await bulk.eventLoop.submit { bulk.statistics.peers.first { $0.node == peer }?.isConnected.snapshot }
            .get()
        let others = try await node.statistics().peers.first { $0.node == peer }?.isConnected
        return snapshot == true && others == PeerLanes(control: true, log: true, snapshot: false)
    }

    private func sendSnapshot(_ bodies: [ByteBuffer], from node: TestNode, to peer: UInt64) async throws -> [Bool] {
        let bulk = try #require(node.transport.bulk)
        return try await bulk.eventLoop.submit {
            defer { bulk.flush() }
            return bodies.map { bulk.send($0, to: peer, lane: .snapshot) }
        }.get()
    }

    @Test("Frames of each lane come on its loop, in order, with TLS and without", arguments: [false, true])
    func lanes(hasTLS: Bool) async throws {
        let certificates = hasTLS ? try TLSTests.Certificates() : nil
        defer { certificates?.remove() }
        let (first, second) = try nodes(certificates)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await second.contact(first)
            try await waitUntil { try await isConnected(first, to: 2) }
            try await waitUntil { try await isConnected(second, to: 1) }
            let bodies = (0..<8).map { ByteBuffer(repeating: UInt8($0), count: 1 << 20) }
            #expect(try await sendSnapshot(bodies, from: first, to: 2) == bodies.map { _ in true })
            for number in 0..<50 {
                #expect(try await first.send("\(number)", to: second))
                #expect(try await first.send("\(number)", to: second, lane: .log))
            }
            try await waitUntil { second.bulkOwner?.frames.count == bodies.count && second.frames.count == 100 }
            #expect(second.bulkOwner?.frames.map(\.body) == bodies)
            #expect(second.bulkOwner?.frames.allSatisfy { $0.lane == .snapshot && $0.from == first.transport.identity } == true)
            #expect(second.frames.filter { $0.lane == .log }.map { String(buffer: $0.body) } == (0..<50).map { "\($0)" })
            #expect(first.events == [.connected(2, version: 1)])
            #expect(first.log.lines.count == 1, "\(first.log.lines)")
        }
    }

    @Test("It follows the control lane: a peer that ends and comes back has it again")
    func restart() async throws {
        let (first, second) = try nodes(nil)
        let again = TestNode(node: 2, hasBulkLoop: true)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await waitUntil { try await isConnected(first, to: 2) }
            try await second.close()
            try await waitUntil { first.events.contains(.connectionLost(2)) }
            try await waitUntil { try await sendSnapshot([ByteBuffer(string: "lost")], from: first, to: 2) == [false] }
            try await again.start(port: second.port, admission: { _ in nil })
            do {
                try await waitUntil { try await isConnected(first, to: 2) }
                #expect(try await sendSnapshot([ByteBuffer(string: "found")], from: first, to: 2) == [true])
                try await waitUntil { again.bulkOwner?.frames.count == 1 }
            } catch {
                try await again.close()
                throw error
            }
            try await again.close()
        }
    }

    @Test("Nobody is let in whom the control lane has not let in, or lets in no more")
    func admission() async throws {
        let node = TestNode(node: 1, hasBulkLoop: true)
        try await withNodes(node, admission: { _ in nil }) {
            let stranger = try await RawPeer(port: node.port, opening: .snapshot)
            try await stranger.send(RawPeer.hello(to: 1, as: 2, lane: .snapshot))
            try await waitUntil { stranger.isClosed }
            #expect(try stranger.answer?.kind == .refusal(.unknownNode))

            let control = try await RawPeer(greeting: node, as: 2)
            let snapshot = try await RawPeer(greeting: node, as: 2, lane: .snapshot)
            try await snapshot.send(FrameTests.frame(ByteBuffer(string: "chunk")))
            try await waitUntil { node.bulkOwner?.frames.count == 1 }
            #expect(!control.isClosed)
            try await control.close()
            try await waitUntil { try await node.statistics().connectionsOpen == 0 }
            let late = try await RawPeer(port: node.port, opening: .snapshot)
            try await late.send(RawPeer.hello(to: 1, as: 2, lane: .snapshot))
            try await waitUntil { late.isClosed }
            #expect(try late.answer?.kind == .refusal(.unknownNode))
        }
    }

    @Test("A node that closes takes the connections of that loop with it, also those on their way to it")
    func close() async throws {
        let node = TestNode(node: 1, hasBulkLoop: true)
        try await node.start(admission: { _ in nil })
        let control = try await RawPeer(greeting: node, as: 2)
        let open = try await RawPeer(greeting: node, as: 2, lane: .snapshot)
        let silent = try await RawPeer(port: node.port, opening: .snapshot)
        try await node.close()
        try await waitUntil { control.isClosed && open.isClosed && silent.isClosed }
    }

    @Test("Garbage on it is closed and logged once")
    func garbage() async throws {
        let node = TestNode(node: 1, hasBulkLoop: true)
        try await withNodes(node, admission: { _ in nil }) {
            let control = try await RawPeer(greeting: node, as: 2)
            for body in [ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]), FrameTests.frame(TestNode.unreadable)] {
                for _ in 0..<3 {
                    let raw = try await RawPeer(greeting: node, as: 2, lane: .snapshot)
                    try await raw.send(body)
                    try await waitUntil { raw.isClosed }
                }
            }
            #expect(node.log.count("what no peer sends") == 2, "\(node.log.lines)")
            #expect(!control.isClosed)
        }
    }
}
