/// A mix of trouble under a name.
package struct Scenario: Sendable {
    package var name: String
    package var summary: String
    /// What a seed may draw from.
    package var faults: FaultClasses
    /// All of it in every run, instead of a choice that the seed makes.
    package var usesAll = false
    /// Every run begins with empty nodes.
    package var beginsEmpty = false
    package var nodeCounts: ClosedRange<Int> = 1...7
    /// In so many percent of the seeds clients put large bodies, too.
    package var bodyPercent = 0
    /// In so many percent of those without large bodies operators restore snapshot files.
    package var restorePercent = 0

    package static let all: [Scenario] = [
        Scenario(
            name: "default", summary: "anything, a different mix for each seed", faults: .everything, bodyPercent: 25,
            restorePercent: 25),
        Scenario(name: "no-faults", summary: "a healthy cluster", faults: [], usesAll: true),
        Scenario(
            name: "network", summary: "messages are lost, repeated, late and out of order",
            faults: [.loss, .duplication, .reordering, .lateness, .resets, .oneWayLoss, .partitions], nodeCounts: 2...7),
        Scenario(
            name: "partitions", summary: "the network falls apart in all ways",
            faults: [.partitions, .oneWayLoss, .resets, .lateness], usesAll: true, nodeCounts: 3...7),
        Scenario(
            name: "crashes", summary: "processes and machines stop at any instant",
            faults: [.kills, .powerLoss, .stopsInsideIO, .crashStorms, .pauses, .changedSettings], usesAll: true),
        Scenario(
            name: "disk", summary: "disks fail, fill up, stall and rot",
            faults: [.diskErrors, .fullDisks, .diskStalls, .damage, .damagedSnapshots, .powerLoss, .stopsInsideIO],
            usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "membership", summary: "members come and go while nodes crash and disks are wiped",
            faults: [.membership, .transfers, .kills, .powerLoss, .wipedDisks, .partitions, .loss], usesAll: true,
            nodeCounts: 3...5),
        Scenario(
            name: "snapshots", summary: "followers fall behind and are brought up by snapshots",
            faults: [
                .forcedSnapshots, .partitions, .kills, .powerLoss, .damagedSnapshots, .loss, .reordering, .lateness,
                .duplication,
            ],
            usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "streams", summary: "snapshots are slow, and leaders change while they are on their way",
            faults: [
                .slowStreams, .forcedSnapshots, .kills, .partitions, .resets, .transfers, .pauses, .lateness, .duplication,
            ],
            usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "lives", summary: "processes die, and messages of their earlier lives arrive",
            faults: [.lateness, .duplication, .reordering, .kills, .resets, .diskStalls], usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "changes", summary: "members are exchanged while leaders change and appliers are slow",
            faults: [.membership, .transfers, .partitions, .kills, .diskStalls, .lateness], usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "formation", summary: "empty nodes found a cluster while disks are wiped and the network falls apart",
            faults: [.wipedDisks, .kills, .powerLoss, .loss, .reordering, .lateness, .partitions], usesAll: true,
            beginsEmpty: true, nodeCounts: 2...5),
        Scenario(
            name: "clocks", summary: "clocks drift, jump and stand still",
            faults: [.drift, .clockSteps, .clockFreezes, .pauses],
            usesAll: true, nodeCounts: 3...5),
        Scenario(
            name: "elections", summary: "leaders change all the time",
            faults: [.transfers, .kills, .resets, .oneWayLoss, .partitions, .lateness, .pauses, .reordering], usesAll: true,
            nodeCounts: 3...7),
        Scenario(
            name: "bodies", summary: "large bodies are written, read, deleted and repaired while nodes and connections fail",
            faults: [
                .loss, .resets, .oneWayLoss, .partitions, .kills, .powerLoss, .crashStorms, .pauses, .wipedDisks, .fullDisks,
                .diskStalls, .forcedSnapshots, .damagedBodies, .lateness,
            ],
            nodeCounts: 3...5, bodyPercent: 100),
        Scenario(
            name: "body-members", summary: "members come and go while large bodies are written",
            faults: [
                .membership, .transfers, .partitions, .oneWayLoss, .kills, .wipedDisks, .forcedSnapshots, .lateness, .pauses,
                .diskStalls,
            ],
            usesAll: true, nodeCounts: 3...5, bodyPercent: 100),
        Scenario(
            name: "restores", summary: "snapshot files take the place of the state while nodes and connections fail",
            faults: [
                .loss, .resets, .oneWayLoss, .partitions, .kills, .powerLoss, .crashStorms, .pauses, .wipedDisks, .fullDisks,
                .diskStalls, .forcedSnapshots, .membership, .transfers, .lateness, .changedSettings,
            ],
            nodeCounts: 3...5, restorePercent: 100),
    ]

    package static let standard = all[0]

    package init(
        name: String, summary: String, faults: FaultClasses, usesAll: Bool = false, beginsEmpty: Bool = false,
        nodeCounts: ClosedRange<Int> = 1...7, bodyPercent: Int = 0, restorePercent: Int = 0
    ) {
        self.name = name
        self.summary = summary
        self.faults = faults
        self.usesAll = usesAll
        self.beginsEmpty = beginsEmpty
        self.nodeCounts = nodeCounts
        self.bodyPercent = bodyPercent
        self.restorePercent = restorePercent
    }

    package static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }
}
