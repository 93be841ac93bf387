package import Raft

/// What a node knows of the past when its log has been opened: what the Raft core is restored from.
package struct RecoveredLog: Sendable {
    package var hardState: HardState
    /// The newest snapshot that the log knows of.
    package var snapshot: SnapshotMark?
    /// The entry before the first that the log holds.
    package var baseIndex: LogIndex
    package var baseTerm: Term
    package var lastIndex: LogIndex
    package var lastTerm: Term
    package var termRuns: [TermRun]
    /// Entries of type `configurationChange` that the log holds; those up to the snapshot are in its configuration already.
    package var configurationEntries: [Entry]
    /// The tail of the log, as much as the cache holds.
    package var newestEntries: [Entry]
    package var report: RecoveryReport

    /// What the Raft core starts from. The log may hold entries before the snapshot still, for followers a little behind; the configuration
    /// is known at the snapshot.
    ///
    /// - Parameter applied: the state machine contains the entries up to there; not before the snapshot.
    package func stored(applied: LogIndex) -> StoredLog {
        var stored = StoredLog()
        stored.baseIndex = baseIndex
        stored.baseTerm = baseTerm
        stored.baseConfiguration = snapshot?.configuration ?? Configuration()
        stored.configurationIndex = snapshot?.index ?? .zero
        stored.lastIndex = lastIndex
        stored.termRuns = termRuns
        stored.changes = configurationEntries
        stored.newestEntries = newestEntries
        stored.term = hardState.term
        stored.vote = hardState.vote
        stored.commit = hardState.commit
        stored.applied = applied
        return stored
    }
}

/// What recovery found and did, for the operator's log.
package struct RecoveryReport: Sendable, Hashable {
    /// Each finding with where it was; none of them is a refusal.
    package var findings: [Finding] = []
    package var segmentCount = 0
    package var byteCount: UInt64 = 0

    package struct Finding: Sendable, Hashable {
        package var finding: RecoveryFinding
        package var file: String
        package var offset: UInt64

        package init(_ finding: RecoveryFinding, file: String, offset: UInt64) {
            self.finding = finding
            self.file = file
            self.offset = offset
        }
    }

    package func contains(_ finding: RecoveryFinding) -> Bool { findings.contains { $0.finding == finding } }
}
