import KeyValueStore
import Metadata
package import ObjectDataStore
package import Raft

/// What the replicated state says of replacements of itself: the value of "replication/restore".
///
/// While one is prepared no replica deletes a body. The file of one that was made stays on whoever has it until every member has applied the
/// entry (`Command.settleRestores`), since a member that lacks it fetches it. From then on no log may bring the entry to a new member: the file
/// is gone (`settled`, and `RaftCore.retire`).
package struct RestoreState: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1
    package static let unsettledCountMax = 16

    /// One that is prepared, in the session of the node that does.
    package struct Preparation: Hashable, Sendable {
        package var restore: RestoreID
        package var session: SessionID
    }

    /// One that was made, and may have members yet that have not got there.
    package struct Unsettled: Hashable, Sendable {
        package var index: LogIndex
        package var file: StoredBody
    }

    package var preparation: Preparation?
    /// Ascending.
    package var unsettled: [Unsettled] = []
    /// Replacements up to this entry are settled.
    package var settled = LogIndex.zero

    package init() {}

    /// What a state says. - Throws: where it cannot be read.
    init(of reader: some KeyValueReader) throws(MetadataStoreFailure) {
        guard let value = try StoredReplication.read(reader, ReplicationKeys.restore) else { return }
        self = try StoredReplication.decoded("restore", value, RestoreState.decode)
    }

    func needs(_ body: BodyID) -> Bool { unsettled.contains { $0.file.id == body } }

    // MARK: Bytes

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.append(preparation == nil ? 0 : 1)
        if let preparation {
            bytes.append(preparation.restore)
            bytes.append(preparation.session)
        }
        bytes.appendLittleEndian(settled.rawValue)
        bytes.appendLittleEndian(UInt16(unsettled.count))
        for restore in unsettled {
            bytes.appendLittleEndian(restore.index.rawValue)
            bytes.append(restore.file)
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingFault) -> RestoreState {
        var reader = BytesReader(bytes)
        try reader.readVersion(layoutVersion)
        var state = RestoreState()
        if try reader.readBool("preparation") {
            let restore = try reader.readRestoreID()
            state.preparation = Preparation(restore: restore, session: try reader.readSession())
        }
        state.settled = try reader.readIndex("settled")
        for _ in 0..<(try reader.readCount16("unsettled", max: unsettledCountMax)) {
            let index = try reader.readIndex("index")
            guard index > state.unsettled.last?.index ?? state.settled else { throw .invalid(field: "index") }
            state.unsettled.append(Unsettled(index: index, file: try reader.readStoredBody()))
        }
        try reader.expectEnd()
        return state
    }
}
