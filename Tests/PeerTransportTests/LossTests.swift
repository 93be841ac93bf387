import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Lost connections", .timeLimit(.minutes(1)))
struct LossTests {
    @Test("A peer that is gone is reported once, and found again when it comes back")
    func restart() async throws {
        let first = TestNode(node: 1)
        let second = TestNode(node: 2)
        let again = TestNode(node: 2)
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await second.isConnected(to: 1) }
            first.forgetEvents()
            try await second.close()
            try await waitUntil { first.events.contains(.connectionLost(2)) }
            #expect(try await first.send("lost", to: second) == false)
            try await waitUntil { first.events.contains(.unreachable(2)) }
            #expect(second.events.allSatisfy { $0 != .connectionLost(1) })

            do {
                try await again.start(port: second.port)
                try await again.contact(first)
                try await waitUntil { try await first.isConnected(to: 2) }
                try await waitUntil { try await again.isConnected(to: 1) }
                #expect(first.count(.connectionLost(2)) == 1)
                #expect(first.count(.connected(2, version: 1)) == 1)
                #expect(try await first.send("found", to: again, lane: .log))
                #expect(try await again.send("found", to: first, lane: .snapshot))
                try await waitUntil { again.frames.count == 1 && first.frames.count == 1 }
            } catch {
                try await again.close()
                throw error
            }
            try await again.close()
        }
    }

    @Test("A connection that a peer closes counts though nothing was ever dialled to it")
    func acceptedOnly() async throws {
        let first = TestNode(node: 1)
        try await withNodes(first, admission: { _ in nil }) {
            let log = try await RawPeer(greeting: first, as: 2, lane: .log)
            let control = try await RawPeer(greeting: first, as: 2)
            try await log.close()
            try await waitUntil { try await first.statistics().connectionsOpen == 1 }
            try await control.close()
            try await waitUntil { first.events == [.connectionLost(2)] }
        }
    }

    @Test("What this node closes is no loss; for the peer it is")
    func ownClose() async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await second.isConnected(to: 1) }
            try await first.contact()
            try await waitUntil { second.events.contains(.connectionLost(1)) }
            #expect(try await first.statistics().peers.isEmpty)
            #expect(first.count(.connectionLost(2)) == 0)
        }
    }

    @Test("A newer connection of a lane takes the place of the older, one of another incarnation that of all")
    func replacement() async throws {
        let first = TestNode(node: 1)
        try await withNodes(first, admission: { _ in nil }) {
            let old = try await RawPeer(greeting: first, as: 2)
            let log = try await RawPeer(greeting: first, as: 2, lane: .log)
            let new = try await RawPeer(greeting: first, as: 2)
            try await waitUntil { old.isClosed }
            #expect(!log.isClosed && !new.isClosed)
            let wiped = try await RawPeer(greeting: first, as: 2, incarnation: 21)
            try await waitUntil { new.isClosed && log.isClosed }
            #expect(!wiped.isClosed && first.events.isEmpty)
            try await wiped.close()
            try await waitUntil { first.events == [.connectionLost(2)] }
        }
    }

    @Test("A peer that takes nothing any more is lost, and dialled again")
    func stall() async throws {
        let silent = try await SilentPeer(node: 2)
        let first = TestNode(node: 1) {
            $0.stallMilliseconds = 150
            $0.queueByteCountMax.control = 64 << 20
        }
        try await withNodes(first, admission: { _ in nil }) {
            try await first.run { [address = silent.address] in
                $0.setContacts([PeerContact(node: 2, incarnation: 20, address: address)])
            }
            try await waitUntil { try await first.isConnected(to: 2) }
            // More than the buffers of both sockets take.
            try await first.run { transport in
                for _ in 0..<40 { transport.send(ByteBuffer(repeating: 1, count: 1 << 20), to: 2, lane: .control) }
                transport.flush()
            }
            try await waitUntil { first.count(.connectionLost(2)) == 1 }
            try await waitUntil { silent.welcomeCount == 2 && first.count(.connected(2, version: 1)) == 2 }
        }
        try await silent.close()
    }

    @Test("Another address or incarnation of a contact is dialled at once, the same again is not")
    func contacts() async throws {
        let (first, second, other) = (TestNode(node: 1), TestNode(node: 2), TestNode(node: 2, incarnation: 21))
        try await withNodes(first, second, other, admission: { _ in nil }) {
            try await first.contact(second, incarnations: false)
            try await waitUntil { try await first.isConnected(to: 2) }
            // What has been found is what is said now.
            try await first.contact(second)
            try await first.contact(second)
            #expect(try await first.statistics().peers.first?.traffic.control.connections == 1)
            try await first.contact(other)
            try await waitUntil {
                let peer = try await first.statistics().peers.first
                return peer?.incarnation == 21 && peer?.traffic.log.connections == 2
            }
            #expect(first.count(.connectionLost(2)) == 0)
        }
    }

    @Test("Names are looked up")
    func names() async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second, admission: { _ in nil }) {
            let port = second.port
            try await first.run { $0.setContacts([PeerContact(node: 2, incarnation: nil, address: "localhost:\(port)")]) }
            try await waitUntil { try await first.isConnected(to: 2) }
        }
    }

    @Test(
        "An address that is none is logged once, and replaced",
        arguments: ["", "host", "host:", ":1", "::1:1", "a:0", "a:65536"])
    func badAddress(address: String) async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.run { $0.setContacts([PeerContact(node: 2, incarnation: nil, address: address)]) }
            try await first.contact(second)
            try await waitUntil { try await first.isConnected(to: 2) }
            #expect(first.log.count("no host and port") == 1)
        }
    }
}
