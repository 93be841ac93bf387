package import FileSystem
internal import Raft

extension SegmentedLog {
    /// Gives up what a durable snapshot mark replaces, and makes the reserves that are missing.
    ///
    /// - Returns: whether the disk has room for them; if not the log goes on with what it has, and this may be called again.
    /// - Throws: `.file` for any other error of the disk, after which the log has failed; `.failed`.
    @discardableResult
    package func maintain() throws(LogError) -> Bool {
        try release()
        while let plan = nextReservePlan() {
            guard try end(plan, plan.outcome) else { return false }
        }
        return true
    }

    // MARK: In steps, for a driver that lets others use the log meanwhile.

    /// Gives up the oldest segments whose entries a durable snapshot mark covers, as far as the retention settings allow. Does nothing
    /// while anything is not durable: a crash could undo a truncation that makes a segment look superfluous.
    package func release() throws(LogError) {
        try ensureHealthy()
        guard !hasUnsynchronized || settings.mutations.contains(.releasesBeforeMark) else { return }
        var byteCount = byteCount
        let limit = min(durable.snapshotIndex, retentionFloor ?? durable.snapshotIndex)
        var count = 0
        while count + 1 < table.segments.count, table.segments[count + 1].baseIndex <= limit {
            byteCount -= UInt64(table.segments[count].end)
            guard byteCount >= settings.retainedByteCountMin else { break }
            count += 1
        }
        guard count > 0 else { return }
        released.append(contentsOf: table.segments[..<count].map { ReleasedSegment(path: $0.path, byteCount: $0.byteCount) })
        table.segments.removeFirst(count)
        let base = table.segments[0].baseIndex
        table.contents.forget(through: base)
        cache.forget(through: base)
    }

    /// The next thing to do with files: a released one becomes a reserve, or a new one is made. Nil if there is nothing to do.
    /// - Precondition: what the last plan did was reported.
    package func nextReservePlan() -> ReservePlan? {
        guard failure == nil else { return nil }
        if let source = released.first {
            let isUseful = source.byteCount == settings.segmentByteCount && reserves.count < settings.reserveCountMax
            return plan(isUseful ? .reuse(source.path) : .delete(source.path))
        }
        return reserves.count < settings.reserveCountMin ? plan(.create) : nil
    }

    /// Whether there would be a plan.
    package var needsMaintenance: Bool {
        failure == nil && (!released.isEmpty || reserves.count < settings.reserveCountMin)
    }

    private func plan(_ action: ReservePlan.Action) -> ReservePlan {
        ReservePlan(
            number: nextReserveNumber, action: action, directory: directory, byteCount: settings.segmentByteCount,
            fileSystem: fileSystem, mutations: settings.mutations)
    }

    /// - Returns: whether it went well; if not the disk is full, and the plan will come again.
    package func end(_ plan: ReservePlan, _ outcome: Result<PreparedSegment?, FileSystemError>) throws(LogError) -> Bool {
        switch outcome {
        case .success(let prepared):
            if plan.source != nil { released.removeFirst() }
            if let prepared {
                reserves.append(prepared)
                nextReserveNumber += 1
            }
            return true
        case .failure(let error) where error.code == .noSpace:
            return false
        case .failure(let error):
            throw fail(error)
        }
    }
}
