import Logging
package import Metadata
package import NIOCore
import NIOPosix
import PeerTransport
import Raft
import RaftStorage
import Synchronization

/// A node of a cluster in the world: performs what its `Replica` decides, and tells it what happens.
///
/// ```
///            callers (any thread)            log's thread     applier's thread    disk threads
///                 │ inbox (one wake-up for all that waits)  │        │                │
///                 ▼                                         ▼        ▼                ▼
///   event loop: Replica ──effects──► transport · LogWriter · Applier · snapshots · callers' continuations
///                 ▲
///                 └── frames of peers, ticks of the clock
/// ```
///
/// `@unchecked Sendable`: the properties below the mark are touched on `loop` only, each entry point checks that or goes there by the
/// inbox; the others are constants of Sendable types.
package final class RaftNode: @unchecked Sendable {
    /// What is waiting for the loop.
    enum Input: Sendable {
        case propose(
            SessionOperation.Kind, [UInt8], WriteLevel, timeoutMilliseconds: UInt64, @Sendable (ProposalOutcome) -> Void)
        case read(ReadOptions, timeoutMilliseconds: UInt64, CheckedContinuation<ReadOutcome, Never>)
        case command(OperatorCommand, CheckedContinuation<CommandOutcome, Never>)
        case ask(OperatorCommand, timeoutMilliseconds: UInt64, CheckedContinuation<CommandOutcome, Never>)
        case event(ReplicaEvent)
        case log(LogWriter.Event)
        case applier(Applier.Event)
        case joined(Result<ClusterID, NodeIdentityError>)
        /// From the loop of the snapshot lane.
        case chunk(PeerEnvelope)
    }

    private struct Inbox {
        enum WakeUp {
            case none
            /// Some caller's event loop will wake the node's when its turn ends.
            case promised
            case given
        }

        var inputs: [Input] = []
        var wakeUp = WakeUp.none
        /// The loop takes nothing more.
        var isClosed = false
    }

    private enum Posting {
        case first, another, late
    }

    package let configuration: RaftNodeConfiguration
    package let identity: NodeIdentity
    package let loop: any EventLoop
    let logger: Logger
    let applier: Applier
    let storage: StateStorage
    let identityFile: NodeIdentityFile
    let writer: LogWriter
    /// Reads old entries of the log; everything of snapshots is done by the other one.
    let fetchThread: NIOThreadPool
    let snapshotThread: NIOThreadPool
    let metrics: ReplicationMetrics
    let bodies: BodyExchange
    private let group: MultiThreadedEventLoopGroup
    private let inbox = Mutex(Inbox())
    private let removal = Atomic<Bool>(false)

    /// It was removed from the cluster: what it still holds grows old, and nobody may be shown it.
    package var isRemoved: Bool { removal.load(ordering: .relaxed) }

    // MARK: Touched on the loop only
    var replica: Replica
    let transport: PeerTransport
    private(set) lazy var bulkLanes = makeBulkLanes()
    var log = LogPipeline()
    var lag = LagClock()
    var stopReason: StopReason?
    /// Peers that have turned this node away as one that was removed, since it had a leader.
    var removers: Set<UInt64> = []
    private var proposals: [UInt64: @Sendable (ProposalOutcome) -> Void] = [:]
    private var reads: [UInt64: CheckedContinuation<ReadOutcome, Never>] = [:]
    private var commands: [UInt64: CheckedContinuation<CommandOutcome, Never>] = [:]
    private var lastToken: UInt64 = 0
    private var timer: RepeatedTask?
    /// Of callers that have not been told yet.
    private var outcomes: [(caller: @Sendable (ProposalOutcome) -> Void, outcome: ProposalOutcome)] = []
    private var isActing = false
    private var willAct = false
    private var notes = NoteGate()

    init(_ opened: OpenedNode, group: MultiThreadedEventLoopGroup) {
        configuration = opened.configuration
        identity = opened.identity
        logger = opened.configuration.logger
        applier = opened.applier
        storage = opened.storage
        identityFile = opened.identityFile
        writer = opened.writer
        metrics = opened.metrics
        replica = opened.replica
        self.group = group
        loop = group.next()
        fetchThread = NIOThreadPool(numberOfThreads: 1)
        snapshotThread = NIOThreadPool(numberOfThreads: 1)
        transport = PeerTransport(
            identity: PeerIdentity(
                cluster: opened.replica.cluster?.rawValue, node: opened.identity.node.rawValue,
                incarnation: opened.identity.incarnation.rawValue),
            eventLoop: loop, bulkLoop: group.next(), settings: opened.configuration.transport, tls: opened.configuration.tls,
            logger: opened.configuration.logger)
        guard let bulk = transport.bulk else { preconditionFailure("bodies have a loop of their own") }
        bodies = BodyExchange(
            bulk, node: opened.identity.node, store: opened.bodies.store, ledger: opened.bodies.ledger,
            hold: opened.bodies.hold, settings: opened.bodies.settings, logger: opened.configuration.logger,
            checkSpace: opened.bodies.checkSpace)
        fetchThread.start()
        snapshotThread.start()
        removeReplacedStores()
    }

    // MARK: From any thread

    /// Tells what became of the write, once, at the latest when its time is over. The caller is told on the node's loop: it must go on
    /// elsewhere.
    ///
    /// - Parameter operation: as in `SessionOperation`.
    package func propose(
        _ operation: [UInt8], kind: SessionOperation.Kind = .metadata, level: WriteLevel, timeoutMilliseconds: UInt64,
        caller: @escaping @Sendable (ProposalOutcome) -> Void
    ) {
        postRequest(.propose(kind, operation, level, timeoutMilliseconds: timeoutMilliseconds, caller))
    }

    /// Returns when the published view is what the read asks for.
    package func awaitRead(_ options: ReadOptions, timeoutMilliseconds: UInt64) async -> ReadOutcome {
        await withCheckedContinuation { postRequest(.read(options, timeoutMilliseconds: timeoutMilliseconds, $0)) }
    }

    /// Carries the command out on this node, or refuses it if it is for the leader and that is another one.
    package func perform(_ command: OperatorCommand) async -> CommandOutcome {
        await withCheckedContinuation { post(.command(command, $0)) }
    }

    /// Has the leader carry the command out, whichever node that is. Returns at the latest when the time is over; what was begun goes on.
    package func ask(_ command: OperatorCommand, timeoutMilliseconds: UInt64) async -> CommandOutcome {
        await withCheckedContinuation { post(.ask(command, timeoutMilliseconds: timeoutMilliseconds, $0)) }
    }

    /// Hands the loop something; all that waits costs it one wake-up.
    func post(_ input: Input) {
        let posting = inbox.withLock { inbox -> Posting in
            if inbox.isClosed { return .late }
            inbox.inputs.append(input)
            defer { inbox.wakeUp = .given }
            return inbox.wakeUp == .given ? .another : .first
        }
        switch posting {
        case .first: loop.execute { [self] in drain() }
        case .another: break
        case .late: Self.refuse(input)
        }
    }

    /// Hands the loop a caller's request. An event loop has more of them mostly, from the sockets that were ready together with this one's:
    /// they go as one when its turn ends, and so through the log and to the peers.
    private func postRequest(_ input: Input) {
        guard let caller = MultiThreadedEventLoopGroup.currentEventLoop, caller !== loop else { return post(input) }
        let posting = inbox.withLock { inbox -> Posting in
            if inbox.isClosed { return .late }
            inbox.inputs.append(input)
            guard inbox.wakeUp == .none else { return .another }
            inbox.wakeUp = .promised
            return .first
        }
        switch posting {
        case .first: caller.execute { [self] in keepPromise() }
        case .another: break
        case .late: Self.refuse(input)
        }
    }

    private func keepPromise() {
        let isDue = inbox.withLock { inbox in
            guard inbox.wakeUp == .promised else { return false }
            inbox.wakeUp = .given
            return true
        }
        if isDue { loop.execute { [self] in drain() } }
    }

    var isClosed: Bool { inbox.withLock { $0.isClosed } }

    /// Nobody may wait for a node that is closed.
    private static func refuse(_ input: Input) {
        switch input {
        case .propose(_, _, _, _, let caller): caller(.refused(.stopped(.shutdown)))
        case .read(_, _, let caller): caller.resume(returning: .failed(.stopped(.shutdown)))
        case .command(_, let caller), .ask(_, _, let caller): caller.resume(returning: .refused(.stopped(.shutdown)))
        case .event, .log, .applier, .joined, .chunk: break
        }
    }

    // MARK: The loop

    private func drain() {
        let inputs = inbox.withLock { inbox in
            inbox.wakeUp = .none
            defer { inbox.inputs = [] }
            return inbox.inputs
        }
        for input in inputs { take(input) }
        if !willAct { act() }
    }

    /// Acts when all sockets that are ready have been read: what several peers have sent is answered in one go.
    func actSoon() {
        guard !willAct else { return }
        willAct = true
        loop.assumeIsolated().execute { [self] in
            willAct = false
            act()
        }
    }

    private func take(_ input: Input) {
        switch input {
        case .propose(let kind, let operation, let level, let timeout, let caller):
            let now = BootClock.now
            let token = nextToken()
            proposals[token.rawValue] = caller
            replica.handle(
                .propose(
                    Proposal(
                        token: token, kind: kind, operation: operation, level: level,
                        deadline: now.adding(milliseconds: timeout))),
                at: now)
        case .read(_, _, let caller) where isRemoved: caller.resume(returning: .failed(.stopped(.removed)))
        case .read(let options, let timeout, let caller):
            let now = BootClock.now
            let token = nextToken()
            reads[token.rawValue] = caller
            replica.handle(
                .read(
                    ReadRequest(
                        token: token, consistency: options.consistency, minimumIndex: LogIndex(options.minimumIndex),
                        deadline: now.adding(milliseconds: timeout))), at: now)
        case .command(let command, let caller):
            let token = nextToken()
            commands[token.rawValue] = caller
            handle(.command(token, command))
        case .ask(let command, let timeout, let caller):
            let now = BootClock.now
            let token = nextToken()
            commands[token.rawValue] = caller
            replica.handle(.ask(token, command, deadline: now.adding(milliseconds: timeout)), at: now)
        case .event(let event): handle(event)
        case .log(let event): take(event)
        case .applier(let event): take(event)
        case .joined(.success(let cluster)): joined(cluster)
        case .joined(.failure(let error)): handle(.logFailed(detail: "the identity cannot be written: \(error)"))
        case .chunk(let envelope):
            bulkLanes.snapshots.taken()
            handle(.received(envelope))
        }
    }

    private func makeBulkLanes() -> BulkLanes {
        guard let bulk = transport.bulk else { preconditionFailure("snapshots have a loop of their own") }
        return BulkLanes(snapshots: SnapshotLane(bulk, logger: logger) { [unowned self] in post(.chunk($0)) }, bodies: bodies)
    }

    private func nextToken() -> RequestToken {
        lastToken += 1
        return RequestToken(lastToken)
    }

    func handle(_ event: ReplicaEvent) { replica.handle(event, at: BootClock.now) }

    /// Does what the replica has decided, until nothing is left.
    func act() {
        // What an effect brings about at once is acted upon by the one who performs it.
        guard !isActing else { return }
        isActing = true
        defer { isActing = false }
        while true {
            let effects = replica.takeEffects()
            if effects.isEmpty { break }
            for effect in effects { perform(effect) }
            pumpLog()
        }
        transport.flush()
        // One after the other, so that all callers of an event loop are one wake-up to it.
        for (caller, outcome) in outcomes { caller(outcome) }
        outcomes.removeAll(keepingCapacity: true)
    }

    private func tick() {
        lag.tick(at: BootClock.now, last: replica.core.lastIndex.rawValue)
        handle(.tick)
        drain()
    }

    // MARK: Start and end

    /// Binds the peers' port and begins. - Returns: the address bound. - Throws: `RaftNodeError.transport`.
    package func start() async throws -> SocketAddress {
        do {
            let address = try await loop.flatSubmit { [self] in
                transport.start(
                    host: configuration.listenHost, port: configuration.listenPort, delegate: self,
                    bulkDelegate: bulkLanes, admission: { [unowned self] in admission(of: $0) })
            }.get()
            try await loop.submit { [self] in
                timer = loop.scheduleRepeatedTask(
                    initialDelay: .milliseconds(configuration.tickMilliseconds),
                    delay: .milliseconds(configuration.tickMilliseconds)
                ) { [unowned self] _ in tick() }
                act()
            }.get()
            bodies.start()
            return address
        } catch let error as PeerTransportError { throw RaftNodeError.transport(error) }
    }

    /// Who is configured may speak, so that a node that was alone hears of those it is to add.
    private func admission(of peer: PeerIdentity) -> PeerRefusal? {
        let node = NodeID(peer.node)
        // Whoever wants to add this node has to be heard; nothing has been promised to anybody yet.
        if configuration.joins, replica.cluster == nil { return nil }
        if let member = replica.members.first(where: { $0.node == node }) {
            guard member.identity.incarnation.rawValue == peer.incarnation else { return .wrongIncarnation }
            // What was a member and is none would otherwise never learn it: nobody dials it any more.
            let isMember = replica.core.configuration.members.contains(node)
            return isMember || transport.refusalByContacts(of: peer) == nil ? nil : .removed
        }
        if configuration.nodes.contains(where: { $0.id == node }) { return nil }
        return transport.refusalByContacts(of: peer)
    }

    /// Hands leadership over, ends what waits, and closes everything, durably. Idempotent calls are the caller's business.
    package func close() async {
        await handOver()
        post(.event(.stop))
        try? await loop.submit { [self] in
            timer?.cancel()
            timer = nil
        }.get()
        await bodies.close()
        try? await loop.flatSubmit { [self] in transport.close() }.get()
        try? await fetchThread.shutdownGracefully()
        try? await snapshotThread.shutdownGracefully()
        // What follows blocks, and is followed by nothing.
        try? await NIOThreadPool.singleton.runIfActive { [self] in
            writer.close()
            applier.close()
        }
        let late = inbox.withLock { inbox in
            inbox.isClosed = true
            defer { inbox.inputs = [] }
            return inbox.inputs
        }
        for input in late { Self.refuse(input) }
        try? await group.shutdownGracefully()
    }

    /// A leader that stops asks the follower that has most to take over: its clients then wait for a round trip, not for an election.
    private func handOver() async {
        let successor: NodeID? = try? await loop.submit { [self] in
            guard replica.core.role == .leader else { return nil }
            let voters = replica.core.configuration.voters
            return replica.core.peers.filter { $0.node != identity.node && $0.isActive && voters.contains($0.node) }
                .max { $0.match < $1.match }?.node
        }.get()
        if let successor { _ = await perform(.transferLeadership(to: successor)) }
    }

    // MARK: Outcomes

    private func perform(_ effect: ReplicaEffect) {
        switch effect {
        case .send(let envelope): send(envelope)
        case .append(let append): log.queue.append(.append(append))
        case .install(let id, let append): log.queue.append(.install(id, append))
        case .found(let genesis): log.queue.append(.found(genesis))
        case .join(let cluster): log.queue.append(.join(cluster))
        case .compact(let mark, let floor): log.queue.append(.compact(mark, keepingAfter: floor))
        case .fetch(let fetch): self.fetch(fetch)
        case .apply(let entries):
            log.applyingCount += entries.count
            applier.submit(.apply(entries))
        case .complete(let token, let outcome):
            if let caller = proposals.removeValue(forKey: token.rawValue) { outcomes.append((caller, outcome)) }
        case .completeRead(let token, let outcome): reads.removeValue(forKey: token.rawValue)?.resume(returning: outcome)
        case .completeCommand(let token, let outcome):
            commands.removeValue(forKey: token.rawValue)?.resume(returning: outcome)
        case .takeSnapshot: takeSnapshot()
        case .checkSnapshot(let id): checkSnapshot(id)
        case .releaseSnapshot(let id): onDisk { $0.release(id) }
        case .sendChunk(let id, let number, let receiver): sendChunk(id, number, to: receiver)
        case .openReception, .storeChunk, .finishReception, .abandonReception: receive(effect)
        case .connect(let contacts): connect(contacts)
        case .standing(let standing):
            metrics.standing(standing)
            logger.notice(
                "standing",
                metadata: [
                    "role": "\(standing.role)", "term": "\(standing.term.rawValue)",
                    "leader": "\(standing.leader.map { "\($0.rawValue)" } ?? "none")",
                ])
        case .note(let note):
            if notes.isNews(note, at: BootClock.now) { write(note) }
            // Whoever breaks the protocol may begin anew.
            if case .invalidMessage(let sender, _) = note { transport.disconnect(sender.rawValue) }
        case .stopped(let reason): stopped(reason)
        }
    }

    private func stopped(_ reason: StopReason) {
        stopReason = reason
        if case .shutdown = reason { return }
        if case .removed = reason { leave() }
        logger.critical("The replica has stopped: no more writes and linearizable reads", metadata: ["reason": "\(reason)"])
        // Its peers shall notice at once.
        transport.close().whenComplete { _ in }
        timer?.cancel()
    }

    /// The directory says so from now on, so that nobody starts it again as if nothing had happened.
    private func leave() {
        removal.store(true, ordering: .relaxed)
        let (identityFile, logger) = (identityFile, logger)
        onDisk { _ in
            do throws(NodeIdentityError) { _ = try identityFile.leave() } catch {
                logger.error("The identity cannot be written", metadata: ["error": "\(error)"])
            }
        }
    }
}
