import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Nodes connect and exchange frames", .timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test("Each lane carries frames in order, both ways, with the sender's identity and the version")
    func roundTrip() async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await second.isConnected(to: 1) }
            #expect(first.events == [.connected(2, version: 1)])
            #expect(second.events == [.connected(1, version: 1)])
            for lane in PeerLane.allCases {
                for number in 0..<100 { #expect(try await first.send("\(lane) \(number)", to: second, lane: lane)) }
            }
            #expect(try await second.send("back", to: first))
            try await waitUntil { second.frames.count == 400 && first.frames.count == 1 }
            for lane in PeerLane.allCases {
                let frames = second.frames.filter { $0.lane == lane }
                #expect(frames.map { String(buffer: $0.body) } == (0..<100).map { "\(lane) \($0)" })
            }
            #expect(second.frames.allSatisfy { $0.from == first.transport.identity && $0.version == 1 })
            #expect(second.completions > 0)
            let sent = try #require(try await first.statistics().peers.first)
            let received = try #require(try await second.statistics().peers.first)
            #expect(sent.traffic.log.framesSent == 100 && sent.traffic.log.framesDropped == 0)
            #expect(received.traffic.log.framesReceived == 100)
            #expect(received.traffic.log.bytesReceived == sent.traffic.log.bytesSent)
        }
        #expect(first.log.lines.count == 1, "\(first.log.lines)")
    }
}
