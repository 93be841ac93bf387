internal import Raft

extension SegmentedLog {
    /// Takes a batch into memory; `write` and `synchronize` make it durable, with all that was appended before. Any part of it from the
    /// front may survive a crash before that, in the order: hard state, snapshot mark, truncation, entries, commit.
    ///
    /// - Throws: `.noSpace` and `.entryTooLarge`, which leave everything as it was; `.failed`.
    /// - Precondition: the batch does not contradict the log (`LogContradiction`).
    package func append(_ batch: LogBatch) throws(LogError) {
        try ensureHealthy()
        try ensureRoom(for: batch)
        var final = batch.hardState
        if let delayed = delayedHardState {
            delayedHardState = nil
            if final == nil { final = delayed }
        }
        if settings.mutations.contains(.delaysHardState), batch.entries.isEmpty, batch.snapshot == nil {
            (delayedHardState, final) = (final, delayedHardState)
        }
        // The commit must never run ahead of the entries, also if only the front of this batch survives.
        if let final {
            var early = final
            early.commit = min(final.commit, table.contents.lastIndex)
            if let first = batch.entries.first { early.commit = min(early.commit, first.index.previous) }
            early.commit = max(early.commit, table.contents.hardState.commit)
            if early != table.contents.hardState { appendHardState(early) }
        }
        if let change = batch.snapshot { appendMark(change) }
        if let first = batch.entries.first, first.index <= table.contents.lastIndex { appendTruncation(before: first.index) }
        for entry in batch.entries { appendEntry(entry) }
        if let final, final.commit > table.contents.hardState.commit { appendHardState(final) }
        cache.evict(through: durable.lastIndex)
        if settings.mutations.contains(.releasesBeforeMark), batch.snapshot != nil {
            durable.snapshotIndex = table.contents.snapshot?.index ?? durable.snapshotIndex
            try maintain()
        }
    }

    /// Appends a batch without records, if the newest durable one is not covered: whatever damages that one from now on is told from a
    /// torn write. For an idle log, and before it is closed. Does nothing where no block is left in the segment.
    package func seal() throws(LogError) {
        try ensureHealthy()
        guard !hasUnsynchronized, durable.coveredEnd < durable.end, !lastBatchIsSeal else { return }
        guard let segment = table.segments.last, segment.byteCount - segment.end >= LogFormat.blockByteCount else { return }
        startBatch()
        lastBatchIsSeal = true
    }

    // MARK: Records

    private func appendHardState(_ state: HardState) {
        var vote = (state.vote?.rawValue ?? 0).littleEndian
        Swift.withUnsafeBytes(of: &vote) { bytes in
            let payload = state.vote == nil ? UnsafeRawBufferPointer(start: nil, count: 0) : bytes
            appendRecord(LogRecord(.hardState, index: state.commit, term: state.term, payload: payload))
        }
    }

    private func appendMark(_ change: LogBatch.SnapshotChange) {
        let mark = change.mark
        let detail: UInt8
        switch change {
        case .compaction:
            detail = LogRecord.MarkDetail.keepsTail
        case .installation:
            detail = LogRecord.MarkDetail.restarts
            cache.truncate(after: .zero)
        }
        mark.configuration.bytes().withUnsafeBytes { bytes in
            appendRecord(LogRecord(.snapshotMark, detail: detail, index: mark.index, term: mark.term, payload: bytes))
        }
        if detail == LogRecord.MarkDetail.restarts { lowerMarks(to: mark.index) }
    }

    private func appendTruncation(before index: LogIndex) {
        let keep = index.previous
        guard let term = table.contents.term(at: keep) else { preconditionFailure("a truncation before what the log holds") }
        appendRecord(LogRecord(.truncation, index: keep, term: term))
        cache.truncate(after: keep)
        lowerMarks(to: keep)
    }

    /// What was, or is about to be, durable behind `index` is no part of the log any more.
    private func lowerMarks(to index: LogIndex) {
        written.lastIndex = min(written.lastIndex, index)
        durable.lastIndex = min(durable.lastIndex, index)
        if let last = writing?.lastIndex { writing?.lastIndex = min(last, index) }
        if let last = synchronizing?.lastIndex { synchronizing?.lastIndex = min(last, index) }
    }

    private func appendEntry(_ entry: Entry) {
        entry.payload.withUnsafeBytes { bytes in
            appendRecord(
                LogRecord(.entry, detail: entry.type.rawValue, index: entry.index, term: entry.term, payload: bytes))
        }
        cache.append(entry)
    }

    private func appendRecord(_ record: LogRecord) {
        let byteCount = record.byteCount
        if let batch = openBatch, let segment = table.segments.last {
            let used = batch.offset + LogFormat.batchHeaderByteCount + batch.recordsByteCount
            if used + byteCount > segment.byteCount { closeBatch() }
        }
        if openBatch == nil {
            if let segment = table.segments.last, segment.byteCount - segment.end >= LogFormat.batchHeaderByteCount + byteCount
            {
                startBatch()
            } else {
                beginSegment()
                startBatch()
            }
        }
        put(record)
    }

    /// Encodes a record into the open batch, and lets the table know it.
    private func put(_ record: LogRecord) {
        guard var batch = openBatch, let segment = table.segments.last else { preconditionFailure("records go into a batch") }
        let offset = batch.offset + LogFormat.batchHeaderByteCount + batch.recordsByteCount
        let byteCount = record.byteCount
        record.encode(into: buffer.extend(by: byteCount), at: offset, groupID: identity.groupID, seed: seed(segment.number))
        do {
            try table.apply(record, at: offset)
        } catch {
            preconditionFailure("what is appended contradicts the log: \(error)")
        }
        batch.recordCount += 1
        batch.recordsByteCount += byteCount
        segment.end = batch.offset + LogFormat.batchByteCount(recordsByteCount: batch.recordsByteCount)
        openBatch = batch
    }

    // MARK: Batches and segments

    private func startBatch() {
        guard let segment = table.segments.last else { preconditionFailure("a log has a segment") }
        lastBatchIsSeal = false
        openBatch = OpenBatch(bufferStart: buffer.count, offset: segment.end)
        _ = buffer.extend(by: LogFormat.batchHeaderByteCount)
        segment.end += LogFormat.blockByteCount
    }

    /// Gives the open batch its header and the zeros up to the next block, and makes it the end of the last chunk or a chunk of its own.
    func closeBatch() {
        guard let batch = openBatch, let segment = table.segments.last else { return }
        openBatch = nil
        let padded = LogFormat.batchByteCount(recordsByteCount: batch.recordsByteCount)
        let padding = buffer.extend(by: padded - LogFormat.batchHeaderByteCount - batch.recordsByteCount)
        padding.initializeMemory(as: UInt8.self, repeating: 0)
        let header = BatchHeader(
            recordCount: batch.recordCount, sequence: nextSequence, recordsByteCount: UInt64(batch.recordsByteCount),
            synchronizedEnd: promisedEnd)
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[batch.bufferStart..<batch.bufferStart + padded])
        header.encode(into: bytes, at: batch.offset, seed: seed(segment.number))
        nextSequence += 1
        statedEnd = promisedEnd
        if let last = chunks.last, last.file === segment.writer, last.offset + last.byteCount == batch.offset {
            chunks[chunks.count - 1].byteCount += padded
        } else {
            chunks.append(
                LogWrite.Chunk(file: segment.writer, offset: batch.offset, start: batch.bufferStart, byteCount: padded))
        }
    }

    /// Goes on in the first reserve: its header block, and a batch that repeats what the log says so far, so that recovery can begin
    /// there.
    func beginSegment() {
        closeBatch()
        precondition(!reserves.isEmpty, "room was made before")
        let previous = table.segments.last
        let segment = Segment(reserves.removeFirst())
        segment.baseIndex = table.contents.lastIndex
        table.segments.append(segment)
        if let previous { promisedEnd = LogPosition(segment: previous.number, offset: UInt64(previous.end)) }
        let start = buffer.count
        SegmentHeader(
            identity: identity, number: segment.number, segmentByteCount: UInt64(segment.byteCount),
            previousEnd: promisedEnd.offset
        ).encode(into: buffer.extend(by: LogFormat.blockByteCount))
        segment.end = LogFormat.blockByteCount
        chunks.append(
            LogWrite.Chunk(
                file: segment.writer, offset: 0, start: start, byteCount: LogFormat.blockByteCount,
                synchronizesFirst: previous.flatMap { $0.isDirect ? nil : $0.writer }))
        startBatch()
        put(LogRecord(.opening, index: table.contents.lastIndex, term: table.contents.lastTerm))
        if !settings.mutations.contains(.opensWithoutHardState) { putHardState() }
        if let mark = table.contents.snapshot {
            mark.configuration.bytes().withUnsafeBytes { bytes in
                put(LogRecord(.snapshotMark, index: mark.index, term: mark.term, payload: bytes))
            }
        }
        closeBatch()
    }

    private func putHardState() {
        let state = table.contents.hardState
        var vote = (state.vote?.rawValue ?? 0).littleEndian
        Swift.withUnsafeBytes(of: &vote) { bytes in
            let payload = state.vote == nil ? UnsafeRawBufferPointer(start: nil, count: 0) : bytes
            put(LogRecord(.hardState, index: state.commit, term: state.term, payload: payload))
        }
    }

    func seed(_ segment: UInt64) -> PlaceSeed {
        PlaceSeed(clusterID: identity.clusterID, segment: segment, mutations: settings.mutations)
    }

    // MARK: Room

    /// Whether the reserves are enough for the segments that the batch would begin.
    private func ensureRoom(for batch: LogBatch) throws(LogError) {
        guard let segment = table.segments.last else { preconditionFailure("a log has a segment") }
        let limit = LogFormat.payloadByteCountMax(segmentByteCount: settings.segmentByteCount)
        var needed = 0
        for entry in batch.entries {
            guard entry.payload.count <= limit else {
                throw .entryTooLarge(index: entry.index, byteCount: entry.payload.count, byteCountMax: limit)
            }
            needed += LogFormat.recordByteCount(payloadByteCount: entry.payload.count)
        }
        let used = LogFormat.batchHeaderByteCount + (openBatch?.recordsByteCount ?? 0)
        var left = segment.byteCount - (openBatch?.offset ?? segment.end) - used
        let others = batch.recordsByteCountMax
        if needed + others.reduce(0, +) <= left { return }
        var reserveCount = reserves.count
        func take(_ byteCount: Int) throws(LogError) {
            if byteCount > left {
                guard reserveCount > 0 else { throw .noSpace }
                reserveCount -= 1
                left =
                    settings.segmentByteCount - LogFormat.blockByteCount - LogFormat.openingByteCountMax
                    - LogFormat.batchHeaderByteCount
            }
            left -= byteCount
        }
        // The last of the others comes behind the entries.
        for byteCount in others.dropLast() { try take(byteCount) }
        for entry in batch.entries { try take(LogFormat.recordByteCount(payloadByteCount: entry.payload.count)) }
        for byteCount in others.suffix(1) { try take(byteCount) }
    }
}
