import Metadata
import Raft

/// The value of "replication/result/" + node + page number: what the operations of a session answered whose serials divide to that
/// number, kept until their proposer has acknowledged them all.
///
/// Many results share a record because the store's work is for each record, not for its bytes: a batch of operations writes the pages
/// that it touched once.
struct ResultPage {
    static let layoutVersion: UInt8 = 2
    /// Serials of a page.
    static let serialCount: UInt64 = 16

    let number: UInt64
    /// What the stored record counts in the digest; nil: it is not stored yet.
    private(set) var contribution: StateDigest?
    /// The stored record lacks results.
    private(set) var isChanged = false
    /// One bit for each serial that has a result.
    private var present: UInt16 = 0
    /// The value. Results follow one another in the order of the log, so that a new one is appended.
    private(set) var bytes: [UInt8]

    init(number: UInt64) {
        self.number = number
        bytes = [Self.layoutVersion]
    }

    /// - Throws: where the value is not what `bytes` of a page can be.
    init(number: UInt64, stored bytes: [UInt8], contribution: StateDigest) throws(DecodingFault) {
        guard number < .max / Self.serialCount else { throw .invalid(field: "page") }
        self.number = number
        self.contribution = contribution
        self.bytes = bytes
        for result in try decode() {
            let bit = Self.bit(result.serial)
            guard present & bit == 0 else { throw .invalid(field: "serial") }
            present |= bit
        }
    }

    static func number(of serial: Serial) -> UInt64 { serial.rawValue / serialCount }

    private static func bit(_ serial: Serial) -> UInt16 { 1 << UInt16(serial.rawValue % serialCount) }

    /// The first serial behind the page.
    var end: Serial { Serial((number + 1) * Self.serialCount) }

    func has(_ serial: Serial) -> Bool { present & Self.bit(serial) != 0 }

    /// - Precondition: the serial is of this page, and has no result.
    mutating func append(_ result: SessionResult) {
        precondition(Self.number(of: result.serial) == number && !has(result.serial), "a second result, or another page's")
        if bytes.count == 1 { bytes.reserveCapacity(Int(Self.serialCount) * 80) }
        present |= Self.bit(result.serial)
        isChanged = true
        bytes.append(UInt8(result.serial.rawValue % Self.serialCount))
        bytes.appendLittleEndian(result.index.rawValue)
        bytes.append(result.outcome)
    }

    /// `bytes` are in the store, and count this.
    mutating func stored(_ contribution: StateDigest) {
        self.contribution = contribution
        isChanged = false
    }

    /// It is in no store.
    mutating func forgetStored() {
        contribution = nil
        isChanged = true
    }

    /// The results, in the order of the log.
    func decode() throws(DecodingFault) -> [SessionResult] {
        var reader = BytesReader(bytes)
        try reader.readVersion(Self.layoutVersion)
        var results: [SessionResult] = []
        while reader.remaining > 0 {
            let place = UInt64(try reader.readUInt8())
            guard place < Self.serialCount else { throw .invalid(field: "serial") }
            results.append(
                SessionResult(
                    serial: Serial(number * Self.serialCount + place), index: try reader.readIndex("index"),
                    outcome: try reader.readOutcome()))
        }
        return results
    }
}

/// The layout versions of the records, for the test that compares them with the document.
package enum ReplicationRecordVersions {
    package static let all: [(name: String, version: UInt8)] = [
        ("position", PositionRecord.layoutVersion), ("genesis", GenesisRecord.layoutVersion),
        ("cluster", ClusterRecord.layoutVersion), ("restore", RestoreState.layoutVersion),
        ("session", SessionRecord.layoutVersion),
        ("result", ResultPage.layoutVersion),
    ]
}
