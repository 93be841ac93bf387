internal import Raft

/// Folds the batches of segments into what the log says. Pure: it looks at memory.
struct LogReplay {
    let identity: LogIdentity
    let mutations: StorageMutations
    var table = LogTable(contents: LogContents(index: LogIndex.zero, term: Term.zero), segments: [])
    /// Of the next batch; nil before the first.
    private(set) var nextSequence: UInt64?
    private var records: [(record: LogRecord, offset: Int)] = []

    init(identity: LogIdentity, mutations: StorageMutations) {
        self.identity = identity
        self.mutations = mutations
    }

    /// Takes the next segment's batches up to the first that is not valid; returns where that would begin. The segment becomes a part of
    /// the table only with its opening batch.
    mutating func replay(_ scan: SegmentScan, of segment: Segment, file: String) throws(LogRefusal) -> Int {
        var offset = LogFormat.blockByteCount
        while let header = try scan.batch(at: offset, records: &records) {
            func refusal(_ finding: RecoveryFinding, at place: Int, _ detail: String) -> LogRefusal {
                LogRefusal(finding, file: file, offset: UInt64(place), detail)
            }
            if let nextSequence, header.sequence != nextSequence {
                throw refusal(.brokenSequence, at: offset, "batch \(header.sequence) is in the place of batch \(nextSequence)")
            }
            let opens = records.first?.record.kind == .opening
            guard opens == (offset == LogFormat.blockByteCount) else {
                throw refusal(.misplacedOpening, at: offset, "a segment has one opening record, its first")
            }
            if opens { open(segment, records[0].record) }
            for (record, place) in records {
                do throws(LogContradiction) {
                    try table.apply(record, at: place)
                } catch {
                    throw refusal(error.finding, at: place, "\(error)")
                }
            }
            nextSequence = header.sequence &+ 1
            offset += header.batchByteCount
            segment.end = offset
        }
        return offset
    }

    private mutating func open(_ segment: Segment, _ record: LogRecord) {
        if table.segments.isEmpty { table.contents = LogContents(index: record.index, term: record.term) }
        segment.baseIndex = record.index
        table.segments.append(segment)
    }
}
