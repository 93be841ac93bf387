/// What a run came to.
package struct SimulationResult: Sendable {
    package var settings: SimulationSettings
    /// Of all that happened: equal for two runs with the same settings.
    package var digest: UInt64
    package var violation: InvariantViolation?
    package var statistics: SimulationStatistics
    /// Of a failed run: the newest events of each node.
    package var lines: [String]

    package init(
        settings: SimulationSettings, digest: UInt64, violation: InvariantViolation?, statistics: SimulationStatistics,
        lines: [String]
    ) {
        self.settings = settings
        self.digest = digest
        self.violation = violation
        self.statistics = statistics
        self.lines = lines
    }
}

/// Figures of a run.
package struct SimulationStatistics: Hashable, Sendable {
    package var eventCount = 0
    package var virtualMicroseconds: UInt64 = 0
    package var committedCount = 0
    package var leaderCount = 0
    package var faultCount = 0
    package var restartCount = 0
    package var installCount = 0
    package var acknowledgedCount = 0
    package var refusedCount = 0
    package var unknownCount = 0
    package var readCount = 0
    /// Objects whose history the checker could not decide within its budget.
    package var undecidedCount = 0
    /// Bodies that clients began to upload, those that came to nothing, and those that the log refused to name.
    package var uploadCount = 0
    package var lostUploadCount = 0
    package var refusedBodyCount = 0
    /// Bodies that nodes fetched from others, and that were given up through the log.
    package var fetchCount = 0
    package var abandonCount = 0
    /// Restores that operators began, those that took effect, those that the log refused, and how often a replica put the state of a file in
    /// the place of its own.
    package var restoreCount = 0
    package var restoredCount = 0
    package var refusedRestoreCount = 0
    package var replacementCount = 0

    package init() {}

    /// Of the bodies, for people; empty in runs without them.
    package var bodies: String {
        guard uploadCount > 0 else { return "" }
        return
            "; bodies uploaded \(uploadCount), lost \(lostUploadCount), not named \(refusedBodyCount), fetched \(fetchCount), given up "
            + "\(abandonCount)"
    }

    /// Of the restores, likewise.
    package var restores: String {
        guard restoreCount > 0 else { return "" }
        return
            "; restores begun \(restoreCount), in effect \(restoredCount), refused \(refusedRestoreCount), states replaced \(replacementCount)"
    }

    package mutating func add(_ other: SimulationStatistics) {
        eventCount += other.eventCount
        virtualMicroseconds += other.virtualMicroseconds
        committedCount += other.committedCount
        leaderCount += other.leaderCount
        faultCount += other.faultCount
        restartCount += other.restartCount
        installCount += other.installCount
        acknowledgedCount += other.acknowledgedCount
        refusedCount += other.refusedCount
        unknownCount += other.unknownCount
        readCount += other.readCount
        undecidedCount += other.undecidedCount
        uploadCount += other.uploadCount
        lostUploadCount += other.lostUploadCount
        refusedBodyCount += other.refusedBodyCount
        fetchCount += other.fetchCount
        abandonCount += other.abandonCount
        restoreCount += other.restoreCount
        restoredCount += other.restoredCount
        refusedRestoreCount += other.refusedRestoreCount
        replacementCount += other.replacementCount
    }
}
