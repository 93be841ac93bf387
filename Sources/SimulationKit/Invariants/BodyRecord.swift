import Metadata
import ObjectDataStore
import Raft

/// Who has made which bodies durable, and which the committed state names: invariants 27 to 29.
///
/// What a disk has lost by a fault counts as held: how many may be lost is the simulation's to bound, and what the promise is about.
struct BodyRecord {
    private var holders: [BodyID: Set<Int>] = [:]
    /// By the newest committed state.
    private(set) var named: [BodyID: UInt64] = [:]
    /// Once, and never again.
    private var released: Set<BodyID> = []
    /// Files of restores that took effect and are not settled, with where they did.
    private(set) var files: [BodyID: LogIndex] = [:]
    /// An operator has said that bodies may be lost.
    var isForced = false

    mutating func stored(_ id: BodyID, on node: Int) { holders[id, default: []].insert(node) }

    /// A node deletes a file of its own accord.
    mutating func deleted(_ id: BodyID, on node: Int) throws(InvariantViolation) {
        holders[id]?.remove(node)
        guard named[id] == nil else {
            throw InvariantViolation(.namedBodiesStay, "node \(node) deletes body \(id), which the committed state names")
        }
        if let index = files[id] {
            throw InvariantViolation(
                .restoredFilesStay, "node \(node) deletes file \(id), which members may need yet to apply \(index)")
        }
    }

    /// A disk that never was a member's is another one now: nobody counted on it.
    mutating func forgot(_ node: Int) { for id in holders.keys { holders[id]?.remove(node) } }

    /// An entry is committed, and this is what it does to bodies.
    ///
    /// - Parameter configuration: that in which it is applied.
    mutating func committed(
        _ effects: ApplyEffects, at index: LogIndex, in configuration: Configuration
    ) throws(InvariantViolation) {
        for body in effects.referencedBodies {
            guard !released.contains(body.id) else {
                throw InvariantViolation(.releasedBodiesStayUnnamed, "entry \(index) names body \(body.id), which was given up")
            }
            for half in [configuration.voters, configuration.outgoingVoters] where !half.isEmpty {
                let count = count(of: body.id, among: half)
                guard count > half.count / 2 else {
                    throw InvariantViolation(
                        .namedByDurableQuorum,
                        "entry \(index) names body \(body.id); of the voters \(half) only \(count) have it on disk")
                }
            }
            named[body.id] = body.length
        }
        for id in effects.releasedBodies {
            named[id] = nil
            files[id] = nil
            released.insert(id)
        }
    }

    /// A file becomes the state: whoever lacks it has to find it until all have.
    ///
    /// - Parameter configuration: that in which it does.
    mutating func restored(
        _ file: StoredBody, at index: LogIndex, in configuration: Configuration
    ) throws(InvariantViolation) {
        for half in [configuration.voters, configuration.outgoingVoters] where !half.isEmpty {
            let count = count(of: file.id, among: half)
            guard count > half.count / 2 else {
                throw InvariantViolation(
                    .restoresArePrepared,
                    "entry \(index) restores file \(file.id); of the voters \(half) only \(count) have it on disk")
            }
        }
        files[file.id] = index
    }

    /// The members are others now: every body must survive the loss of any minority of them. In the joint phase the loss of a minority of the
    /// outgoing voters is enough to be survived.
    func changed(to configuration: Configuration, at index: LogIndex) throws(InvariantViolation) {
        guard !isForced else { return }
        let voters = configuration.outgoingVoters.isEmpty ? configuration.voters : configuration.outgoingVoters
        for id in named.keys.sorted() {
            let count = count(of: id, among: voters)
            guard count > (voters.count - 1) / 2 else {
                throw InvariantViolation(
                    .namedBodiesStay,
                    "from \(index) on \(count) of the voters \(voters) have body \(id), and that many may be lost")
            }
        }
    }

    private func count(of id: BodyID, among nodes: [NodeID]) -> Int {
        let holders = holders[id] ?? []
        return nodes.count { holders.contains(Int($0.rawValue)) }
    }
}
