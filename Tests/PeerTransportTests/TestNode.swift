import LogTestKit
import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Synchronization
import Testing

/// A transport on a loop of the shared group, and what it told its owner.
///
/// `@unchecked Sendable`: the delegate's calls come on the loop, and keep what they say behind `record`'s lock.
final class TestNode: PeerTransportDelegate, @unchecked Sendable {
    enum Event: Equatable, Sendable {
        case connected(UInt64, version: UInt16)
        case connectionLost(UInt64)
        case unreachable(UInt64)
        case refused(PeerIdentity, PeerRefusal)
        case refusedBy(PeerIdentity, PeerRefusal)
    }

    struct Frame: Equatable, Sendable {
        var from: PeerIdentity
        var lane: PeerLane
        var version: UInt16
        var body: ByteBuffer
    }

    /// A body that no test node takes.
    static let unreadable = ByteBuffer(string: "unreadable")

    struct Record: Sendable {
        var events: [Event] = []
        var frames: [Frame] = []
        var completions = 0
    }

    let loop: any EventLoop
    let transport: PeerTransport
    let log = RecordedLog()
    private let record = Mutex(Record())
    private let boundPort = Mutex(0)
    /// What to do within `connected`.
    private let greeting: (@Sendable (PeerTransport, UInt64) -> Void)?
    /// Who owns the lanes of snapshots and bodies, if they have a loop of their own.
    let bulkOwner: BulkOwner?

    init(
        node: UInt64, incarnation: UInt64? = nil, cluster: UInt64? = 7, tls: PeerTransportTLS? = nil, hasBulkLoop: Bool = false,
        _ configure: (inout PeerTransportSettings) -> Void = { _ in },
        greeting: (@Sendable (PeerTransport, UInt64) -> Void)? = nil
    ) {
        self.greeting = greeting
        var settings = PeerTransportSettings()
        settings.retryMillisecondsMin = 5
        settings.retryMillisecondsMax = 40
        settings.reportMilliseconds = 10
        configure(&settings)
        loop = MultiThreadedEventLoopGroup.singleton.next()
        let log = log
        bulkOwner = hasBulkLoop ? BulkOwner(MultiThreadedEventLoopGroup.singleton.next()) : nil
        transport = PeerTransport(
            identity: PeerIdentity(cluster: cluster, node: node, incarnation: incarnation ?? node * 10), eventLoop: loop,
            bulkLoop: bulkOwner?.loop, settings: settings, tls: tls, logger: Logger(label: "test", factory: { _ in log }))
    }

    var node: UInt64 { transport.identity.node }
    var port: Int { boundPort.withLock { $0 } }
    var address: String { "127.0.0.1:\(port)" }
    var events: [Event] { record.withLock { $0.events } }
    var frames: [Frame] { record.withLock { $0.frames } }
    var completions: Int { record.withLock { $0.completions } }

    func forgetEvents() { record.withLock { $0.events = [] } }

    func count(_ event: Event) -> Int { events.count { $0 == event } }

    // MARK: What tests do

    /// - Parameter port: 0: a free one.
    func start(port: Int = 0, admission: (@Sendable (PeerIdentity) -> PeerRefusal?)? = nil) async throws {
        let address = try await loop.flatSubmit {
            self.transport.start(
                host: "127.0.0.1", port: port, delegate: self, bulkDelegate: self.bulkOwner, admission: admission)
        }.get()
        boundPort.withLock { $0 = address.port ?? 0 }
    }

    func close() async throws { try await loop.flatSubmit { self.transport.close() }.get() }

    /// Something on the loop.
    @discardableResult
    func run<Result: Sendable>(_ body: @escaping @Sendable (PeerTransport) throws -> Result) async throws -> Result {
        try await loop.submit { try body(self.transport) }.get()
    }

    func contact(_ others: TestNode..., incarnations: Bool = true) async throws {
        let contacts = others.map { other in
            PeerContact(
                node: other.node, incarnation: incarnations ? other.transport.identity.incarnation : nil, address: other.address
            )
        }
        try await run { $0.setContacts(contacts) }
    }

    @discardableResult
    func send(_ text: String, to other: TestNode, lane: PeerLane = .control) async throws -> Bool {
        let node = other.node
        return try await run { transport in
            defer { transport.flush() }
            return transport.send(ByteBuffer(string: text), to: node, lane: lane)
        }
    }

    func statistics() async throws -> PeerTransportStatistics { try await run { $0.statistics } }

    func isConnected(to node: UInt64) async throws -> Bool {
        try await statistics().peers.first { $0.node == node }?.isConnected
            == PeerLanes { _ in true }
    }

    // MARK: What the transport says

    func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool {
        loop.preconditionInEventLoop()
        guard body != Self.unreadable else { return false }
        record.withLock { $0.frames.append(Frame(from: peer, lane: lane, version: version, body: body)) }
        return true
    }

    func readCompleted() {
        loop.preconditionInEventLoop()
        record.withLock { $0.completions += 1 }
    }

    func connected(_ peer: PeerIdentity, version: UInt16) {
        add(.connected(peer.node, version: version))
        greeting?(transport, peer.node)
    }

    func connectionLost(_ node: UInt64) { add(.connectionLost(node)) }
    func unreachable(_ node: UInt64) { add(.unreachable(node)) }
    func refused(_ peer: PeerIdentity, reason: PeerRefusal) { add(.refused(peer, reason)) }
    func refused(by peer: PeerIdentity, reason: PeerRefusal) { add(.refusedBy(peer, reason)) }

    private func add(_ event: Event) {
        loop.preconditionInEventLoop()
        record.withLock { $0.events.append(event) }
    }
}

/// Owns the lanes of snapshots and bodies of a node, and keeps the frames that come on them.
final class BulkOwner: PeerTransportDelegate, Sendable {
    let loop: any EventLoop
    private let record = Mutex<[TestNode.Frame]>([])

    init(_ loop: any EventLoop) { self.loop = loop }

    var frames: [TestNode.Frame] { record.withLock { $0 } }

    func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool {
        loop.preconditionInEventLoop()
        guard body != TestNode.unreadable else { return false }
        record.withLock { $0.append(TestNode.Frame(from: peer, lane: lane, version: version, body: body)) }
        return true
    }

    func readCompleted() { loop.preconditionInEventLoop() }
    func connected(_ peer: PeerIdentity, version: UInt16) { loop.preconditionInEventLoop() }
    func connectionLost(_ node: UInt64) { loop.preconditionInEventLoop() }
    func unreachable(_ node: UInt64) { loop.preconditionInEventLoop() }
    func refused(_ peer: PeerIdentity, reason: PeerRefusal) { loop.preconditionInEventLoop() }
    func refused(by peer: PeerIdentity, reason: PeerRefusal) { loop.preconditionInEventLoop() }
}

/// Runs `body` with nodes that are closed whatever happens.
///
/// - Parameter admission: by contacts if nil; otherwise nodes may know each other one after the other without being refused at first.
func withNodes(
    _ nodes: TestNode..., admission: (@Sendable (PeerIdentity) -> PeerRefusal?)? = nil, body: () async throws -> Void
) async throws {
    func closeAll() async throws {
        for node in nodes { try await node.close() }
    }
    do {
        for node in nodes { try await node.start(admission: admission) }
        try await body()
    } catch {
        try await closeAll()
        throw error
    }
    try await closeAll()
}

/// Waits until `condition` holds; the time limit of the test is the bound.
func waitUntil(_ condition: () async throws -> Bool) async throws {
    while try await !condition() {
        try await Task.sleep(for: .milliseconds(2))
    }
}
