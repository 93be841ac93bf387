/// What the cluster would be left with if a node were removed whatever that costs, as far as one node's status tells.
package struct RemovalRisk: Sendable, Equatable {
    /// Voters that would be left, those of them that are heard from, and how many a majority is.
    package var voterCount: Int
    package var livingVoterCount: Int
    package var majorityCount: Int
    /// At least so many bodies of objects would be held by less than a majority; nil: it is not known.
    package var bodiesWithoutQuorum: UInt64?

    package init(removing node: UInt64, from status: ClusterStatusDocument) {
        let rest = status.nodes.filter { $0.isVoter && $0.id != node }
        voterCount = rest.count
        livingVoterCount = rest.count { $0.isAlive }
        majorityCount = rest.count / 2 + 1
        // Of the nodes that have most, the worst one that a majority needs.
        let lacks = rest.map { $0.isAlive ? $0.bodiesMissing : nil }.map { $0 ?? .max }.sorted()
        let worst = lacks.count >= majorityCount ? lacks[majorityCount - 1] : .max
        bodiesWithoutQuorum = worst == .max ? nil : worst
    }

    package var losesQuorum: Bool { livingVoterCount < majorityCount }

    /// In words, one line for each thing that may go wrong.
    package var warnings: [String] {
        var lines = ["\(voterCount) voters remain; \(livingVoterCount) of them are alive, and a majority is \(majorityCount)."]
        if losesQuorum {
            lines.append("No majority would be alive: nothing could be written until enough nodes are started again.")
        }
        switch bodiesWithoutQuorum {
        case nil: lines.append("It is not known which large objects the remaining nodes hold: some may be lost.")
        case 0: lines.append("A majority of the remaining nodes holds every large object.")
        case let count?:
            lines.append(
                "\(count) large objects would be held by less than a majority of the remaining nodes: they may be lost.")
        }
        return lines
    }
}
