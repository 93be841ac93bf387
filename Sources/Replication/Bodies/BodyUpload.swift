package import ObjectDataStore
package import Raft

/// One body on its way to the members of the cluster, as a value: who has taken how much, and when that is enough.
///
/// ```
///   sent ───────────────────────────────────────────► data
///   replicas   receiving (accepted …) ──► durable          a quorum of these: the manifest may be proposed
///                       └───────────────► failed           no quorum left: the upload has failed
/// ```
///
/// A write waits for the slowest of a quorum, never for the others: who falls too far behind is given up and repairs itself later.
/// The node that receives the client's bytes is a replica like the others: the upload goes on if its own disk fails.
package struct BodyUpload: Sendable {
    package enum Requirement: Sendable, Hashable {
        case majority
        /// All voters (`write_quorum: all`).
        case all
    }

    package enum Phase: Sendable, Hashable {
        case receiving
        case durable
        case failed
    }

    package struct Replica: Sendable, Hashable {
        package let node: NodeID
        /// Bytes that its store has taken.
        package fileprivate(set) var accepted: UInt64 = 0
        package fileprivate(set) var phase = Phase.receiving
        /// When it last took something, or was given something after it had taken all.
        package fileprivate(set) var movedAt: ClockReading
    }

    package let id: BodyID
    package let configuration: Configuration
    package let requirement: Requirement
    package let settings: BodyUploadSettings
    /// Voters and learners, sorted by node.
    package private(set) var replicas: [Replica]
    /// Bytes given to the replicas.
    package private(set) var sent: UInt64 = 0
    package private(set) var isFinishing = false
    /// Milliseconds that the upload has waited for replicas that a quorum did not need.
    private var patience: UInt64

    /// - Parameter configuration: with a voter at least.
    package init(
        _ id: BodyID, in configuration: Configuration, requirement: Requirement, settings: BodyUploadSettings,
        at now: ClockReading
    ) {
        self.id = id
        self.configuration = configuration
        self.requirement = requirement
        self.settings = settings
        patience = settings.patienceMilliseconds
        replicas = configuration.members.map { Replica(node: $0, movedAt: now) }
    }

    package func replica(_ node: NodeID) -> Replica? { replicas.first { $0.node == node } }

    // MARK: Events

    package mutating func send(byteCount: Int, at now: ClockReading) {
        let before = sent
        change({ $0.accepted == before }) { $0.movedAt = now }
        sent = before + UInt64(byteCount)
    }

    /// All has been sent; the replicas are asked to make it durable.
    package mutating func finish(at now: ClockReading) {
        isFinishing = true
        change({ _ in true }) { $0.movedAt = now }
    }

    /// The replica's store has taken that many bytes. - Returns: false if that cannot be.
    @discardableResult
    package mutating func accepted(_ byteCount: UInt64, by node: NodeID, at now: ClockReading) -> Bool {
        guard byteCount <= sent else { return false }
        change({ $0.node == node && $0.accepted < byteCount }) { replica in
            replica.accepted = byteCount
            replica.movedAt = now
        }
        return true
    }

    /// - Returns: false if that cannot be.
    @discardableResult
    package mutating func durable(on node: NodeID) -> Bool {
        guard isFinishing else { return false }
        let all = sent
        change({ $0.node == node }) { replica in
            replica.accepted = all
            replica.phase = .durable
        }
        return true
    }

    package mutating func failed(on node: NodeID) { change({ $0.node == node }) { $0.phase = .failed } }

    /// Only replicas that still receive change.
    private mutating func change(_ isMeant: (Replica) -> Bool, _ change: (inout Replica) -> Void) {
        for place in replicas.indices where replicas[place].phase == .receiving && isMeant(replicas[place]) {
            change(&replicas[place])
        }
    }

    // MARK: Decisions

    /// Whether enough replicas hold it durably: won, it may be named; lost, they never will.
    package var outcome: VoteResult {
        vote { replica in
            if settings.mutations.contains(.countsUndurableBodies), isFinishing, replica.phase == .receiving { return true }
            return replica.phase == .durable ? true : replica.phase == .failed ? false : nil
        }
    }

    private func vote(_ answer: (Replica) -> Bool?) -> VoteResult {
        switch requirement {
        case .majority: return configuration.quorum.vote { node in replica(node).flatMap(answer) }
        case .all:
            let answers = replicas.filter { configuration.hasVoter($0.node) }.map(answer)
            if answers.contains(false) { return .lost }
            return answers.contains(nil) ? .pending : .won
        }
    }

    /// Who holds it durably, sorted.
    package var holders: [NodeID] {
        let isCountingAll = settings.mutations.contains(.countsUndurableBodies)
        return replicas.filter { $0.phase == .durable || isCountingAll && $0.phase == .receiving }.map(\.node)
    }

    /// Whether a quorum has room for more.
    package var hasRoom: Bool { vote { $0.phase == .failed ? false : hasRoom($0) ? true : nil } == .won }

    /// Whether all that still receive have.
    package var hasRoomEverywhere: Bool { replicas.allSatisfy { $0.phase != .receiving || hasRoom($0) } }

    private func hasRoom(_ replica: Replica) -> Bool { sent - replica.accepted < UInt64(settings.windowByteCount) }

    /// Whether the next bytes may be given to the replicas: a quorum has room, and the others have, or were waited for long enough.
    package var mayWrite: Bool { hasRoom && (hasRoomEverywhere || patience == 0) }

    /// A write that a quorum has room for has waited for the others.
    package mutating func waited(milliseconds: UInt64) { patience -= min(patience, milliseconds) }

    /// Gives up those that a write must not wait for any longer: they lack more than a window holds though the quorum has room.
    ///
    /// - Returns: who they are.
    package mutating func dropLaggards() -> [NodeID] {
        guard hasRoom, patience == 0 else { return [] }
        let laggards = replicas.filter { $0.phase == .receiving && !hasRoom($0) }.map(\.node)
        for node in laggards { failed(on: node) }
        return laggards
    }

    /// Gives up those that have taken nothing of what they were given for as long as the settings allow.
    ///
    /// - Returns: who they are.
    package mutating func dropStalled(at now: ClockReading) -> [NodeID] {
        let stalled = replicas.filter { replica in
            replica.phase == .receiving && (isFinishing || replica.accepted < sent)
                && now.milliseconds(since: replica.movedAt) >= settings.stallMilliseconds
        }.map(\.node)
        for node in stalled { failed(on: node) }
        return stalled
    }
}

/// How far replicas may fall behind.
package struct BodyUploadSettings: Sendable, Hashable {
    /// Bytes given to a replica that its store has not taken.
    package var windowByteCount = 1 << 20
    /// For so long all writes of an upload together wait for replicas that a quorum does not need.
    package var patienceMilliseconds: UInt64 = 500
    /// A replica that takes nothing for so long has failed.
    package var stallMilliseconds: UInt64 = 10_000
    package var mutations: ReplicationMutations = []

    package init() {}
}
