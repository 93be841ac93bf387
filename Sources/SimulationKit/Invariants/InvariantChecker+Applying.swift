import Metadata
import Raft

extension InvariantChecker {
    /// Committed entries go to a node's state machine.
    mutating func applying(_ entries: [Entry], on node: NodeID, settings: RaftSettings) throws(InvariantViolation) {
        let view = view(node)
        guard let last = entries.last else { return }
        for entry in entries {
            guard entry.index == view.handedToApply.next else {
                throw InvariantViolation(
                    .appliedInOrderOnce, "node \(node) applies \(entry.index) behind \(view.handedToApply)")
            }
            view.handedToApply = entry.index
            guard let committedEntry = committed.image.entry(at: entry.index), committedEntry.term == entry.term,
                committedEntry.payload == entry.payload
            else {
                throw InvariantViolation(
                    .committedNeverChanges,
                    "node \(node) applies entry \(entry.index) of term \(entry.term), which is not committed so")
            }
        }
        guard view.durable.digest(at: last.index) == committed.digest(at: last.index) || last.index < view.durable.base else {
            throw InvariantViolation(
                .appliedInOrderOnce, "node \(node) applies \(last.index) while its disk ends at \(view.durable.last)")
        }
        let byteCount = settings.byteCount(of: entries)
        let waiting = view.unappliedEntries.reduce(0) { $0 + $1.byteCount }
        // One by one: a restore is applied alone, and what came with it later.
        for entry in entries { view.unappliedEntries.append((entry.index, settings.byteCount(of: entry))) }
        let largest = entries.reduce(0) { max($0, settings.byteCount(of: $1)) }
        guard byteCount + waiting <= settings.unappliedByteCountMax + largest else {
            throw InvariantViolation(
                .limitsHold,
                "the applier of node \(node) has \(byteCount + waiting) bytes, at most \(settings.unappliedByteCountMax) may be"
            )
        }
    }

    /// A node's state machine contains all up to that index.
    func applied(_ index: LogIndex, digest: StateDigest, on node: NodeID) throws(InvariantViolation) {
        guard let expected = reference.digest(at: index) else {
            throw InvariantViolation(.equalStates, "node \(node) has applied \(index), which is not committed")
        }
        guard digest == expected else {
            throw InvariantViolation(.equalStates, "node \(node) has another state at \(index) than the log leads to")
        }
    }
}
