import Raft

/// Quorums by their definition: all sets of nodes, and whether each holds more than half of every non-empty half. Slow and obvious.
struct NaiveQuorum {
    var halves: [[NodeID]]

    init(_ halves: [NodeID]...) {
        self.halves = halves.filter { !$0.isEmpty }
    }

    init(_ configuration: Configuration) {
        self.init(configuration.voters, configuration.outgoingVoters)
    }

    var nodes: [NodeID] { Set(halves.joined()).sorted() }

    func isQuorum(_ set: [NodeID]) -> Bool {
        halves.allSatisfy { half in 2 * half.count(where: set.contains) > half.count }
    }

    var quorums: [[NodeID]] { subsets(nodes).filter(isQuorum) }

    /// The largest index that all of some quorum have.
    func committed(_ acknowledged: [NodeID: UInt64]) -> UInt64 {
        quorums.map { quorum in quorum.map { acknowledged[$0] ?? 0 }.min() ?? .max }.max() ?? 0
    }

    /// What is certain whatever the silent voters say.
    func vote(_ votes: [NodeID: Bool]) -> VoteResult {
        let granted = nodes.filter { votes[$0] == true }
        let possible = nodes.filter { votes[$0] != false }
        return isQuorum(granted) ? .won : isQuorum(possible) ? .pending : .lost
    }

    func meets(_ other: NaiveQuorum) -> Bool {
        quorums.allSatisfy { ours in other.quorums.allSatisfy { !Set(ours).isDisjoint(with: $0) } }
    }
}

func subsets<Element>(_ all: [Element]) -> [[Element]] {
    all.reduce([[]]) { found, element in found + found.map { $0 + [element] } }
}

/// All ways to give each of the nodes one of the values.
func assignments<Value>(_ nodes: [NodeID], _ values: [Value]) -> [[NodeID: Value]] {
    nodes.reduce([[:]]) { found, node in
        found.flatMap { partial in values.map { value in partial.merging([node: value]) { $1 } } }
    }
}

func ids(_ numbers: UInt64...) -> [NodeID] { numbers.map { NodeID($0) } }
