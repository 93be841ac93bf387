import FileSystem
import KeyValueStore
import Raft
import RaftStorage
import Replication

/// One run: a cluster in one thread and virtual time (microseconds), decided by its settings.
///
/// The nodes run the product's own `Replica`, `RaftCore`, `SegmentedLog` and `ReplicatedStateMachine`; simulated are the disk under the
/// log, the store, the network, the clocks and the clients. Every node's process is driven as the server drives it, effect by effect; an
/// event is one message, tick, or completion of a disk or an applier.
///
///     faults for `eventCount` events ─► everything is healed ─► converged? ─► calm: who leads stays ─► last checks
package final class Simulation {
    package let settings: SimulationSettings
    let mutant: Mutant?

    var now: UInt64 = 0
    var queue = EventQueue<SimulationEvent>()
    /// Nodes are numbered from 1 on; place 0 is number 1.
    var nodes: [SimulatedNode] = []
    var network = Network()
    var checker: InvariantChecker?
    var genesis: Genesis?
    var trace = Trace()
    var workload: Workload
    var operators = OperatorState()
    var statistics = SimulationStatistics()
    /// What the snapshots that were ever taken contain, by what names them.
    var checkpoints: [SnapshotID: InMemoryStore.Checkpoint] = [:]
    var fingerprintCount: UInt64 = 0
    var tokenCount: UInt64 = 0

    // One source of chance for each concern, so that they do not disturb each other.
    var random: SeededRandom
    var networkRandom: SeededRandom
    var diskRandom: SeededRandom
    /// Of all that concerns bodies: a run without them is what it was.
    var bodyRandom: SeededRandom
    let bodyTimes: BodyTimes
    /// When the newest message about bodies arrives, by sender and receiver: none overtakes another.
    var bodyArrivals: [Link: UInt64] = [:]
    /// Of all that concerns restores, likewise.
    var restoreRandom: SeededRandom
    var restores = SimulatedRestores()
    var faultCount = 0
    /// No more trouble: everything is being mended, or is.
    var isHealing = false
    var nextOperatorTurn: UInt64 = 0

    /// Microseconds between two ticks of a node whose clock is right.
    static let tickMicroseconds: UInt64 = 10_000

    package init(_ settings: SimulationSettings) {
        self.settings = settings
        mutant = settings.mutant.flatMap { Mutant.named($0) }
        random = SeededRandom(seed: settings.seed)
        networkRandom = random.fork()
        diskRandom = random.fork()
        bodyRandom = SeededRandom(seed: settings.seed ^ 0x426f_6469_6573)
        bodyTimes = BodyTimes(&bodyRandom, mutations: mutant?.replication ?? [])
        restoreRandom = SeededRandom(seed: settings.seed ^ 0x5265_7374_6f72_6573)
        workload = Workload(clientCount: settings.clientCount, settings: settings, random: random.fork())
    }

    /// Runs to the end, or to the first invariant that does not hold.
    package func run() -> SimulationResult {
        var violation: InvariantViolation?
        do throws(InvariantViolation) {
            try begin()
            try runTrouble()
            try heal()
            try checkEnd()
        } catch { violation = error }
        statistics.virtualMicroseconds = now
        statistics.eventCount = trace.eventCount
        return SimulationResult(
            settings: settings, digest: trace.digest, violation: violation, statistics: statistics,
            lines: violation == nil ? [] : report())
    }

    // MARK: The beginning

    private func begin() throws(InvariantViolation) {
        for _ in 0..<settings.nodeCount { addNode() }
        if !settings.beginsEmpty { try found() }
        for node in nodes {
            // Who has to agree on a beginning is not there at the same time.
            if settings.beginsEmpty {
                schedule(.restart(node.number), after: UInt64(random.next(in: 0...400_000)))
            } else {
                try start(node)
            }
        }
        drawWeather()
        for client in workload.clients.indices { schedule(.client(client), after: UInt64(random.next(in: 1_000...100_000))) }
        if settings.faults != [] {
            schedule(.fault, after: UInt64(random.next(in: 10_000...400_000)))
            schedule(.operatorTurn, after: UInt64(random.next(in: 100_000...500_000)))
        }
        if settings.hasBodies, settings.faults.contains(.damagedBodies) { scheduleDamage() }
        if settings.hasRestores { scheduleRestoreTurn() }
    }

    @discardableResult
    func addNode() -> SimulatedNode {
        let number = nodes.count + 1
        var rate = NodeClock.fullRate
        if settings.faults.contains(.drift) { rate = UInt64(random.next(in: 900_000...1_100_000)) }
        let clock = NodeClock(
            start: UInt64(random.next(in: 0...1_000_000_000)), rate: rate, wallOffset: Int64(random.next(in: -500...500)))
        let node = SimulatedNode(number: number, incarnation: random.next() | 1, clock: clock)
        if settings.hasBodies { node.bodyStartCount = bodyRandom.next() >> 24 }
        nodes.append(node)
        if nodes.count > settings.nodeCount { checker?.addNode() }
        return node
    }

    func node(_ id: NodeID) -> SimulatedNode? {
        let place = Int(id.rawValue) - 1
        return nodes.indices.contains(place) ? nodes[place] : nil
    }

    // MARK: Events

    func schedule(_ event: SimulationEvent, after delay: UInt64) { queue.schedule(event, at: now + delay) }

    private func runTrouble() throws(InvariantViolation) {
        while trace.eventCount < settings.eventCount { try runNext() }
    }

    /// - Returns: false if there is nothing more to come.
    @discardableResult
    func runNext() throws(InvariantViolation) -> Bool {
        guard let (time, event) = queue.popFirst() else { return false }
        now = time
        switch event {
        case .tick(let reference): try tick(reference)
        case .deliver(let delivery): try deliver(delivery)
        case .deliverBody(let delivery): try deliver(delivery)
        case .work(let reference, let work):
            guard let node = process(reference, event) else { return true }
            begin(3, node)
            trace.note(.work(work), node: node.number, at: now)
            try perform(work, node)
            end(node)
        case .restart(let number):
            let node = nodes[number - 1]
            guard !node.isUp, node.standing == .serves else { return true }
            begin(4, node)
            try start(node)
            end(node)
        case .client(let client):
            trace.beginEvent(5, node: 0, at: now)
            clientTurn(client)
        case .operatorTurn:
            trace.beginEvent(6, node: 0, at: now)
            try operatorTurn()
        case .fault:
            trace.beginEvent(7, node: 0, at: now)
            try causeFault()
        case .mend(let repair):
            trace.beginEvent(8, node: 0, at: now)
            mend(repair)
        case .damageBody:
            trace.beginEvent(10, node: 0, at: now)
            damageBody()
        case .restore(let turn):
            trace.beginEvent(11, node: 0, at: now)
            try perform(turn)
        }
        return true
    }

    /// The node of an event, if its process is still there; a paused one gets the event later.
    private func process(_ reference: ProcessReference, _ event: SimulationEvent) -> SimulatedNode? {
        let node = nodes[reference.node - 1]
        guard node.life == reference.life, node.isUp else { return nil }
        guard node.pausedUntil <= now else {
            queue.schedule(event, at: node.pausedUntil)
            return nil
        }
        return node
    }

    func begin(_ kind: UInt64, _ node: SimulatedNode) { trace.beginEvent(kind, node: node.number, at: now) }

    func end(_ node: SimulatedNode) {
        guard let process = node.process else { return }
        let core = process.replica.core
        trace.mix(core.term.rawValue << 48 ^ core.commit.rawValue << 24 ^ core.lastIndex.rawValue ^ core.applied.rawValue << 8)
    }

    private func tick(_ reference: ProcessReference) throws(InvariantViolation) {
        guard let node = process(reference, .tick(reference)) else { return }
        begin(1, node)
        let rate = max(node.clock.rate, 1)
        // A clock that stands still does not tick; it is looked at again later.
        let isFrozen = node.clock.rate == 0
        schedule(.tick(reference), after: isFrozen ? Self.tickMicroseconds : Self.tickMicroseconds * NodeClock.fullRate / rate)
        if !isFrozen {
            trace.note(.tick, node: node.number, at: now)
            try feed(.tick, to: node)
            try tickBodies(node)
        }
        end(node)
    }
}
