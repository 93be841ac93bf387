import LogTestKit
import NIOCore
import PeerTransport
import Testing

@Suite("Refused peers", .timeLimit(.minutes(1)))
struct RefusalTests {
    /// The first dials the second again and again; both hear of it, and each logs it once.
    private func expectRefusal(
        _ reason: PeerRefusal, of first: TestNode, by second: TestNode, dialled: UInt64? = nil,
        admission: (@Sendable (PeerIdentity) -> PeerRefusal?)? = nil, incarnation: UInt64? = nil
    ) async throws {
        try await withNodes(first, second, admission: admission ?? { _ in nil }) {
            let contact = PeerContact(node: dialled ?? second.node, incarnation: incarnation, address: second.address)
            try await first.run { $0.setContacts([contact]) }
            try await waitUntil { first.count(.refusedBy(second.transport.identity, reason)) >= 3 }
            try await waitUntil { second.count(.refused(first.transport.identity, reason)) >= 3 }
            #expect(first.log.count("a peer refuses this node") == 1, "\(first.log.lines)")
            #expect(second.log.count("a peer is refused") == 1, "\(second.log.lines)")
            #expect(first.events.allSatisfy { $0 == .refusedBy(second.transport.identity, reason) })
            #expect(try await first.statistics().refusals >= 3)
            #expect(second.frames.isEmpty)
        }
    }

    @Test("Another cluster")
    func wrongCluster() async throws {
        try await expectRefusal(.wrongCluster, of: TestNode(node: 1, cluster: 7), by: TestNode(node: 2, cluster: 8))
    }

    @Test("A node that the address does not lead to")
    func notThisNode() async throws {
        try await expectRefusal(.notThisNode, of: TestNode(node: 1), by: TestNode(node: 2), dialled: 3)
    }

    @Test("A disk of the acceptor that was wiped")
    func notThisIncarnation() async throws {
        try await expectRefusal(.notThisIncarnation, of: TestNode(node: 1), by: TestNode(node: 2), incarnation: 19)
    }

    @Test("No version in common")
    func noCommonVersion() async throws {
        try await expectRefusal(
            .noCommonVersion, of: TestNode(node: 1) { $0.versions = 1...2 }, by: TestNode(node: 2) { $0.versions = 3...4 })
    }

    @Test("Whatever the owner says")
    func admission() async throws {
        try await expectRefusal(
            .removed, of: TestNode(node: 1), by: TestNode(node: 2), admission: { $0.node == 1 ? .removed : nil })
    }

    @Test("A node whose id is that of the acceptor")
    func sameID() async throws {
        let node = TestNode(node: 1)
        try await withNodes(node, admission: { _ in nil }) {
            let raw = try await RawPeer(port: node.port)
            try await raw.send(RawPeer.hello(to: 1, as: 1, incarnation: 11))
            try await waitUntil { raw.isClosed }
            #expect(try raw.answer?.kind == .refusal(.wrongIncarnation))
        }
    }

    @Test("By contacts: strangers, and a contact's id with another disk")
    func byContacts() async throws {
        let first = TestNode(node: 1)
        try await withNodes(first) {
            try await first.run {
                $0.setContacts([
                    PeerContact(node: 2, incarnation: 20, address: "127.0.0.1:1"),
                    PeerContact(node: 3, incarnation: nil, address: "127.0.0.1:1"),
                ])
            }
            for (node, incarnation, reason) in [
                (4, 40, .unknownNode), (2, 21, .wrongIncarnation), (2, 20, nil), (3, 31, nil),
            ] as [(UInt64, UInt64, PeerRefusal?)] {
                let raw = try await RawPeer(port: first.port)
                try await raw.send(RawPeer.hello(to: 1, as: node, incarnation: incarnation))
                try await waitUntil { try raw.answer != nil }
                #expect(try raw.answer?.kind == reason.map { .refusal($0) } ?? .welcome(.control))
                if reason != nil { try await waitUntil { raw.isClosed } }
            }
        }
    }

    @Test("A refused peer is connected as soon as it is known, and closed when it no longer is")
    func later() async throws {
        let (first, second) = (TestNode(node: 1), TestNode(node: 2))
        try await withNodes(first, second) {
            try await first.contact(second)
            try await waitUntil { first.events.contains(.refusedBy(second.transport.identity, .unknownNode)) }
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await second.isConnected(to: 1) }
            first.forgetEvents()
            try await second.contact()
            try await waitUntil { first.events.contains(.refusedBy(second.transport.identity, .unknownNode)) }
            #expect(first.count(.connectionLost(2)) == 1)
        }
    }

    @Test("A node that joins a cluster says so, and leaves those of others")
    func join() async throws {
        let (first, second, third) = (
            TestNode(node: 1, cluster: nil), TestNode(node: 2, cluster: 8), TestNode(node: 3, cluster: nil)
        )
        try await withNodes(first, second, third, admission: { _ in nil }) {
            try await first.contact(second, third)
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await first.isConnected(to: 3) }
            try await waitUntil { try await second.isConnected(to: 1) }
            try await first.run { $0.join(cluster: 9) }
            let identity = PeerIdentity(cluster: 9, node: 1, incarnation: 10)
            try await waitUntil { second.events.contains(.refused(identity, .wrongCluster)) }
            try await waitUntil { first.events.contains(.refused(second.transport.identity, .wrongCluster)) }
            #expect(try await first.isConnected(to: 3))
            // A new connection says the new cluster.
            try await third.contact(first)
            try await waitUntil { third.events.contains(.connected(1, version: 1)) }
        }
    }

    @Test("The newest common version is used, in both directions, and asked for anew when a peer was upgraded")
    func versions() async throws {
        let first = TestNode(node: 1) { $0.versions = 1...3 }
        let second = TestNode(node: 2) { $0.versions = 1...2 }
        let upgraded = TestNode(node: 2) { $0.versions = 2...5 }
        try await withNodes(first, second, admission: { _ in nil }) {
            try await first.contact(second)
            try await second.contact(first)
            try await waitUntil { try await first.isConnected(to: 2) }
            try await waitUntil { try await second.isConnected(to: 1) }
            #expect(first.events == [.connected(2, version: 2)] && second.events == [.connected(1, version: 2)])
            try await second.send("old", to: first)
            try await waitUntil { first.frames.count == 1 }
            try await second.close()
            try await upgraded.start(port: second.port, admission: { _ in nil })
            try await upgraded.contact(first)
            try await waitUntil { first.events.contains(.connected(2, version: 3)) }
            try await waitUntil { try await upgraded.isConnected(to: 1) }
            #expect(try await first.run { $0.version(of: 2) } == 3)
            try await upgraded.send("new", to: first)
            try await waitUntil { first.frames.count == 2 }
            #expect(first.frames.map(\.version) == [2, 3])
            try await upgraded.close()
        }
    }
}
