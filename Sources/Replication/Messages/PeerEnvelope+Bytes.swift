import Metadata
import Raft

/// The bytes of messages between peers (docs/formats/peer-messages.md). What decodes encodes to the same bytes; no bytes make it trap,
/// and no count in them reserves more memory than they take up themselves.
extension PeerEnvelope {
    package static let layoutVersion: UInt8 = 1
    /// Layout version, flags, and the four numbers of whom it is from and to.
    package static let headerByteCount = 42
    package static let hasClusterFlag: UInt8 = 1
    package static let hasReceiverFlag: UInt8 = 2

    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerByteCount + message.approximateByteCount)
        bytes.append(Self.layoutVersion)
        bytes.append((cluster == nil ? 0 : Self.hasClusterFlag) | (toIncarnation == nil ? 0 : Self.hasReceiverFlag))
        bytes.appendLittleEndian(cluster?.rawValue ?? 0)
        bytes.append(from)
        bytes.appendLittleEndian(to.rawValue)
        bytes.appendLittleEndian(toIncarnation?.rawValue ?? 0)
        bytes.append(message)
        return bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BytesReader(bytes)
        try reader.readVersion(Self.layoutVersion)
        let flags = try reader.readUInt8()
        guard flags <= Self.hasClusterFlag | Self.hasReceiverFlag else {
            throw .unknownCode(field: "flags", code: UInt64(flags))
        }
        let cluster = try reader.readOptional("cluster", isThere: flags & Self.hasClusterFlag != 0)
        let from = try reader.readIdentity("from")
        let to = try reader.readNode("to")
        let incarnation = try reader.readOptional("to incarnation", isThere: flags & Self.hasReceiverFlag != 0)
        let message = try reader.readMessage()
        try reader.expectEnd()
        self.init(
            cluster: cluster.map { ClusterID($0) }, from: from, to: to, toIncarnation: incarnation.map { Incarnation($0) },
            message: message)
    }
}

extension PeerMessage {
    /// What the first byte of a message says.
    package enum Kind: UInt8, Sendable, CaseIterable {
        case append = 1
        case appendResponse = 2
        case heartbeat = 3
        case heartbeatResponse = 4
        case vote = 5
        case voteResponse = 6
        case timeoutNow = 7
        case readIndex = 8
        case readIndexResponse = 9
        case removed = 10
        case forward = 16
        case forwardAnswer = 17
        case progress = 18
        case awaitProgress = 19
        case snapshotOffer = 32
        case snapshotRequest = 33
        case snapshotChunk = 34
        case snapshotAnswer = 35
        case formation = 48
        case status = 49
        case refusal = 50
        case command = 64
        case commandAnswer = 65
        case digestRequest = 66
        case digestAnswer = 67
    }

    package enum Limits {
        /// Entries of one append.
        package static let entryCountMax = 65536
        /// Bytes of one entry or command.
        package static let payloadByteCountMax = 64 << 20
        package static let founderCountMax = MembershipLimits.listCountMax
    }

    var approximateByteCount: Int {
        switch self {
        case .raft(_, .append(let request)): request.entries.reduce(64) { $0 + $1.payload.count + 13 }
        case .forward(let forward): forward.commands.reduce(64) { $0 + $1.payload.count + 5 }
        case .snapshotChunk(let chunk): chunk.bytes.count + 64
        case .raft, .forwardAnswer, .progress, .awaitProgress, .snapshotOffer, .snapshotRequest, .snapshotAnswer, .formation,
            .status, .refusal, .command, .digestRequest, .digestAnswer:
            64
        case .commandAnswer: CommandAnswer.textByteCountMax
        }
    }
}
