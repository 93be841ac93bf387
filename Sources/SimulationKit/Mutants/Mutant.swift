package import Raft
package import RaftStorage
package import Replication

/// A bug that others had, put back: the simulator has to find each one.
package struct Mutant: Sendable {
    package var name: String
    package var raft: RaftMutations = []
    package var storage: StorageMutations = []
    package var replication: ReplicationMutations = []

    package static let all: [Mutant] =
        RaftMutations.all.map { Mutant(name: "raft/" + $0.name, raft: $0.mutation) }
        + StorageMutations.all.map { Mutant(name: "log/" + $0.name, storage: $0.mutation) }
        + ReplicationMutations.all.map { Mutant(name: "replica/" + $0.name, replication: $0.mutation) }

    /// Where it is most likely to show.
    package var scenario: String {
        if !storage.isEmpty { return "disk" }
        if !raft.isDisjoint(with: [.overlapsChanges, .ignoresOutgoingHalf, .countsLearners]) { return "membership" }
        if !raft.isDisjoint(with: [.keepsTailBehindSnapshot, .installsStaleSnapshots]) { return "snapshots" }
        if !replication.isDisjoint(with: [.promotesEarly, .ignoresIncarnations]) { return "membership" }
        if !replication.isDisjoint(with: [.mixesChunks]) { return "snapshots" }
        if !replication.isDisjoint(with: [.foundsWithoutAgreement]) { return "formation" }
        if !raft.isDisjoint(with: [.reusesReadPositions]) { return "elections" }
        return "default"
    }

    package static func named(_ name: String) -> Mutant? { all.first { $0.name == name } }
}
