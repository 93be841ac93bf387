package import Metadata
package import Raft

/// The caller's name for a proposal, read or command, given back with its outcome. Never two of a kind under way with the same one.
package struct RequestToken: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (first: RequestToken, second: RequestToken) -> Bool { first.rawValue < second.rawValue }
}

/// What became of a proposal: each gets exactly one of these.
package enum ProposalOutcome: Sendable, Equatable {
    /// It took effect at that place of the log, once, and this is what it answered.
    case committed(LogIndex, MetadataOutcome)
    /// The leader has it at that place, durably; it may still be lost with the leader (`WriteLevel.eventual`).
    case accepted(LogIndex)
    /// It did not take effect and never will.
    case refused(ProposalRejection)
    /// It may have taken effect, or may still.
    case unknown(ProposalDoubt)
}

package enum ProposalRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// A queue of this node is full.
    case overloaded
    case tooLarge(byteCount: Int)
    /// No leader took it in time.
    case timedOut
    /// The node is no member of the cluster, or not yet.
    case notMember
    case stopped(StopReason)

    package var description: String {
        switch self {
        case .overloaded: "too many writes wait on this node"
        case .tooLarge(let byteCount): "a write of \(byteCount) bytes is too large"
        case .timedOut: "no leader took the write in time"
        case .notMember: "this node belongs to no cluster"
        case .stopped(let reason): "this node has stopped: \(reason)"
        }
    }
}

package enum ProposalDoubt: Error, Hashable, Sendable, CustomStringConvertible {
    /// A leader may have appended it.
    case timedOut
    /// It is committed at that place, but not every voter was seen to have it in time.
    case notOnEveryVoter(LogIndex)
    /// The session ended, and a snapshot took the place of the entries that would tell.
    case sessionExpired
    case stopped(StopReason)

    package var description: String {
        switch self {
        case .timedOut: "a leader may have taken the write, and nothing was heard of it in time"
        case .notOnEveryVoter(let index): "the write is committed at \(index), but not every voter has it"
        case .sessionExpired: "the session of the write ended before its result was known"
        case .stopped(let reason): "this node has stopped: \(reason)"
        }
    }
}

/// What became of a read.
package enum ReadOutcome: Hashable, Sendable {
    /// Serve it from the local state now: it contains at least this index.
    case ready(LogIndex)
    case failed(ReadFailure)
}

package enum ReadFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// A queue of this node is full.
    case overloaded
    /// No leader confirmed the index in time.
    case timedOut
    /// The state here is older than the bound allows; by so much, if that is known.
    case tooStale(ageMilliseconds: UInt64?)
    /// The state here does not contain the index that was asked for.
    case behind(applied: LogIndex)
    case notMember
    case stopped(StopReason)

    package var description: String {
        switch self {
        case .overloaded: "too many reads wait on this node"
        case .timedOut: "no leader confirmed the read in time"
        case .tooStale(let age): age.map { "the state here is \($0) ms old" } ?? "the age of the state here is unknown"
        case .behind(let applied): "the state here ends at index \(applied)"
        case .notMember: "this node belongs to no cluster"
        case .stopped(let reason): "this node has stopped: \(reason)"
        }
    }
}
