import Metadata
import Raft

/// The value of "replication/position": the term of the applied index. Written with each batch, in it.
struct PositionRecord: Hashable {
    static let layoutVersion: UInt8 = 1

    var index: LogIndex
    var term: Term

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(index.rawValue)
        bytes.appendLittleEndian(term.rawValue)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> PositionRecord {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        let record = PositionRecord(index: try reader.readIndex("index"), term: try reader.readTerm())
        try reader.expectEnd()
        return record
    }
}

/// The value of "replication/genesis": where the cluster's history began. Never written again.
struct GenesisRecord: Hashable {
    static let layoutVersion: UInt8 = 1

    var genesis: Genesis

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.append(genesis)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> GenesisRecord {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        let record = GenesisRecord(genesis: try reader.readGenesis())
        try reader.expectEnd()
        return record
    }
}

/// The value of "replication/cluster": whom the cluster consists of, and its rules.
struct ClusterRecord: Hashable {
    static let layoutVersion: UInt8 = 1

    var version: ClusterVersion
    var configuration: Configuration
    /// All that ever were members.
    var members: [Member]

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(version.rawValue)
        bytes.append(configuration)
        bytes.append(members)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> ClusterRecord {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        let record = ClusterRecord(
            version: ClusterVersion(try reader.readUInt32()), configuration: try reader.readConfiguration(),
            members: try reader.readMembers(max: MembershipLimits.memberCountMax))
        try reader.expectEnd()
        return record
    }
}

/// The value of "replication/session/" + node: the newest session of a node. It stays when the session has ended, so that neither it nor
/// an earlier one can begin again.
struct SessionRecord: Hashable {
    static let layoutVersion: UInt8 = 1

    var session: SessionID
    var isOpen: Bool
    var mark: Serial

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.append(session)
        bytes.append(isOpen ? 1 : 0)
        bytes.appendLittleEndian(mark.rawValue)
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> SessionRecord {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        let record = SessionRecord(
            session: try reader.readSession(), isOpen: try reader.readBool("is open"), mark: Serial(try reader.readUInt64()))
        try reader.expectEnd()
        return record
    }
}
