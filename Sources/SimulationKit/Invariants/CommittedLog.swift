import Raft

/// The one history: what has been committed, by whichever node was first to know.
struct CommittedLog {
    private(set) var image: LogImage
    /// In which leader's term each entry was committed.
    private var commitTerms: [Term] = []
    /// The configurations that have been in force, by the index of the change.
    private(set) var configurations: [(since: LogIndex, configuration: Configuration)]

    init(genesis: SnapshotMark) {
        image = LogImage(base: genesis.index, baseDigest: LogImage.digest(ofGenesisAt: genesis.index, genesis.term))
        configurations = [(genesis.index, genesis.configuration)]
    }

    var last: LogIndex { image.last }

    func digest(at index: LogIndex) -> UInt64? { image.digest(at: index) }

    /// The last entry that was committed before a term began.
    func last(before term: Term) -> LogIndex {
        var count = commitTerms.count
        while count > 0, commitTerms[count - 1] >= term { count -= 1 }
        return image.base + count
    }

    func configuration(at index: LogIndex) -> Configuration {
        let place = configurations.lastIndex { $0.since <= index } ?? 0
        return configurations[place].configuration
    }

    /// - Throws: `configurationsOverlap`.
    mutating func commit(_ entry: Entry, in term: Term) throws(InvariantViolation) {
        image.append(entry)
        commitTerms.append(term)
        guard entry.type == .configurationChange else { return }
        let current = configurations[configurations.count - 1].configuration
        let next: Configuration
        do {
            next = try ConfigurationChanger(restoring: current).changed(by: try ConfigurationChange(decoding: entry.payload))
        } catch { return }
        if let reason = Self.conflict(current, next) {
            throw InvariantViolation(
                .configurationsOverlap, "the change at \(entry.index) leads from \(current.voters) to \(next.voters): \(reason)"
            )
        }
        configurations.append((entry.index, next))
    }

    /// Why two configurations that follow each other could decide without one another; worked out from the definition of a quorum.
    private static func conflict(_ current: Configuration, _ next: Configuration) -> String? {
        // A decision needs a majority of each half; for two decisions not to meet, no pair of halves may have to meet.
        for old in [current.voters, current.outgoingVoters] where !old.isEmpty {
            for new in [next.voters, next.outgoingVoters] where !new.isEmpty {
                if majoritiesMeet(old, new) { return nil }
            }
        }
        return "their quorums do not overlap"
    }

    private static func majoritiesMeet(_ first: [NodeID], _ second: [NodeID]) -> Bool {
        let common = first.count { second.contains($0) }
        let fromCommon =
            max(0, first.count / 2 + 1 - (first.count - common)) + max(0, second.count / 2 + 1 - (second.count - common))
        return fromCommon > common
    }
}
