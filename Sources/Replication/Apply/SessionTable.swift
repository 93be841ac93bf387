import KeyValueStore
import Metadata
import Raft

/// The sessions of the replicated state: what makes an operation that is sent twice take effect once.
///
/// Small: the results of a session lie within its window, and go when their proposer has acknowledged them.
struct SessionTable {
    struct Session {
        var record: SessionRecord
        /// What the stored record counts in the digest; nil: it is not stored yet.
        var contribution: StateDigest?
        /// The stored record says something else.
        var isChanged = false
        /// Those with results from the mark on, sorted by number.
        var pages: [ResultPage] = []

        /// Where the page is, or belongs.
        func place(ofPage number: UInt64) -> Int {
            // Mostly at the end.
            (pages.lastIndex { $0.number < number } ?? -1) + 1
        }

        func has(_ serial: Serial) -> Bool {
            let number = ResultPage.number(of: serial)
            let place = place(ofPage: number)
            return place < pages.count && pages[place].number == number && pages[place].has(serial)
        }

        /// - Precondition: `has(result.serial)` is false.
        mutating func keep(_ result: SessionResult) {
            let number = ResultPage.number(of: result.serial)
            let place = place(ofPage: number)
            if place == pages.count || pages[place].number != number {
                pages.insert(ResultPage(number: number), at: place)
            }
            pages[place].append(result)
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
            let first = ReplicationKeys.results(node, page: 0)
            let end = ReplicationKeys.results(node, page: .max)
            try StoredReplication.forEach(reader, from: first, to: end) { (key, value) throws(MetadataStoreFailure) in
                guard let number = ReplicationKeys.page(in: key) else {
                    throw .damaged(RecordDamage("result", "its key is malformed"))
                }
                let contribution = RecordHash.contribution(KeySchema.system, key, value)
                sessions[place].pages.append(
                    try StoredReplication.decoded("result", value) { (bytes) throws(DecodingFault) in
                        try ResultPage(number: number, stored: bytes, contribution: contribution)
                    })
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

    /// Another store takes the place of the one that they are in.
    mutating func forgetStored() {
        for place in sessions.indices {
            sessions[place].contribution = nil
            sessions[place].isChanged = true
            for page in sessions[place].pages.indices { sessions[place].pages[page].forgetStored() }
        }
    }

    /// Under a mutation only.
    mutating func forgetResults() { for place in sessions.indices { sessions[place].pages = [] } }

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
