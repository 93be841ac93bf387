import KeyValueStore
import Metadata
import Raft

/// The sessions of the replicated state: what makes an operation that is sent twice take effect once.
///
/// The results themselves are in the store; here are their serials, and what each counts in the digest.
struct SessionTable {
    struct Session {
        var record: SessionRecord
        /// What the stored record counts in the digest; nil: it is not stored yet.
        var contribution: StateDigest?
        /// The stored record says something else.
        var isChanged = false
        /// Sorted by serial.
        var results: [(serial: Serial, contribution: StateDigest)] = []

        /// Where the result is, or belongs.
        func place(of serial: Serial) -> Int {
            // Mostly at the end.
            guard let last = results.last, last.serial >= serial else { return results.count }
            var (low, high) = (0, results.count)
            while low < high {
                let middle = (low + high) / 2
                if results[middle].serial < serial { low = middle + 1 } else { high = middle }
            }
            return low
        }

        func has(_ serial: Serial) -> Bool {
            let place = place(of: serial)
            return place < results.count && results[place].serial == serial
        }
    }

    /// The newest of each node, sorted by node.
    private(set) var sessions: [Session] = []

    init(loading reader: some KeyValueReader) throws(MetadataStoreFailure) {
        try StoredReplication.forEach(reader, ReplicationKeys.sessionPrefix) { (key, value) throws(MetadataStoreFailure) in
            let record = try StoredReplication.decoded("session", value, SessionRecord.decode)
            guard key == ReplicationKeys.session(record.session.node) else {
                throw .damaged(RecordDamage("session", "it is another node's"))
            }
            sessions.append(
                Session(record: record, contribution: RecordHash.contribution(KeySchema.system, key, value)))
        }
        for place in sessions.indices {
            let node = sessions[place].record.session.node
            let first = ReplicationKeys.result(node, Serial(0))
            let end = ReplicationKeys.result(node, Serial(.max))
            try StoredReplication.forEach(reader, from: first, to: end) { (key, value) throws(MetadataStoreFailure) in
                guard let serial = ReplicationKeys.serial(in: key) else {
                    throw .damaged(RecordDamage("result", "its key is malformed"))
                }
                sessions[place].results.append((serial, RecordHash.contribution(KeySchema.system, key, value)))
            }
        }
    }

    /// The open ones.
    var open: [SessionID] { sessions.filter(\.record.isOpen).map(\.record.session) }

    func place(of node: NodeID) -> Int? { sessions.firstIndex { $0.record.session.node == node } }

    subscript(place: Int) -> Session {
        get { sessions[place] }
        _modify { yield &sessions[place] }
    }

    mutating func add(_ session: Session) {
        let node = session.record.session.node
        sessions.insert(session, at: sessions.firstIndex { $0.record.session.node > node } ?? sessions.count)
    }
}

/// Reading the records of the replication layer where there is no transaction, or one that need not be counted.
enum StoredReplication {
    static func decoded<Record>(
        _ name: String, _ value: [UInt8], _ decode: ([UInt8]) throws(DecodingFault) -> Record
    ) throws(MetadataStoreFailure) -> Record {
        do throws(DecodingFault) { return try decode(value) } catch {
            throw .damaged(RecordDamage(name, error.description))
        }
    }

    static func read(_ reader: some KeyValueReader, _ key: [UInt8]) throws(MetadataStoreFailure) -> [UInt8]? {
        do {
            return try reader.withValue(key, in: KeySchema.system, tier: .all) { $0.copy(0..<$0.byteCount) }
        } catch { throw .store(error) }
    }

    static func forEach(
        _ reader: some KeyValueReader, _ prefix: [UInt8],
        _ visit: ([UInt8], [UInt8]) throws(MetadataStoreFailure) -> Void
    ) throws(MetadataStoreFailure) {
        try forEach(reader, from: prefix, to: ReplicationKeys.past(prefix), visit)
    }

    static func forEach<Reader: KeyValueReader>(
        _ reader: Reader, from first: [UInt8], to end: [UInt8],
        _ visit: ([UInt8], [UInt8]) throws(MetadataStoreFailure) -> Void
    ) throws(MetadataStoreFailure) {
        var cursor: Reader.Cursor
        do {
            cursor = try reader.makeCursor(in: KeySchema.system, from: first, to: end, tier: .all)
            try cursor.seekToFirst()
        } catch { throw .store(error) }
        while cursor.isValid {
            let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
            let value = cursor.withValue { $0.copy(0..<$0.byteCount) }
            try visit(key, value)
            do { try cursor.next() } catch { throw .store(error) }
        }
    }
}
