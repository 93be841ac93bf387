import Raft

/// One node of a scripted cluster: the core, its durable log, and a state machine that puts the payloads one behind the other.
struct TranscriptNode {
    /// The state after an entry.
    struct Image {
        var mark: SnapshotMark
        var content: [UInt8]
    }

    /// What waits for the log's thread.
    struct AppendWork {
        /// Nil if messages have to wait although nothing has to be written for them.
        var append: LogAppend?
        var responses: [Message]
        /// Of the snapshot that is written.
        var content: [UInt8]?
    }

    /// All nodes have the same: where chance matters, a script sets the election timeout.
    private static let seed: UInt64 = 1

    let options: TranscriptNodeOptions
    private(set) var core: RaftCore
    private var startCount: UInt64 = 0
    var log: MemoryLog
    /// The newest state; older ones are of no use.
    private(set) var image: Image
    /// Contents of snapshots that have arrived, by their index.
    private var received: [(index: LogIndex, content: [UInt8])] = []
    var appendWork: [AppendWork] = []
    var applyWork: [[Entry]] = []
    /// What leaves with the next messages of the core.
    var outbox: [Parcel] = []

    var id: NodeID { core.id }

    init(_ id: NodeID, _ options: TranscriptNodeOptions) throws(ConfigurationError) {
        self.options = options
        image = options.image
        log = MemoryLog(base: image.mark)
        core = try Self.makeCore(id, options, log, image, start: startCount)
    }

    private static func makeCore(
        _ id: NodeID, _ options: TranscriptNodeOptions, _ log: MemoryLog, _ image: Image, start: UInt64
    ) throws(ConfigurationError) -> RaftCore {
        let snapshot = image.mark.index > .zero ? image.mark : nil
        return try RaftCore(
            id: id, settings: options.settings, stored: log.stored(applied: image.mark.index), snapshot: snapshot, start: start,
            seed: seed)
    }

    /// The process dies and comes back: what is not in the log or the state machine is gone.
    mutating func restart() throws(ConfigurationError) {
        appendWork = []
        applyWork = []
        outbox = []
        received = []
        startCount += 1
        core = try Self.makeCore(id, options, log, image, start: startCount)
    }

    /// Lets the core take an event, and tells what it has become.
    mutating func step<Value>(
        _ output: inout TranscriptOutput, _ body: (inout RaftCore) -> Value
    ) -> Value {
        let before = core.standing
        defer {
            let after = core.standing
            if after.role != before.role || after.term != before.term {
                output.remark("\(id) became \(after.role.word) at term \(after.term)", level: .info)
            } else if after.leader != before.leader {
                let text = after.leader.map { "\(id) follows leader \($0) at term \(after.term)" }
                output.remark(text ?? "\(id) has no leader at term \(after.term)", level: .info)
            }
        }
        return body(&core)
    }

    // MARK: Storage

    /// Makes a write durable.
    mutating func write(_ append: LogAppend, content: [UInt8]?) {
        if let hardState = append.hardState { log.hardState = hardState }
        if let mark = append.snapshot {
            log.restart(at: mark)
            image = Image(mark: mark, content: content ?? [])
        }
        log.append(append.entries)
    }

    mutating func receive(_ content: [UInt8], of mark: SnapshotMark) {
        received.append((mark.index, content))
    }

    mutating func takeContent(of mark: SnapshotMark) -> [UInt8]? {
        defer { received = [] }
        return received.last { $0.index == mark.index }?.content
    }

    /// Carries out committed entries. The newest state is what followers are given.
    mutating func apply(_ entries: [Entry]) {
        // A snapshot may have arrived meanwhile that contains them.
        for entry in entries where entry.index > image.mark.index {
            precondition(entry.index == image.mark.index.next, "entries are applied in order, each once")
            if entry.type == .normal { image.content += entry.payload }
            image.mark = image.mark.after(entry)
        }
        core.snapshotTaken(image.mark)
    }

    /// Forgets the log up to an entry, for which the newest state stands. - Precondition: it is applied and in the log.
    mutating func compact(to index: LogIndex) {
        core.compacted(to: index)
        log.compact(to: log.entries(from: log.firstIndex, to: index).reduce(log.base) { $0.after($1) })
    }
}

extension SnapshotMark {
    /// The mark behind the next entry. A change that cannot be made changes nothing, on any node.
    fileprivate func after(_ entry: Entry) -> SnapshotMark {
        var configuration = configuration
        if entry.type == .configurationChange,
            let change = try? ConfigurationChange(decoding: entry.payload),
            let changer = try? ConfigurationChanger(restoring: configuration),
            let next = try? changer.changed(by: change)
        {
            configuration = next
        }
        return SnapshotMark(index: entry.index, term: entry.term, configuration: configuration)
    }
}
