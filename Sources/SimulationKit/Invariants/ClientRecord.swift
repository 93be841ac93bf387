import Metadata
import Raft
import Replication

/// What clients asked for and were told, as far as more than the linearizability of single objects hangs on it.
struct ClientRecord {
    /// Operations that were called refused.
    private var refused: Set<UInt64> = []
    /// Restores that were called refused.
    private var refusedRestores: Set<RestoreID> = []
    /// Operations with an outcome.
    private var answered: Set<UInt64> = []
    /// Acknowledged strong writes: when, and up to which index that makes; both grow.
    private var acknowledged: [(time: UInt64, index: LogIndex)] = []

    /// The highest index of an acknowledged write.
    var acknowledgedIndex: LogIndex { acknowledged.last?.index ?? .zero }

    /// The highest index that was acknowledged before a time.
    func acknowledgedIndex(before time: UInt64) -> LogIndex {
        var (low, high) = (0, acknowledged.count)
        while low < high {
            let middle = (low + high) / 2
            if acknowledged[middle].time < time { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? .zero : acknowledged[low - 1].index
    }

    /// An operation takes effect. (One of an ended session may stand in the log of those who refused it, and does nothing there.)
    func checkNotRefused(_ number: UInt64, at index: LogIndex) throws(InvariantViolation) {
        guard refused.contains(number) else { return }
        throw InvariantViolation(.refusedNeverAppears, "operation \(number) was refused, and takes effect at \(index)")
    }

    func checkNotRefused(_ restore: RestoreID, at index: LogIndex) throws(InvariantViolation) {
        guard refusedRestores.contains(restore) else { return }
        throw InvariantViolation(.refusedNeverAppears, "restore \(restore) was refused, and takes effect at \(index)")
    }

    /// Whether somebody was told what came of it, or is gone.
    func isAnswered(_ number: UInt64) -> Bool { answered.contains(number) }

    mutating func answer(_ number: UInt64) throws(InvariantViolation) {
        guard answered.insert(number).inserted else {
            throw InvariantViolation(.oneEffectPerOperation, "operation \(number) is answered twice")
        }
    }

    mutating func refuse(_ number: UInt64) { refused.insert(number) }

    mutating func refuse(_ restore: RestoreID) { refusedRestores.insert(restore) }

    mutating func acknowledge(_ index: LogIndex, at time: UInt64) {
        if index > acknowledgedIndex { acknowledged.append((time, index)) }
    }
}

extension InvariantChecker {
    /// A client is told what came of its write.
    mutating func answered(_ number: UInt64, _ outcome: ProposalOutcome, level: WriteLevel, at time: UInt64)
        throws(InvariantViolation)
    {
        try clients.answer(number)
        switch outcome {
        case .committed(let index, let outcome):
            guard index <= committed.last else {
                throw InvariantViolation(
                    .acknowledgedWritesStay, "operation \(number) is called committed at \(index), which nobody has committed")
            }
            guard let effect = reference.effectOfOperation[number], effect.index == index, effect.outcome == outcome else {
                throw InvariantViolation(
                    .acknowledgedWritesStay, "operation \(number) is called committed at \(index), where it had not this effect"
                )
            }
            if level == .all { try checkOnEveryVoter(number, index) }
            clients.acknowledge(index, at: time)
        case .refused:
            guard reference.effectOfOperation[number] == nil else {
                throw InvariantViolation(.refusedNeverAppears, "operation \(number) is called refused, and took effect")
            }
            clients.refuse(number)
        case .accepted, .unknown: break
        }
    }

    /// An operator is told what came of a step of a restore.
    ///
    /// - Parameter replaced: which it was to put into the place of the state; nil: another step.
    mutating func answered(
        _ outcome: ProposalOutcome, replacing replaced: RestoreID?, at time: UInt64
    ) throws(InvariantViolation) {
        switch outcome {
        case .committed(let index, let outcome):
            guard index <= committed.last, reference.effect(at: index)?.outcome == outcome else {
                throw InvariantViolation(
                    .acknowledgedWritesStay, "a step of a restore is called committed at \(index), where it had not this effect"
                )
            }
            if let replaced, outcome == .change(.success(.done)), reference.restored[replaced] != index {
                throw InvariantViolation(
                    .acknowledgedWritesStay, "restore \(replaced) is said to be in effect since \(index), and is not")
            }
            clients.acknowledge(index, at: time)
        case .refused:
            guard let replaced else { return }
            guard reference.restored[replaced] == nil else {
                throw InvariantViolation(.refusedNeverAppears, "restore \(replaced) is called refused, and took effect")
            }
            clients.refuse(replaced)
        case .accepted, .unknown: break
        }
    }

    /// `write_quorum: all` promises the disks of all voters.
    private func checkOnEveryVoter(_ number: UInt64, _ index: LogIndex) throws(InvariantViolation) {
        let digest = committed.digest(at: index)
        let configuration = committed.configuration(at: index)
        for node in configuration.voters where Int(node.rawValue) <= views.count {
            let durable = view(node).durable
            let isRemoved = !committed.configuration(at: committed.last).hasVoter(node)
            guard index < durable.base || durable.digest(at: index) == digest || isRemoved || view(node).isWiped else {
                throw InvariantViolation(
                    .acknowledgedWritesStay,
                    "operation \(number) at \(index) is said to be on every voter; the disk of node \(node) ends at \(durable.last)"
                )
            }
        }
    }

    /// A read is about to be served from a node's state.
    ///
    /// - Parameter committedAtCall: the highest index that was committed anywhere when the read was called.
    /// - Parameter boundStart: of a bounded read, the moment whose state it may at worst see.
    func serving(
        _ request: ReadRequest, at index: LogIndex, from state: LogIndex, on node: NodeID, committedAtCall: LogIndex,
        boundStart: UInt64?
    ) throws(InvariantViolation) {
        func stale(_ reason: String) -> InvariantViolation {
            InvariantViolation(.readsFreshEnough, "a read on node \(node) is served from the state at \(state), \(reason)")
        }
        guard state >= index else { throw stale("and is said to contain \(index)") }
        guard state >= request.minimumIndex else { throw stale("and must contain \(request.minimumIndex)") }
        switch request.consistency {
        case .linearizable:
            guard state >= committedAtCall else { throw stale("and \(committedAtCall) was committed when it was called") }
        case .boundedStaleness:
            let needed = boundStart.map { clients.acknowledgedIndex(before: $0) } ?? .zero
            guard state >= needed else { throw stale("and \(needed) was acknowledged longer ago than its bound") }
        case .eventual: break
        }
    }
}
