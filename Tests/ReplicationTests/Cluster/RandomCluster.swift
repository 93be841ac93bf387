import Metadata
import Raft
import Replication
import Testing

/// SplitMix64: the same numbers from the same seed on every machine.
struct TestRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }
    mutating func chance(_ numerator: Int, in denominator: Int) -> Bool { below(denominator) < numerator }
}

/// A cluster under random faults and clients, and what of it must hold. One seed decides a run.
final class RandomCluster {
    let cluster: TestCluster
    private var random: TestRandom
    private var pending: [PeerEnvelope] = []
    private var puts: [(token: RequestToken, node: TestNode, key: String)] = []
    private var reads: [(token: RequestToken, node: TestNode, floor: LogIndex, start: UInt64)] = []
    private var lastNumber: UInt64 = 0
    /// The newest index that a caller was told of.
    private var acknowledged = LogIndex.zero
    private(set) var violations: [String] = []
    private(set) var counts = (committed: 0, refused: 0, unknown: 0, reads: 0, crashes: 0, installs: 0)
    let hasCrashes: Bool

    init(_ count: Int, seed: UInt64, hasCrashes: Bool = true, mutations: ReplicationMutations = []) throws {
        random = TestRandom(seed: seed)
        self.hasCrashes = hasCrashes
        var settings = TestCluster.settings
        settings.mutations = mutations
        settings.snapshots.entryCountMax = 40
        settings.snapshots.spacingMilliseconds = 200
        settings.snapshots.keptForFollowersByteCountMax = 2000
        settings.proposalCountMax = 64
        settings.batchCountMax = 5
        settings.readCountMax = 64
        cluster = try TestCluster.ready(count, settings: settings)
        cluster.loses = { [self] in swallow($0) }
    }

    /// Takes every message: some are lost, some come twice, all come later and in another order.
    private func swallow(_ envelope: PeerEnvelope) -> Bool {
        if isReplaying { return false }
        if random.chance(1, in: 20) { return true }
        pending.append(envelope)
        if random.chance(1, in: 20) { pending.append(envelope) }
        return true
    }

    private var isReplaying = false

    private func deliverSome() {
        for _ in 0..<(pending.count / 2 + 1) where !pending.isEmpty {
            let place = random.chance(3, in: 4) ? 0 : random.below(min(pending.count, 10))
            let envelope = pending.remove(at: place)
            isReplaying = true
            cluster.deliver(envelope)
            isReplaying = false
            cluster.deliver()
        }
    }

    func run(steps: Int) throws {
        for _ in 0..<steps {
            try step()
            try collect()
            if !violations.isEmpty { return }
        }
        try heal()
    }

    private func running() -> [TestNode] { cluster.nodes.filter { $0.isRunning && $0.stopReason == nil } }

    private func step() throws {
        switch random.below(100) {
        case 0..<30: cluster.tick()
        case 30..<60: deliverSome()
        case 60..<80: try put()
        case 80..<90: read()
        case 90..<92: cluster.isolated = random.chance(1, in: 2) ? [cluster.nodes[random.below(cluster.nodes.count)].node] : []
        case 92..<95: holdOrRelease()
        case 95..<97: try crashOrBegin()
        case 97: if let node = running().randomElement(&random) { _ = cluster.command(.takeSnapshot, on: node) }
        case 98:
            if let leader = cluster.leader, let target = cluster.followers.randomElement(&random) {
                _ = cluster.command(.transferLeadership(to: target.node), on: leader)
            }
        default:
            if let node = running().randomElement(&random), let peer = running().randomElement(&random) {
                node.handle(.connectionLost(peer.node), at: cluster.now)
            }
        }
    }

    private func put() throws {
        guard let node = running().randomElement(&random) else { return }
        lastNumber += 1
        let key = "k\(lastNumber)"
        let level = [WriteLevel.majority, .majority, .majority, .all][random.below(4)]
        puts.append(
            (try cluster.put(key, lastNumber, on: node, level: level, within: 300 + UInt64(random.below(3000))), node, key))
    }

    private func read() {
        guard let node = running().randomElement(&random) else { return }
        reads.append((cluster.read(.linearizable, on: node, within: 2000), node, acknowledged, node.start))
    }

    private func holdOrRelease() {
        guard let node = running().randomElement(&random) else { return }
        switch random.below(4) {
        case 0: node.holdsLog = true
        case 1: node.holdsApply = true
        case 2: node.releaseLog(at: cluster.now)
        default: node.releaseApply(at: cluster.now)
        }
    }

    private func crashOrBegin() throws {
        guard hasCrashes else { return }
        let node = cluster.nodes[random.below(cluster.nodes.count)]
        if node.isRunning {
            guard cluster.nodes.filter(\.isRunning).count > cluster.nodes.count / 2 else { return }
            counts.crashes += 1
            node.crash(losingUnflushed: random.chance(1, in: 2))
        } else {
            try node.begin(at: cluster.now)
        }
    }

    // MARK: What must hold

    private func collect() throws {
        puts.removeAll { put in
            guard let outcome = put.node.outcomes[put.token] else { return false }
            take(outcome, put)
            return true
        }
        reads.removeAll { read in
            guard let outcome = read.node.reads[read.token] else { return read.node.start != read.start }
            if case .ready(let index) = outcome {
                counts.reads += 1
                if index < read.floor { violations.append("a read at \(index) began when \(read.floor) was acknowledged") }
            }
            return true
        }
    }

    private var refusedKeys: [String] = []
    private var committedKeys: [String] = []
    private var unknownCount: UInt64 = 0

    private func take(_ outcome: ProposalOutcome, _ put: (token: RequestToken, node: TestNode, key: String)) {
        switch outcome {
        case .committed(let index, .change(.success)):
            acknowledged = max(acknowledged, index)
            committedKeys.append(put.key)
            counts.committed += 1
        case .committed(_, let other): violations.append("a put answers \(other)")
        case .accepted: violations.append("nobody asked for an eventual write")
        case .refused:
            refusedKeys.append(put.key)
            counts.refused += 1
        case .unknown:
            unknownCount += 1
            counts.unknown += 1
        }
    }

    private func heal() throws {
        cluster.isolated = []
        cluster.loses = { _ in false }
        pending = []
        for node in cluster.nodes {
            if !node.isRunning || node.stopReason != nil {
                node.crash()
                try node.begin(at: cluster.now)
            }
            node.releaseLog(at: cluster.now)
            node.releaseApply(at: cluster.now)
        }
        try cluster.run(upTo: 20_000) { [self] in
            try collect()
            return puts.allSatisfy { $0.node.outcomes[$0.token] != nil || isDead($0.node, $0.token) }
        }
        try cluster.settle()
        try collect()
        counts.installs = cluster.nodes.reduce(0) { $0 + $1.installCount }
        try check()
    }

    /// Its process died with the call.
    private func isDead(_ node: TestNode, _ token: RequestToken) -> Bool { node.lostTokens.contains(token) }

    private func check() throws {
        for node in cluster.nodes {
            for key in committedKeys where try node.value(key) == nil {
                violations.append("the acknowledged write of \(key) is not on node \(node.node)")
            }
            for key in refusedKeys where try node.value(key) != nil {
                violations.append("the refused write of \(key) is on node \(node.node)")
            }
            let report = try node.check()
            if !report.isConsistent { violations += report.problems }
            let count = try node.versionCount()
            var there: UInt64 = 0
            for number in 1...max(1, lastNumber) where try node.value("k\(number)") != nil { there += 1 }
            if count != there {
                violations.append("node \(node.node) has \(count) versions of \(there) keys: something was applied twice")
            }
        }
        let digests = Set(cluster.nodes.compactMap { $0.machine?.digest })
        if digests.count > 1 { violations.append("the digests differ") }
    }
}

extension Array {
    func randomElement(_ random: inout TestRandom) -> Element? { isEmpty ? nil : self[random.below(count)] }
}
