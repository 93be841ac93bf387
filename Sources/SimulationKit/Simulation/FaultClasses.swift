/// Kinds of trouble that a run may have. Each can be left out, which is how a failing run is made smaller.
package struct FaultClasses: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    // Network.
    package static let loss = FaultClasses(rawValue: 1 << 0)
    package static let duplication = FaultClasses(rawValue: 1 << 1)
    /// Delays that differ so much that messages overtake one another.
    package static let reordering = FaultClasses(rawValue: 1 << 2)
    /// Now and then a message is late by many election timeouts: from an earlier term, or an earlier life of its sender.
    package static let lateness = FaultClasses(rawValue: 1 << 3)
    package static let resets = FaultClasses(rawValue: 1 << 4)
    package static let oneWayLoss = FaultClasses(rawValue: 1 << 5)
    /// Two halves, one node alone, or a ring in which each node reaches only its neighbours.
    package static let partitions = FaultClasses(rawValue: 1 << 6)
    /// Snapshots come on connections of their own, where they may fall behind by several elections.
    package static let slowStreams = FaultClasses(rawValue: 1 << 26)

    // Processes.
    package static let kills = FaultClasses(rawValue: 1 << 7)
    /// The machine stops: what was not synchronized is lost, kept or torn.
    package static let powerLoss = FaultClasses(rawValue: 1 << 8)
    /// It stops inside a write, a synchronization or a recovery.
    package static let stopsInsideIO = FaultClasses(rawValue: 1 << 9)
    package static let crashStorms = FaultClasses(rawValue: 1 << 10)
    package static let pauses = FaultClasses(rawValue: 1 << 11)
    package static let wipedDisks = FaultClasses(rawValue: 1 << 12)
    package static let changedSettings = FaultClasses(rawValue: 1 << 13)

    // Disks.
    package static let diskErrors = FaultClasses(rawValue: 1 << 14)
    package static let fullDisks = FaultClasses(rawValue: 1 << 15)
    package static let diskStalls = FaultClasses(rawValue: 1 << 16)
    /// Rot, lost writes and misdirected writes, found when a log is read again.
    package static let damage = FaultClasses(rawValue: 1 << 17)
    package static let damagedSnapshots = FaultClasses(rawValue: 1 << 18)
    /// The same in the bodies of large objects, in runs that have them.
    package static let damagedBodies = FaultClasses(rawValue: 1 << 27)

    // Clocks.
    package static let drift = FaultClasses(rawValue: 1 << 19)
    package static let clockSteps = FaultClasses(rawValue: 1 << 20)
    package static let clockFreezes = FaultClasses(rawValue: 1 << 21)

    // What operators and clients do.
    package static let membership = FaultClasses(rawValue: 1 << 22)
    package static let transfers = FaultClasses(rawValue: 1 << 23)
    package static let forcedSnapshots = FaultClasses(rawValue: 1 << 24)
    package static let oversizedProposals = FaultClasses(rawValue: 1 << 25)
    /// Operators keep snapshot files, and put the state of one in the place of the cluster's.
    package static let restores = FaultClasses(rawValue: 1 << 28)

    package static let all: [(name: String, faults: FaultClasses)] = [
        ("loss", .loss), ("duplication", .duplication), ("reordering", .reordering), ("lateness", .lateness),
        ("resets", .resets), ("one-way-loss", .oneWayLoss), ("partitions", .partitions), ("kills", .kills),
        ("power-loss", .powerLoss), ("stops-inside-io", .stopsInsideIO), ("crash-storms", .crashStorms), ("pauses", .pauses),
        ("wiped-disks", .wipedDisks), ("changed-settings", .changedSettings), ("disk-errors", .diskErrors),
        ("full-disks", .fullDisks), ("disk-stalls", .diskStalls), ("damage", .damage),
        ("damaged-snapshots", .damagedSnapshots), ("drift", .drift), ("clock-steps", .clockSteps),
        ("clock-freezes", .clockFreezes), ("membership", .membership), ("transfers", .transfers),
        ("forced-snapshots", .forcedSnapshots), ("oversized-proposals", .oversizedProposals),
        ("slow-streams", .slowStreams), ("damaged-bodies", .damagedBodies), ("restores", .restores),
    ]

    package static let everything = FaultClasses(all.map(\.faults))

    package var names: [String] { Self.all.filter { contains($0.faults) }.map(\.name) }
}
