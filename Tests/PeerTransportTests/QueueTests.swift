import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Queues of frames", .timeLimit(.minutes(1)))
struct QueueTests {
    private func connected(
        _ first: TestNode, body: (TestNode) async throws -> Void
    ) async throws {
        let second = TestNode(node: 2)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await body(second)
        }
    }

    @Test("Beyond the count frames are dropped, and it is said once a while; a flush makes room")
    func count() async throws {
        let first = TestNode(node: 1) { $0.queueCountMax.log = 3 }
        try await connected(first) { second in
            let taken = try await first.run { transport in
                (0..<5).map { transport.send(ByteBuffer(string: "\($0)"), to: 2, lane: .log) }
            }
            #expect(taken == [true, true, true, false, false])
            try await waitUntil { first.events == [.connected(2, version: 1), .unreachable(2)] }
            try await first.run { $0.flush() }
            try await waitUntil { second.frames.count == 3 }
            #expect(try await first.send("5", to: second, lane: .log))
            try await waitUntil { second.frames.map { String(buffer: $0.body) } == ["0", "1", "2", "5"] }
            let traffic = try #require(try await first.statistics().peers.first?.traffic.log)
            #expect(traffic.framesSent == 4 && traffic.framesDropped == 2)
            #expect(first.count(.unreachable(2)) == 1)
        }
    }

    @Test("Beyond the bytes frames are dropped, but one may always wait")
    func bytes() async throws {
        let first = TestNode(node: 1) { $0.queueByteCountMax.log = 100 }
        try await connected(first) { second in
            let taken = try await first.run { transport in
                [1000, 1].map { transport.send(ByteBuffer(repeating: 1, count: $0), to: 2, lane: .log) }
            }
            #expect(taken == [true, false])
            try await first.run { $0.flush() }
            try await waitUntil { second.frames.count == 1 }
            let more = try await first.run { transport in
                defer { transport.flush() }
                return [42, 42, 1].map { transport.send(ByteBuffer(repeating: 1, count: $0), to: 2, lane: .log) }
            }
            #expect(more == [true, true, false])
            try await waitUntil { second.frames.count == 3 }
        }
    }

    @Test("Large bodies, in one part or two, and small ones keep their order and their bytes")
    func large() async throws {
        let first = TestNode(node: 1)
        try await connected(first) { second in
            let sizes = [1, 4096, 4097, 100, 1_000_000, 5, 70_000, 300_000]
            let bodies = sizes.map { size in ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* size >> 3) }) }
            try await first.run { transport in
                for body in bodies {
                    #expect(transport.send(body, to: 2, lane: .log))
                    var (head, rest) = (body, body)
                    head.moveWriterIndex(to: head.readerIndex + 1)
                    rest.moveReaderIndex(forwardBy: 1)
                    #expect(transport.send(head, rest, to: 2, lane: .log))
                }
                transport.flush()
            }
            try await waitUntil { second.frames.count == 2 * bodies.count }
            #expect(second.frames.map(\.body) == bodies.flatMap { [$0, $0] })
        }
    }

    @Test("A frame that the peer would not take is dropped and logged")
    func sizes() async throws {
        let first = TestNode(node: 1) { $0.frameByteCountMax.control = 10 }
        try await connected(first) { second in
            let taken = try await first.run { transport in
                [0, 11, 11, 10].map { transport.send(ByteBuffer(repeating: 1, count: $0), to: 2, lane: .control) }
            }
            #expect(taken == [false, false, false, true])
            #expect(first.log.count("empty or too long") == 1)
            try await first.run { $0.flush() }
            try await waitUntil { second.frames.count == 1 }
        }
    }

    @Test("What the owner sends on any lane when it hears of a connection arrives")
    func early() async throws {
        let first = TestNode(node: 1) { _ in
        } greeting: { transport, node in
            for lane in PeerLane.allCases {
                for number in 0..<10 {
                    #expect(transport.send(ByteBuffer(string: "\(number)"), to: node, lane: lane))
                }
            }
            transport.flush()
        }
        try await connected(first) { second in
            try await waitUntil { second.frames.count == 40 }
            for lane in PeerLane.allCases {
                #expect(second.frames.filter { $0.lane == lane }.map { String(buffer: $0.body) } == (0..<10).map { "\($0)" })
            }
            #expect(first.events == [.connected(2, version: 1)])
        }
    }

    @Test("Frames for a contact without a connection are reported, those for strangers counted")
    func noConnection() async throws {
        let (first, second, third) = (TestNode(node: 1), TestNode(node: 2), TestNode(node: 3))
        try await withNodes(first) {
            try await first.run { $0.setContacts([PeerContact(node: 2, incarnation: nil, address: "127.0.0.1:1")]) }
            #expect(try await first.send("lost", to: second) == false)
            #expect(try await first.send("lost", to: third) == false)
            try await waitUntil { first.events == [.unreachable(2)] }
            #expect(try await first.statistics().framesForStrangers == 1)
        }
    }
}
