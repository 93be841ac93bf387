internal import FileSystem
package import Raft

extension SegmentedLog {
    /// Entries from `first` up to `last`, as many as fit into `byteCountMax` bytes of payload, at least one.
    ///
    /// - Throws: `.compacted` or `.beyondEnd` when the log does not hold them; `.refused` when the disk gives something else back than was
    ///   written; `.file` when it gives nothing. A failed read leaves the log usable.
    package func entries(from first: LogIndex, through last: LogIndex, byteCountMax: Int) throws(LogError) -> [Entry] {
        try plan(from: first, through: last, byteCountMax: byteCountMax).perform()
    }

    /// What a read needs to know of the log, so that it can be performed while others use it.
    package func plan(from first: LogIndex, through last: LogIndex, byteCountMax: Int) throws(LogError) -> LogRead {
        let contents = table.contents
        guard first > contents.baseIndex else { throw .compacted(firstIndex: contents.baseIndex.next) }
        guard first <= last, last <= contents.lastIndex else { throw .beyondEnd(lastIndex: contents.lastIndex) }
        var read = LogRead(byteCountMax: byteCountMax, identity: identity, mutations: settings.mutations)
        var index = first
        var byteCount = 0
        while index <= last, byteCount < byteCountMax || index == first {
            if let cached = cache[index] {
                if index > first, byteCount + cached.payload.count > byteCountMax { break }
                byteCount += cached.payload.count
                read.cached.append(cached)
                index = index.next
                continue
            }
            // The cache holds a tail, so whatever is not in it comes before.
            let segment = table.segment(of: index)
            let start = segment.offset(of: index)
            var offsets: [UInt32] = []
            while index <= last, segment.holds(index), cache[index] == nil {
                let end = segment.limit(of: index)
                // An estimate from above: a record ends before the next begins.
                if !(offsets.isEmpty && index == first), byteCount + (end - segment.offset(of: index)) > byteCountMax { break }
                byteCount += end - segment.offset(of: index)
                offsets.append(UInt32(truncatingIfNeeded: segment.offset(of: index)))
                index = index.next
            }
            guard let lastOffset = offsets.last else { break }
            let end = segment.limit(of: index.previous)
            precondition(Int(lastOffset) < end, "an entry lies before its end")
            read.pieces.append(
                LogRead.Piece(
                    file: segment.reader, segment: segment.number, start: start, end: end, offsets: offsets,
                    firstIndex: index + -offsets.count))
        }
        return read
    }
}

/// Entries to be read: some from files, then some that the cache had.
package struct LogRead: Sendable {
    struct Piece: Sendable {
        var file: any File
        var segment: UInt64
        var start: Int
        var end: Int
        var offsets: [UInt32]
        var firstIndex: LogIndex
    }

    let byteCountMax: Int
    let identity: LogIdentity
    let mutations: StorageMutations
    var pieces: [Piece] = []
    var cached: [Entry] = []

    package var needsDisk: Bool { !pieces.isEmpty }

    /// Blocks on the disk if `needsDisk`. A segment that was reused since the plan was made is seen as damage: whoever planned asks then
    /// whether the log still holds the entries.
    package func perform() throws(LogError) -> [Entry] {
        guard needsDisk else { return cached }
        var entries: [Entry] = []
        for piece in pieces { try read(piece, into: &entries) }
        entries.append(contentsOf: cached)
        return entries
    }

    private func read(_ piece: Piece, into entries: inout [Entry]) throws(LogError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.end - piece.start, alignment: 16)
        defer { buffer.deallocate() }
        let count: Int
        do {
            count = try piece.file.read(into: buffer, at: UInt64(piece.start))
        } catch {
            throw .file(error)
        }
        let seed = PlaceSeed(clusterID: identity.clusterID, segment: piece.segment, mutations: mutations)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        entries.reserveCapacity(entries.count + piece.offsets.count)
        for (number, offset) in piece.offsets.enumerated() {
            let index = piece.firstIndex + number
            func refusal(_ finding: RecoveryFinding, _ detail: String) -> LogError {
                .refused(LogRefusal(finding, file: piece.file.path, offset: UInt64(offset), detail))
            }
            guard Int(offset) - piece.start < count else {
                throw refusal(.damage, "the file ends before entry \(index)")
            }
            let record: LogRecord
            do {
                record = try LogRecord(
                    decoding: UnsafeRawBufferPointer(rebasing: bytes[(Int(offset) - piece.start)...]), at: Int(offset),
                    groupID: identity.groupID, seed: seed)
            } catch {
                throw refusal(.damage, "entry \(index) is damaged")
            }
            guard record.kind == .entry, record.index == index, let type = EntryType(rawValue: record.detail) else {
                throw refusal(.damage, "another record is in the place of entry \(index)")
            }
            entries.append(Entry(index: index, term: record.term, type: type, payload: Array(record.payload)))
        }
    }
}
