import Raft

/// This node's own snapshots: the newest, which followers are given and the log is cut behind, older ones that are still being sent, and
/// when the next one is due.
struct SnapshotKeeper: Sendable {
    private(set) var newest: SnapshotDescription?
    /// Others that transfers may still need.
    private(set) var held: [SnapshotDescription] = []
    /// One is being made.
    var isTaking = false
    /// Whoever asked for the one that is being made.
    var asking: [CommandCaller] = []
    /// When the last one was begun since the node has started; nil: none was.
    var begunAt: ClockReading?
    /// When the node has started.
    var startedAt: ClockReading?
    /// The log waits to be cut behind the newest one until no transfer is under way.
    var isCompactionDue = false

    init(newest: SnapshotDescription?) {
        self.newest = newest
    }

    mutating func take(_ description: SnapshotDescription) {
        if let newest { held.append(newest) }
        // The same one may have been made again.
        held.removeAll { $0.id == description.id }
        newest = description
    }

    /// The log begins behind that index now.
    mutating func outdate(before base: LogIndex) {
        guard let newest, newest.id.index < base else { return }
        held.append(newest)
        self.newest = nil
    }

    /// Its bytes were not what they should be: nobody is given it any more.
    mutating func discard(_ id: SnapshotID) {
        guard let newest, newest.id == id else { return }
        held.append(newest)
        self.newest = nil
    }

    /// Those that nobody needs any more.
    mutating func release(keeping isNeeded: (SnapshotID) -> Bool) -> [SnapshotID] {
        let gone = held.filter { !isNeeded($0.id) }.map(\.id)
        held.removeAll { gone.contains($0.id) }
        return gone
    }
}
