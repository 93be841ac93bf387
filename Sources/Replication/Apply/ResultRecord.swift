import Metadata
import Raft

/// The value of "replication/result/" + node + serial: what an operation answered, kept until its proposer has acknowledged it.
struct ResultRecord: Equatable {
    static let layoutVersion: UInt8 = 1

    var index: LogIndex
    var outcome: MetadataOutcome

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.reserveCapacity(80)
        bytes.appendLittleEndian(index.rawValue)
        bytes.append(outcome)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> ResultRecord {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        let record = ResultRecord(index: try reader.readIndex("index"), outcome: try reader.readOutcome())
        try reader.expectEnd()
        return record
    }
}

/// The layout versions of the records, for the test that compares them with the document.
package enum ReplicationRecordVersions {
    package static let all: [(name: String, version: UInt8)] = [
        ("position", PositionRecord.layoutVersion), ("genesis", GenesisRecord.layoutVersion),
        ("cluster", ClusterRecord.layoutVersion), ("session", SessionRecord.layoutVersion),
        ("result", ResultRecord.layoutVersion),
    ]
}
