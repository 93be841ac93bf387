import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("The lanes of snapshots and bodies on a loop of their own", .timeLimit(.minutes(1)))
struct BulkLoopTests {
    static let bulkLanes: [PeerLane] = [.snapshot, .body]

    private func nodes(_ certificates: TLSTests.Certificates?) throws -> (TestNode, TestNode) {
        (
            TestNode(node: 1, tls: try certificates?.tls("first"), hasBulkLoop: true),
            TestNode(node: 2, tls: try certificates?.tls("second"), hasBulkLoop: true)
        )
    }

    private func isConnected(_ node: TestNode, to peer: UInt64) async throws -> Bool {
        guard let bulk = node.transport.bulk else { return false }
        let there = try await bulk.eventLoop.submit { bulk.statistics.peers.first { $0.node == peer }?.isConnected }.get()
        let here = try await node.statistics().peers.first { $0.node == peer }?.isConnected
        return there == PeerLanes { Self.bulkLanes.contains($0) } && here == PeerLanes { !Self.bulkLanes.contains($0) }
    }

    private func connectionCounts(_ node: TestNode, to peer: UInt64) async throws -> [UInt64?] {
        let bulk = try #require(node.transport.bulk)
        return try await bulk.eventLoop.submit {
            let traffic = bulk.statistics.peers.first { $0.node == peer }?.traffic
            return Self.bulkLanes.map { traffic?[$0].connections }
        }.get()
    }

    private func send(
        _ bodies: [ByteBuffer], from node: TestNode, to peer: UInt64, lane: PeerLane = .snapshot
    ) async throws -> [Bool] {
        let bulk = try #require(node.transport.bulk)
        return try await bulk.eventLoop.submit {
            defer { bulk.flush() }
            return bodies.map { bulk.send($0, to: peer, lane: lane) }
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
            for lane in Self.bulkLanes {
                #expect(try await send(bodies, from: first, to: 2, lane: lane) == bodies.map { _ in true })
            }
            for number in 0..<50 {
                #expect(try await first.send("\(number)", to: second))
                #expect(try await first.send("\(number)", to: second, lane: .log))
            }
            try await waitUntil { second.bulkOwner?.frames.count == 2 * bodies.count && second.frames.count == 100 }
            let frames = second.bulkOwner?.frames ?? []
            for lane in Self.bulkLanes { #expect(frames.filter { $0.lane == lane }.map(\.body) == bodies) }
            #expect(frames.allSatisfy { $0.from == first.transport.identity })
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
            for lane in Self.bulkLanes {
                try await waitUntil { try await send([ByteBuffer(string: "lost")], from: first, to: 2, lane: lane) == [false] }
            }
            try await again.start(port: second.port, admission: { _ in nil })
            do {
                try await waitUntil { try await isConnected(first, to: 2) }
                for lane in Self.bulkLanes {
                    #expect(try await send([ByteBuffer(string: "found")], from: first, to: 2, lane: lane) == [true])
                }
                try await waitUntil { again.bulkOwner?.frames.count == 2 }
            } catch {
                try await again.close()
                throw error
            }
            try await again.close()
        }
    }

    @Test("None of them depends on the other: what breaks the one leaves the other's connection", arguments: [0, 1])
    func independence(broken: Int) async throws {
        let (first, second) = try nodes(nil)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await waitUntil { try await isConnected(first, to: 2) }
            #expect(try await connectionCounts(first, to: 2) == [1, 1])
            #expect(try await send([TestNode.unreadable], from: first, to: 2, lane: Self.bulkLanes[broken]) == [true])
            try await waitUntil { try await connectionCounts(first, to: 2)[broken] == 2 }
            try await waitUntil { try await isConnected(first, to: 2) }
            for lane in Self.bulkLanes {
                #expect(try await send([ByteBuffer(string: "found")], from: first, to: 2, lane: lane) == [true])
            }
            try await waitUntil { second.bulkOwner?.frames.count == 2 }
            #expect(try await connectionCounts(first, to: 2)[1 - broken] == 1)
            #expect(first.events == [.connected(2, version: 1)])
        }
    }

    @Test("A lane that waits to be dialled again is dialled when the peer has come on it", arguments: bulkLanes)
    func dialledAtOnce(lane: PeerLane) async throws {
        let first = TestNode(node: 1, hasBulkLoop: true) {
            $0.retryMillisecondsMin = 3_600_000
            $0.retryMillisecondsMax = 3_600_000
        }
        let second = TestNode(node: 2, hasBulkLoop: true)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await waitUntil { try await isConnected(first, to: 2) }
            #expect(try await send([TestNode.unreadable], from: first, to: 2, lane: lane) == [true])
            let position = try #require(Self.bulkLanes.firstIndex(of: lane))
            try await waitUntil { try await send([ByteBuffer(string: "lost")], from: first, to: 2, lane: lane) == [false] }
            #expect(try await connectionCounts(first, to: 2)[position] == 1)
            try await second.contact(first)
            try await waitUntil { try await isConnected(first, to: 2) }
            #expect(try await connectionCounts(first, to: 2)[position] == 2)
        }
    }

    @Test("Nobody is let in whom the control lane has not let in, or lets in no more", arguments: bulkLanes)
    func admission(lane: PeerLane) async throws {
        let node = TestNode(node: 1, hasBulkLoop: true)
        try await withNodes(node, admission: { _ in nil }) {
            let stranger = try await RawPeer(port: node.port, opening: lane)
            try await stranger.send(RawPeer.hello(to: 1, as: 2, lane: lane))
            try await waitUntil { stranger.isClosed }
            #expect(try stranger.answer?.kind == .refusal(.unknownNode))

            let control = try await RawPeer(greeting: node, as: 2)
            let snapshot = try await RawPeer(greeting: node, as: 2, lane: lane)
            try await snapshot.send(FrameTests.frame(ByteBuffer(string: "chunk")))
            try await waitUntil { node.bulkOwner?.frames.count == 1 }
            #expect(!control.isClosed)
            try await control.close()
            try await waitUntil { try await node.statistics().connectionsOpen == 0 }
            let late = try await RawPeer(port: node.port, opening: lane)
            try await late.send(RawPeer.hello(to: 1, as: 2, lane: lane))
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
        let other = try await RawPeer(greeting: node, as: 2, lane: .body)
        let silent = try await RawPeer(port: node.port, opening: .snapshot)
        try await node.close()
        try await waitUntil { control.isClosed && open.isClosed && other.isClosed && silent.isClosed }
    }

    @Test("Garbage on it is closed and logged once", arguments: bulkLanes)
    func garbage(lane: PeerLane) async throws {
        let node = TestNode(node: 1, hasBulkLoop: true)
        try await withNodes(node, admission: { _ in nil }) {
            let control = try await RawPeer(greeting: node, as: 2)
            for body in [ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]), FrameTests.frame(TestNode.unreadable)] {
                for _ in 0..<3 {
                    let raw = try await RawPeer(greeting: node, as: 2, lane: lane)
                    try await raw.send(body)
                    try await waitUntil { raw.isClosed }
                }
            }
            #expect(node.log.count("what no peer sends") == 2, "\(node.log.lines)")
            #expect(!control.isClosed)
        }
    }
}
