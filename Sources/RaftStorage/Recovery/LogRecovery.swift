package import FileSystem
internal import Raft

extension SegmentedLog {
    /// What the caller knows of the directory.
    package enum Expectation: Sendable {
        /// The node had a log there before: an empty directory is a loss, not a beginning.
        case existing
        /// A log is begun if there is none.
        case any
    }

    /// Opens the log in a directory, or begins one, by the decision table of docs/formats/log.md.
    ///
    /// - Parameter directory: made if it is missing.
    /// - Throws: `.refused` with what was found and where; `.file`; `.noSpace` when a new log does not fit on the disk.
    package static func open(
        directory: String, fileSystem: any FileSystem, identity: LogIdentity, settings: LogSettings,
        expecting: Expectation = .any
    ) throws(LogError) -> (log: SegmentedLog, recovered: RecoveredLog) {
        precondition(
            (LogFormat.segmentByteCountMin...LogFormat.segmentByteCountMax).contains(settings.segmentByteCount)
                && settings.segmentByteCount.isMultiple(of: LogFormat.blockByteCount), "a segment is some blocks")
        var recovery = LogRecovery(directory: directory, fileSystem: fileSystem, identity: identity, settings: settings)
        do {
            return try recovery.open(expecting)
        } catch let error as LogError {
            throw error
        } catch let refusal as LogRefusal {
            throw .refused(refusal.file == directory ? refusal : refusal.inside(directory))
        } catch let error as FileSystemError {
            throw error.code == .noSpace ? .noSpace : .file(error)
        } catch {
            preconditionFailure("recovery throws these three: \(error)")
        }
    }
}

/// One opening of a log: reads files, lets `SegmentSurvey` and `LogReplay` decide, and carries out what they say.
struct LogRecovery {
    let directory: String
    let fileSystem: any FileSystem
    let identity: LogIdentity
    let settings: LogSettings
    private var report = RecoveryReport()
    private var buffer = AlignedBuffer(capacity: 1)

    init(directory: String, fileSystem: any FileSystem, identity: LogIdentity, settings: LogSettings) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.identity = identity
        self.settings = settings
    }

    mutating func open(_ expecting: SegmentedLog.Expectation) throws -> (SegmentedLog, RecoveredLog) {
        try fileSystem.makeDirectories(directory)
        let facts = try survey()
        let survey = try SegmentSurvey(facts, identity: identity)
        if facts.isEmpty {
            guard case .any = expecting else {
                throw LogRefusal(.logMissing, file: directory, offset: 0, "the node had a log here, and there is none")
            }
            note(.noSegments, directory, 0)
        }
        var replay = LogReplay(identity: identity, mutations: settings.mutations)
        var live = survey.live.map { facts[$0] }
        var ahead = survey.ahead.map { facts[$0] }
        let files = try live.map { fact in
            try ReservePlan.open(path(fact.name), number: fact.number, byteCount: Int(fact.byteCount), in: fileSystem)
        }
        for (position, file) in files.enumerated() {
            let next = position + 1 < live.count ? live[position + 1] : nil
            // The disk brings the next segment while this one is looked at.
            if next != nil { files[position + 1].reader.startReadahead(from: 0, byteCount: UInt64(file.byteCount)) }
            try self.replay(file, before: next, into: &replay, ahead: ahead.first)
        }
        if let last = live.last, replay.table.segments.last?.number != last.number {
            // Its header is there, its opening batch is not: it was never begun.
            live.removeLast()
            ahead.insert(last, at: 0)
            if live.isEmpty { try examineUnbegun(last, expecting, survey.gap) }
        } else if live.isEmpty, let first = ahead.first {
            try examineBeginning(first, expecting)
        }
        if let gap = survey.gap, let first = replay.table.segments.first,
            first.baseIndex > replay.table.contents.snapshot?.index ?? LogIndex.zero
        {
            throw gap
        }
        // Only now: the header could also be what a misdirected write left in the last segment, which its batches would have shown.
        for fact in survey.duplicates.map({ facts[$0] }) {
            note(.duplicateSegment, fact.name, 0)
            try fileSystem.unlink(path(fact.name))
            ahead.removeAll { $0.number == fact.number }
        }
        try makeDurable(replay.table.segments.last)
        return try finish(replay, reserves: ahead, leftovers: survey.behind.map { facts[$0] })
    }

    // MARK: Files

    /// The first block and the size of each file that has a segment's name.
    private mutating func survey() throws -> [SegmentFacts] {
        var facts: [SegmentFacts] = []
        for name in try fileSystem.list(directory).sorted() {
            guard let number = LogFormat.segmentNumber(name) else {
                let suffix = LogFormat.temporarySuffix
                if name.hasSuffix(suffix), LogFormat.segmentNumber(String(name.dropLast(suffix.count))) != nil {
                    note(.unfinishedReserve, name, 0)
                    try fileSystem.unlink(path(name))
                } else {
                    note(.foreignFile, name, 0)
                }
                continue
            }
            let file = try fileSystem.open(path(name), .read)
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: LogFormat.blockByteCount, alignment: 16)
            defer { block.deallocate() }
            let count = try file.read(into: block, at: 0)
            let header: Result<SegmentHeader, SegmentHeader.Fault>
            do throws(SegmentHeader.Fault) {
                header = .success(try SegmentHeader(decoding: UnsafeRawBufferPointer(rebasing: block[..<count])))
            } catch {
                header = .failure(error)
            }
            facts.append(SegmentFacts(name: name, number: number, byteCount: try file.byteCount(), header: header))
        }
        return facts
    }

    /// Reads a segment from its start, as far as `byteCount`.
    private func read(_ file: any File, byteCount: Int) throws(FileSystemError) -> UnsafeRawBufferPointer {
        buffer.removeAll()
        let target = buffer.extend(by: byteCount)
        return UnsafeRawBufferPointer(rebasing: target[..<(try file.read(into: target, at: 0))])
    }

    private func scan(_ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ byteCount: UInt64, _ name: String) -> SegmentScan {
        SegmentScan(
            bytes, segment: number, segmentByteCount: Int(byteCount), identity: identity, file: name,
            mutations: settings.mutations)
    }

    // MARK: Replay

    /// Replays one segment; if it is the last, decides what its end is, and cuts a torn tail.
    ///
    /// - Parameter next: the segment after it, which was begun when all of this one was durable.
    /// - Parameter ahead: the file after the last one, in case its header is all that is damaged.
    private mutating func replay(
        _ segment: PreparedSegment, before next: SegmentFacts?, into replay: inout LogReplay, ahead: SegmentFacts?
    ) throws {
        let name = LogFormat.segmentName(segment.number)
        if let next, case .success(let header) = next.header {
            let end = Int(clamping: header.previousEnd)
            guard end <= segment.byteCount else { throw damage(next.name, 64) }
            let bytes = try read(segment.reader, byteCount: end)
            let reached = try replay.replay(
                scan(bytes, segment.number, UInt64(segment.byteCount), name), of: Segment(segment), file: name)
            guard reached == end else { throw damage(name, reached) }
            return
        }
        let bytes = try read(segment.reader, byteCount: segment.byteCount)
        let whole = scan(bytes, segment.number, UInt64(segment.byteCount), name)
        let end = try replay.replay(whole, of: Segment(segment), file: name)
        var evidence = whole.evidence(from: end)
        let cutEnd = evidence.end
        var aheadEnd = 0
        if let ahead {
            let file = try fileSystem.open(path(ahead.name), .read)
            let bytes = try read(file, byteCount: Int(ahead.byteCount))
            let found = scan(bytes, ahead.number, ahead.byteCount, ahead.name).evidence(from: 0)
            evidence.synchronizedEnd = max(evidence.synchronizedEnd, found.synchronizedEnd)
            aheadEnd = found.end
        }
        let position = LogPosition(segment: segment.number, offset: UInt64(end))
        // The decision that everything hangs on: whoever was told that this is durable left a batch behind it that says so.
        if evidence.synchronizedEnd > position, !settings.mutations.contains(.cutsAtDamage) {
            let isHeader = aheadEnd > 0 && evidence.synchronizedEnd.segment > segment.number
            throw isHeader
                ? LogRefusal(.damagedHeader, file: ahead?.name ?? name, offset: 0, "the segment's header is damaged")
                : damage(name, end)
        }
        let isOpening = end == LogFormat.blockByteCount
        guard cutEnd > end || aheadEnd > 0 || isOpening else {
            note(.cleanEnd, name, end)
            return
        }
        note(isOpening ? .tornOpening : .tornTail, name, end)
        guard !settings.mutations.contains(.leavesTornTail) else { return }
        if let ahead, aheadEnd > 0 { try zero(try fileSystem.open(path(ahead.name), .update), 0..<aheadEnd) }
        if isOpening {
            try zero(segment.reader, 0..<max(cutEnd, LogFormat.blockByteCount))
        } else if cutEnd > end {
            try zero(segment.reader, end..<cutEnd)
        }
    }

    /// No segment is in use, but there are files: a log that was begun and never got to its first synchronization, or one whose only
    /// header is damaged.
    private mutating func examineBeginning(_ fact: SegmentFacts, _ expecting: SegmentedLog.Expectation) throws {
        let file = try fileSystem.open(path(fact.name), .update)
        let evidence = scan(try read(file, byteCount: Int(fact.byteCount)), fact.number, fact.byteCount, fact.name).evidence(
            from: 0)
        guard evidence.synchronizedEnd == LogPosition(segment: 0, offset: 0) else {
            throw LogRefusal(.damagedHeader, file: fact.name, offset: 0, "the segment's header is damaged")
        }
        guard case .any = expecting else {
            throw LogRefusal(.logMissing, file: directory, offset: 0, "the node had a log here, and no segment was begun")
        }
        if evidence.end > 0 {
            note(.tornOpening, fact.name, 0)
            try zero(file, 0..<evidence.end)
        }
    }

    /// The only segment has a header and no opening batch: a log that was never begun, unless the header names an earlier segment.
    private func examineUnbegun(
        _ fact: SegmentFacts, _ expecting: SegmentedLog.Expectation, _ gap: LogRefusal?
    ) throws(LogRefusal) {
        if let gap, case .success(let header) = fact.header, header.previousEnd > 0 { throw gap }
        guard case .any = expecting else {
            throw LogRefusal(.logMissing, file: directory, offset: 0, "the node had a log here, and no segment was begun")
        }
    }

    private func damage(_ name: String, _ offset: Int) -> LogRefusal {
        LogRefusal(.damage, file: name, offset: UInt64(offset), "a batch that was durable is damaged")
    }

    /// Zeros leave no valid header behind the end, so that nothing can ever join what is written there next.
    private func zero(_ file: any File, _ range: Range<Int>) throws(FileSystemError) {
        let zeros = [UInt8](repeating: 0, count: min(range.count, 1 << 20))
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: zeros.count) {
            let count = min(zeros.count, range.upperBound - offset)
            try file.write(count == zeros.count ? zeros : Array(zeros.prefix(count)), at: UInt64(offset))
        }
        try file.synchronize()
    }

    /// What a killed process wrote may be in the system's cache only: nobody may build on it before it is durable. Segments before the
    /// last were synchronized when the next one was begun.
    ///
    /// After a synchronization that failed the cache may hold what it believes to be on the disk and is not (Linux forgets such pages), so
    /// that another synchronization proves nothing: what no batch says to be durable is written once more. The bytes are the same, so
    /// that a crash meanwhile changes nothing. Direct writes never were in the cache.
    private mutating func makeDurable(_ segment: Segment?) throws(FileSystemError) {
        guard let segment else { return }
        if !segment.isDirect { try rewriteTail(of: segment) }
        try segment.reader.synchronize()
    }

    private mutating func rewriteTail(of segment: Segment) throws(FileSystemError) {
        let bytes = try read(segment.reader, byteCount: segment.end)
        let stated = scan(bytes, segment.number, UInt64(segment.byteCount), segment.path).evidence(from: 0).synchronizedEnd
        let start = stated.segment == segment.number ? min(Int(clamping: stated.offset), bytes.count) : 0
        if start < bytes.count {
            try segment.reader.write(UnsafeRawBufferPointer(rebasing: bytes[start...]), at: UInt64(start))
        }
    }

    // MARK: The log that comes of it

    private mutating func finish(
        _ replay: LogReplay, reserves: [SegmentFacts], leftovers: [SegmentFacts]
    ) throws -> (SegmentedLog, RecoveredLog) {
        var next = (replay.table.segments.last?.number ?? 0) + 1
        var prepared: [PreparedSegment] = []
        for fact in reserves {
            // Not renamed: a crash could leave it both names, and nothing in it tells.
            guard fact.number == next, fact.byteCount == UInt64(settings.segmentByteCount),
                prepared.count < settings.reserveCountMax
            else {
                note(.unfinishedReserve, fact.name, Int(clamping: fact.byteCount))
                try fileSystem.unlink(path(fact.name))
                continue
            }
            note(.reserve, fact.name, 0)
            prepared.append(
                try ReservePlan.open(path(fact.name), number: next, byteCount: Int(fact.byteCount), in: fileSystem))
            next += 1
        }
        try fileSystem.synchronizeDirectory(directory)
        let log = SegmentedLog(
            directory: directory, fileSystem: fileSystem, identity: identity, settings: settings, table: replay.table,
            reserves: prepared, nextReserveNumber: next, nextSequence: replay.nextSequence ?? 1)
        for fact in leftovers {
            note(.leftover, fact.name, 0)
            // Without a header that says whose it was it is deleted, not reused.
            guard case .success = fact.header else {
                try fileSystem.unlink(path(fact.name))
                continue
            }
            log.released.append(.init(path: path(fact.name), byteCount: Int(clamping: fact.byteCount)))
        }
        // Whoever is told what the log holds may rely on it until it says otherwise.
        if !replay.table.segments.isEmpty { log.retentionFloor = replay.table.contents.baseIndex }
        try log.start()
        report.segmentCount = log.segmentCount
        report.byteCount = log.byteCount
        return (log, try log.recovered(report))
    }

    private func path(_ name: String) -> String { directory + "/" + name }

    private mutating func note(_ finding: RecoveryFinding, _ file: String, _ offset: Int) {
        report.findings.append(.init(finding, file: file, offset: UInt64(offset)))
    }
}

extension SegmentedLog {
    /// Begins an empty log's first segment, and makes what was recovered covered.
    fileprivate func start() throws(LogError) {
        let hasRoom = try maintain()
        if table.segments.isEmpty {
            guard hasRoom || !reserves.isEmpty else { throw .noSpace }
            beginSegment()
        } else {
            try seal()
        }
        try write()
        try synchronize()
        try maintain()
    }

    fileprivate func recovered(_ report: RecoveryReport) throws(LogError) -> RecoveredLog {
        let contents = table.contents
        let newest = try newestEntries()
        for entry in newest { cache.append(entry) }
        return RecoveredLog(
            hardState: contents.hardState, snapshot: contents.snapshot, baseIndex: contents.baseIndex,
            baseTerm: contents.baseTerm,
            lastIndex: contents.lastIndex, lastTerm: contents.lastTerm, termRuns: contents.termRuns,
            configurationEntries: contents.configurationEntries, newestEntries: newest, report: report)
    }

    /// As many of the last entries as the cache may hold.
    private func newestEntries() throws(LogError) -> [Entry] {
        var first = table.contents.lastIndex
        var byteCount = 0
        while first > table.contents.baseIndex {
            let segment = table.segment(of: first)
            byteCount += segment.limit(of: first) - segment.offset(of: first) + MemoryLayout<Entry>.stride
            let count = table.contents.lastIndex - first + 1
            if count > cache.entryCountMax || byteCount > cache.byteCountMax { break }
            first = first.previous
        }
        guard first < table.contents.lastIndex else { return [] }
        return try entries(
            from: first.next, through: table.contents.lastIndex, byteCountMax: .max)
    }
}
