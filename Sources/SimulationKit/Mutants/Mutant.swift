package import Raft
package import RaftStorage
package import Replication

/// A bug that others had, put back: something has to find each one.
package struct Mutant: Sendable {
    package var name: String
    package var raft: RaftMutations = []
    package var storage: StorageMutations = []
    package var replication: ReplicationMutations = []
    package var driver: DriverMutations = []

    package static let all: [Mutant] =
        RaftMutations.all.map { Mutant(name: "raft/" + $0.name, raft: $0.mutation) }
        + StorageMutations.all.map { Mutant(name: "log/" + $0.name, storage: $0.mutation) }
        + ReplicationMutations.all.map { Mutant(name: "replica/" + $0.name, replication: $0.mutation) }
        + DriverMutations.all.map { Mutant(name: "driver/" + $0.name, driver: $0.mutation) }

    package static func named(_ name: String) -> Mutant? { all.first { $0.name == name } }

    /// Where random runs find it soonest.
    package var scenario: String { Self.scenarios[name] ?? (storage.isEmpty ? Scenario.standard.name : "disk") }

    /// Why random runs do not find it within a reasonable time; the named cases (docs/named-cases.md) do. Nil: they find it.
    package var escape: String? { Self.escapes[name] }

    private static let scenarios = [
        "raft/ignores-outgoing-half": "membership", "raft/counts-learners": "membership",
        "raft/keeps-tail-behind-snapshot": "streams", "raft/helps-disturbers": "no-faults",
        "replica/promotes-early": "membership", "replica/ignores-incarnations": "membership", "replica/mixes-chunks": "streams",
        "replica/founds-without-agreement": "formation",
        "replica/cuts-log-while-sending": "streams", "replica/sends-to-all": "snapshots",
        "driver/replaces-log-first": "snapshots", "replica/counts-undurable-bodies": "bodies",
        "replica/ignores-holders": "body-members", "replica/promotes-without-bodies": "body-members",
        "replica/leaves-joint-without-bodies": "body-members", "replica/believes-itself-whole": "body-members",
        "driver/abandons-unasked": "bodies",
        "driver/keeps-unnamed": "bodies", "replica/settles-early": "restores",
        "replica/forgets-sessions-at-restore": "restores", "replica/ignores-preparation": "restores",
        "raft/sends-retired": "restores",
    ]

    private static let escapes = [
        "raft/adds-dead-voters": "it costs availability, which comes back with the dead nodes",
        "raft/overlaps-changes": "a replica asks its core for one change at a time",
        "raft/ignores-unapplied-changes": "a node must forget that two changes are committed, and campaign before it hears so",
        "raft/commits-beyond-changes":
            "a change must take away the quorum that the entries behind it have, and its leader must die",
        "raft/keeps-truncated-changes": "another leader must cut a change away and put the next one at the same index",
        "raft/installs-stale-snapshots": "the log must have forgotten where the snapshot ends, which it nearly always holds",
        "raft/forgets-removed-nodes": "who was removed and is not told asks for votes, and gets none",
        "raft/counts-earlier-terms": "an acknowledgement must be late by a term, of an entry that the new leader has replaced",
        "raft/reuses-read-positions": "an answer must be late by a start, and be too old for the read that has its number",
        "log/leaves-torn-tail": "what is written next must end where a torn block begins",
        "log/forgets-place": "a block in another's place has the wrong number, too",
        "replica/removes-without-bodies": "two voters must go while the others lack the same body",
        "replica/reopens-sessions": "an opening and an operation of one earlier life must both arrive in a later one",
    ]
}
