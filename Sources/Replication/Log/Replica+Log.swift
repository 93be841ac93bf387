import Raft

/// The log writer and the applier: two more peers, which answer when what they were given is done.
extension Replica {
    mutating func write(_ append: LogAppend) {
        writes.add(append.token, at: now)
        if let mark = append.snapshot {
            logSizes.restart(at: mark.index)
            logSizes.append(append.entries)
            effects.append(.install(installing(mark), append))
            return
        }
        logSizes.append(append.entries)
        effects.append(.append(append))
    }

    mutating func logWritten(_ token: UInt64) {
        writes.complete(upTo: token)
        core.written(upTo: token)
        if writes.isStalled, !isDiskSilent { recovered() }
    }

    // MARK: A disk that does not answer

    private var isDiskSilent: Bool {
        writes.oldest.map { now.milliseconds(since: $0) >= settings.storageStallMilliseconds } ?? false
    }

    /// A leader whose disk stands still would hold its office by heartbeats alone.
    mutating func watchDisk() {
        guard isDiskSilent != writes.isStalled else { return }
        guard let oldest = writes.oldest, !writes.isStalled else {
            recovered()
            return
        }
        writes.isStalled = true
        effects.append(.note(.diskStalled(milliseconds: now.milliseconds(since: oldest))))
        core.storageStalled(true)
    }

    private mutating func recovered() {
        writes.isStalled = false
        effects.append(.note(.diskRecovered))
        core.storageStalled(false)
    }

    // MARK: Applied

    mutating func applied(_ report: ApplyReport) {
        // Entries of a state that a snapshot is about to replace, or has replaced.
        guard report.index > applied else { return }
        let before = core.configuration
        let wasLeader = isLeader
        applied = report.index
        core.applied(to: report.index)
        if let members = report.members { self.members = members }
        if let version = report.version { self.version = version }
        if let mark = report.mark { digests.add(mark) }
        if let restore = report.restore { take(restore) }
        if report.hasReplacedState, bodies.index < report.index {
            // Before any peer can learn that this node has the state: it may lack all the bodies that the state names.
            bodies = .unknown
            manager.reportAtOnce()
        }
        for operation in report.operations { applied(operation) }
        for change in report.sessions { changed(change) }
        settleAttempts(before: report.term)
        appliedForReads()
        if report.members != nil || core.configuration != before { emitContacts() }
        advanceMembership()
        advanceVerification()
        snapshotIfDue()
        if wasLeader, before.members.hasSorted(node), !core.configuration.members.hasSorted(node) { removedSince = now }
    }
}
