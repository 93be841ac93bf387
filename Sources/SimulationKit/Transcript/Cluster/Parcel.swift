import Raft

/// What is on its way to a node.
struct Parcel {
    enum Content {
        /// From another node's core; a snapshot's bytes travel with it.
        case message(Message, snapshot: [UInt8])
        /// A proposal that a follower sends on to its leader.
        case proposal(TranscriptProposal)
        /// A wish to hand leadership over, likewise.
        case transfer(to: NodeID)
        /// The node's own log's thread has made this write durable.
        case written(token: UInt64)
        /// The node's own applier has come up to there.
        case applied(LogIndex)
    }

    let from: NodeID
    let to: NodeID
    let content: Content

    /// It comes from one of the node's own threads: it cannot be lost.
    var isLocal: Bool {
        switch content {
        case .message, .proposal, .transfer: false
        case .written, .applied: true
        }
    }

    /// As scripts call it.
    var type: String {
        switch content {
        case .message(let message, _): message.body.name
        case .proposal: "MsgProp"
        case .transfer: "MsgTransferLeader"
        case .written: "MsgStorageAppendResp"
        case .applied: "MsgStorageApplyResp"
        }
    }

    /// The types that `type=` can name.
    static let types = [
        "MsgApp", "MsgAppResp", "MsgHeartbeat", "MsgHeartbeatResp", "MsgVote", "MsgVoteResp", "MsgPreVote", "MsgPreVoteResp",
        "MsgSnap", "MsgTimeoutNow", "MsgReadIndex", "MsgReadIndexResp", "MsgRemoved", "MsgProp", "MsgTransferLeader",
        "MsgStorageAppendResp", "MsgStorageApplyResp",
    ]
}

/// What `propose` and `propose-conf-change` ask for.
enum TranscriptProposal {
    case command([UInt8])
    case change(ConfigurationChange)

    var entry: Entry {
        switch self {
        case .command(let payload): Entry(index: .zero, term: .zero, payload: payload)
        case .change(let change):
            Entry(index: .zero, term: .zero, type: .configurationChange, payload: change.encoded())
        }
    }
}
