package import Metadata
package import ObjectDataStore
package import Raft

/// One replacement of the state by that of a snapshot file, from its preparation to its end. Made at random by the node that is asked for it.
package struct RestoreID: Hashable, Sendable, CustomStringConvertible {
    // Not one of 128 bits: with such a parameter an asynchronous function of Swift 6.3 resumes at address 0.
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func random() -> RestoreID {
        RestoreID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    package var description: String { String(UInt128(high) << 64 | UInt128(low), radix: 16) }
}

/// What the log says of a replacement of the state: the content of a `Command` of kind `restore`. docs/formats/command.md has the layout.
///
/// ```
///   begin ──► (bodies and the file come to a quorum; nothing is deleted meanwhile) ──► replace
///     └──────────────────────────────────────────────────────────────────────────────► cancel
/// ```
package enum RestoreStep: Hashable, Sendable {
    /// From here on no replica deletes a body, until `replace`, `cancel`, or the end of the session that said so.
    case begin(RestoreID)
    case cancel(RestoreID)
    /// Every replica puts the file's metadata in the place of its own.
    case replace(StateReplacement)
}

/// Which state takes the place of the replicated one.
package struct StateReplacement: Hashable, Sendable {
    /// Which was begun.
    package var restore: RestoreID
    /// The beginning of the snapshot file, up to the end of the store in it (docs/formats/backup.md), as a body: what replicas fetch.
    package var file: StoredBody
    /// Who holds the file, and the bodies that the state in it names: each of them is on the members of one of these lists, at least. Each
    /// list is sorted.
    package var holders: [[NodeID]]
    /// The id of the whole snapshot file.
    package var snapshot: UInt128
    /// The last operation that the state in the file contains.
    package var index: LogIndex
    /// The digest of that state.
    package var digest: StateDigest

    package static let holderListCountMax = 1_024

    package init(
        restore: RestoreID, file: StoredBody, holders: [[NodeID]], snapshot: UInt128, index: LogIndex, digest: StateDigest
    ) {
        self.restore = restore
        self.file = file
        self.holders = holders
        self.snapshot = snapshot
        self.index = index
        self.digest = digest
    }
}

// MARK: Bytes

extension RestoreStep {
    package static let layoutVersion: UInt8 = 1
    package static let beginCode: UInt8 = 1
    package static let cancelCode: UInt8 = 2
    package static let replaceCode: UInt8 = 3

    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        switch self {
        case .begin(let id):
            bytes.append(Self.beginCode)
            bytes.append(id)
        case .cancel(let id):
            bytes.append(Self.cancelCode)
            bytes.append(id)
        case .replace(let replacement):
            bytes.append(Self.replaceCode)
            bytes.append(replacement.restore)
            bytes.append(replacement.file)
            bytes.appendLittleEndian(replacement.snapshot)
            bytes.appendLittleEndian(replacement.index.rawValue)
            bytes.appendLittleEndian(replacement.digest.low)
            bytes.appendLittleEndian(replacement.digest.high)
            bytes.appendLittleEndian(UInt16(replacement.holders.count))
            for list in replacement.holders { bytes.append(list) }
        }
        return bytes
    }

    /// What decodes encodes to the same bytes.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BytesReader(bytes)
        try reader.readVersion(Self.layoutVersion)
        switch try reader.readUInt8() {
        case Self.beginCode: self = .begin(try reader.readRestoreID())
        case Self.cancelCode: self = .cancel(try reader.readRestoreID())
        case Self.replaceCode:
            let restore = try reader.readRestoreID()
            let file = try reader.readStoredBody()
            let snapshot = try reader.readUInt128()
            let index = try reader.readIndex("index")
            let low = try reader.readUInt64()
            let digest = StateDigest(low: low, high: try reader.readUInt64())
            let count = try reader.readCount16("holders", max: StateReplacement.holderListCountMax)
            var holders: [[NodeID]] = []
            for _ in 0..<count { holders.append(try reader.readNodes("holders", max: MembershipLimits.listCountMax)) }
            self = .replace(
                StateReplacement(
                    restore: restore, file: file, holders: holders, snapshot: snapshot, index: index, digest: digest))
        case let code: throw .unknownCode(field: "step", code: UInt64(code))
        }
        try reader.expectEnd()
    }
}

extension [UInt8] {
    mutating func append(_ id: RestoreID) {
        appendLittleEndian(id.low)
        appendLittleEndian(id.high)
    }

    mutating func append(_ body: StoredBody) {
        appendLittleEndian(body.id.origin)
        appendLittleEndian(body.id.sequence)
        appendLittleEndian(body.length)
    }
}

extension BytesReader {
    mutating func readRestoreID() throws(DecodingFault) -> RestoreID {
        let low = try readUInt64()
        return RestoreID(high: try readUInt64(), low: low)
    }

    mutating func readStoredBody() throws(DecodingFault) -> StoredBody {
        let origin = try readUInt64()
        let id = BodyID(origin: origin, sequence: try readUInt64())
        let length = try readUInt64()
        guard length <= BodyFormat.lengthMax else { throw .invalid(field: "length") }
        return StoredBody(id: id, length: length)
    }
}
