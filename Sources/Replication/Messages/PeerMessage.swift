import Checksum
package import Raft

/// A message between nodes as it is addressed. docs/formats/peer-messages.md has the bytes.
///
/// Both ends are named with the disks that they speak for, so that nothing that was meant for, or said by, a disk that was wiped since
/// then has any effect. Messages may be lost, repeated, delayed and reordered.
package struct PeerEnvelope: Hashable, Sendable {
    /// Nil: the sender belongs to no cluster yet.
    package var cluster: ClusterID?
    package var from: NodeIdentity
    package var to: NodeID
    /// Nil: the sender does not know.
    package var toIncarnation: Incarnation?
    package var message: PeerMessage

    package init(
        cluster: ClusterID?, from: NodeIdentity, to: NodeID, toIncarnation: Incarnation?, message: PeerMessage
    ) {
        self.cluster = cluster
        self.from = from
        self.to = to
        self.toIncarnation = toIncarnation
        self.message = message
    }
}

/// What a replica says to another one.
package enum PeerMessage: Hashable, Sendable {
    /// Of the core; its snapshots are offered instead.
    case raft(Term, Message.Body)
    /// Commands for the leader to append.
    case forward(Forward)
    case forwardAnswer(ForwardAnswer)
    /// How far entries that the receiver waits for have come with the leader.
    case progress(LeaderProgress)
    /// Asks to be told.
    case awaitProgress(AwaitProgress)
    case snapshotOffer(SnapshotOffer)
    case snapshotRequest(SnapshotRequest)
    case snapshotChunk(SnapshotChunk)
    case snapshotAnswer(SnapshotAnswer)
    case formation(FormationReport)
    case status(NodeStatus)
    case refusal(MessageRefusal)
    /// Of an operator, for the leader to carry out.
    case command(CommandRequest)
    case commandAnswer(CommandAnswer)
    case digestRequest(DigestRequest)
    case digestAnswer(DigestAnswer)

    /// On which connection it travels: bulk must not delay what keeps a leader in office.
    package enum Lane: UInt8, Hashable, Sendable, CaseIterable {
        case control, log, snapshot
    }

    package var lane: Lane {
        switch self {
        case .raft(_, .append(let request)): request.entries.isEmpty ? .control : .log
        case .raft: .control
        case .forward: .log
        case .snapshotChunk: .snapshot
        case .forwardAnswer, .progress, .awaitProgress, .snapshotOffer, .snapshotRequest, .snapshotAnswer, .formation, .status,
            .refusal, .command, .commandAnswer, .digestRequest, .digestAnswer:
            .control
        }
    }
}

/// Commands of one node for the leader of one term. It is taken at most once: of forwards with the same or an earlier sequence the
/// leader takes no notice, and another term's leader refuses it. So an answer is final.
package struct Forward: Hashable, Sendable {
    package static let commandCountMax = 4096

    package var term: Term
    /// The sender's count of its starts; sequences begin anew with each.
    package var start: UInt64
    /// Grows with each forward of a start.
    package var sequence: UInt64
    package var commands: [ForwardedCommand]

    package init(term: Term, start: UInt64, sequence: UInt64, commands: [ForwardedCommand]) {
        self.term = term
        self.start = start
        self.sequence = sequence
        self.commands = commands
    }
}

package struct ForwardedCommand: Hashable, Sendable {
    package var level: WriteLevel
    /// An encoded `Command` of the sender's session.
    package var payload: [UInt8]

    package init(level: WriteLevel, payload: [UInt8]) {
        self.level = level
        self.payload = payload
    }
}

package struct ForwardAnswer: Hashable, Sendable {
    /// The forward's.
    package var term: Term
    package var start: UInt64
    package var sequence: UInt64
    package var result: Result

    package init(term: Term, start: UInt64, sequence: UInt64, result: Result) {
        self.term = term
        self.start = start
        self.sequence = sequence
        self.result = result
    }

    package enum Result: Hashable, Sendable {
        /// The commands are in the leader's log from that place on, in order.
        case appended(first: LogIndex)
        /// None is, and none will be.
        case refused(Refusal)
    }

    package enum Refusal: UInt8, Hashable, Sendable, CaseIterable {
        case notLeader = 1
        /// Leadership is being handed over.
        case transferring = 2
        /// Too much waits to be committed.
        case overloaded = 3
        case tooLarge = 4
        /// The sender is no member.
        case notMember = 5
        /// A command is not one, or of another's session.
        case malformed = 6
    }
}

package struct LeaderProgress: Hashable, Sendable {
    package var term: Term
    /// The leader's own log holds its entries of this term durably up to here.
    package var durable: LogIndex
    /// All voters hold the log durably up to here, and it is committed.
    package var everywhere: LogIndex

    package init(term: Term, durable: LogIndex, everywhere: LogIndex) {
        self.term = term
        self.durable = durable
        self.everywhere = everywhere
    }
}

package struct AwaitProgress: Hashable, Sendable {
    package var term: Term
    /// Tell when all voters have this entry.
    package var everywhere: LogIndex

    package init(term: Term, everywhere: LogIndex) {
        self.term = term
        self.everywhere = everywhere
    }
}

/// Which snapshot: two nodes' snapshots of the same entry differ in their bytes.
package struct SnapshotID: Hashable, Sendable {
    package var index: LogIndex
    package var term: Term
    /// Of the whole contents.
    package var fingerprint: UInt64

    package init(index: LogIndex, term: Term, fingerprint: UInt64) {
        self.index = index
        self.term = term
        self.fingerprint = fingerprint
    }
}

/// A leader has a snapshot for a follower, who asks for its chunks one after another.
package struct SnapshotOffer: Hashable, Sendable {
    /// The sender's, who leads it.
    package var term: Term
    package var mark: SnapshotMark
    package var fingerprint: UInt64
    package var byteCount: UInt64
    /// All chunks but the last have so many bytes.
    package var chunkByteCount: UInt32
    /// The rules that its state was made by.
    package var version: ClusterVersion

    package init(
        term: Term, mark: SnapshotMark, fingerprint: UInt64, byteCount: UInt64, chunkByteCount: UInt32,
        version: ClusterVersion
    ) {
        self.term = term
        self.mark = mark
        self.fingerprint = fingerprint
        self.byteCount = byteCount
        self.chunkByteCount = chunkByteCount
        self.version = version
    }

    package var id: SnapshotID { SnapshotID(index: mark.index, term: mark.term, fingerprint: fingerprint) }

    /// - Precondition: chunks have bytes.
    package var chunkCount: UInt64 {
        byteCount / UInt64(chunkByteCount) + (byteCount % UInt64(chunkByteCount) == 0 ? 0 : 1)
    }

    /// How many bytes that chunk has. - Precondition: there is one.
    package func byteCount(ofChunk number: UInt64) -> Int {
        Int(min(UInt64(chunkByteCount), byteCount - number * UInt64(chunkByteCount)))
    }
}

package struct SnapshotRequest: Hashable, Sendable {
    package var id: SnapshotID
    /// From 0 on.
    package var chunk: UInt64

    package init(id: SnapshotID, chunk: UInt64) {
        self.id = id
        self.chunk = chunk
    }
}

package struct SnapshotChunk: Hashable, Sendable {
    package static let byteCountMax = 4 << 20

    package var id: SnapshotID
    package var number: UInt64
    /// CRC-32C of the bytes.
    package let checksum: UInt32
    package var bytes: [UInt8] {
        didSet { isWhole = Self.checksum(bytes) == checksum }
    }
    /// The bytes are those that were sent. Kept, so that whoever decodes a chunk has looked, and not the replica's loop.
    package private(set) var isWhole: Bool

    package init(id: SnapshotID, number: UInt64, checksum: UInt32, bytes: [UInt8]) {
        self.id = id
        self.number = number
        self.checksum = checksum
        self.bytes = bytes
        isWhole = Self.checksum(bytes) == checksum
    }

    /// With the checksum of these bytes.
    package init(id: SnapshotID, number: UInt64, bytes: [UInt8]) {
        self.id = id
        self.number = number
        checksum = Self.checksum(bytes)
        self.bytes = bytes
        isWhole = true
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
}

/// The receiver's last word on an offer.
package struct SnapshotAnswer: Hashable, Sendable {
    package enum Result: UInt8, Hashable, Sendable, CaseIterable {
        /// All of it is here, whole, and about to be installed; or it was not needed.
        case received = 1
        /// Its bytes are not what the offer says: the sender should take another one.
        case damaged = 2
        /// The receiver's disk does not take it.
        case failed = 3
        /// Its rules are newer than the receiver's build.
        case unknownVersion = 4
        /// The offer does not come from whom the receiver follows.
        case notFollowed = 5
    }

    package var id: SnapshotID
    package var result: Result

    package init(id: SnapshotID, result: Result) {
        self.id = id
        self.result = result
    }
}

/// What a node says about itself when a connection is made, and a follower now and then.
package struct NodeStatus: Hashable, Sendable {
    /// The newest rules that its build knows.
    package var version: ClusterVersion
    package var applied: LogIndex
    /// It has nothing, and waits to be added to a cluster.
    package var isEmpty: Bool
    package var bodies: BodyReport

    package init(version: ClusterVersion, applied: LogIndex, isEmpty: Bool, bodies: BodyReport = .whole) {
        self.version = version
        self.applied = applied
        self.isEmpty = isEmpty
        self.bodies = bodies
    }
}

/// What a node lacks of the bodies that its state names.
package struct BodyReport: Hashable, Sendable {
    /// What entries up to this one name is considered.
    package var index: LogIndex
    /// Nil: it has not looked for all of them yet.
    package var lackingCount: UInt64?
    package var lackingByteCount: UInt64

    package init(lackingCount: UInt64?, lackingByteCount: UInt64, index: LogIndex) {
        self.index = index
        self.lackingCount = lackingCount
        self.lackingByteCount = lackingByteCount
    }

    /// Of a node that there can be no bodies for.
    package static let whole = BodyReport(lackingCount: 0, lackingByteCount: 0, index: LogIndex(.max))
    package static let unknown = BodyReport(lackingCount: nil, lackingByteCount: 0, index: .zero)

    package var isWhole: Bool { lackingCount == 0 }

    /// Bodies that are lacking of those that entries up to that one name, and perhaps later ones; nil: it is not known.
    package func lackingCount(upTo index: LogIndex) -> UInt64? { self.index >= index ? lackingCount : nil }
}

/// Why a node takes no notice of another one's messages.
package enum MessageRefusal: UInt8, Error, Hashable, Sendable, CaseIterable {
    case wrongCluster = 1
    /// The sender's id belongs to another disk.
    case wrongIncarnation = 2
    /// The message was for another disk under the receiver's id.
    case misaddressed = 3
    /// The sender was a member, and is none any more.
    case removed = 4
}
