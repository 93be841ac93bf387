/// Sets of nodes as sorted arrays: small, compared by value, and always walked in the same order.
extension [NodeID] {
    /// Where the node is, or belongs.
    private func place(of node: NodeID) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < node { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether this sorted array has the node.
    package func hasSorted(_ node: NodeID) -> Bool {
        let place = place(of: node)
        return place < count && self[place] == node
    }

    mutating func insertSorted(_ node: NodeID) {
        let place = place(of: node)
        if place == count || self[place] != node { insert(node, at: place) }
    }

    mutating func removeSorted(_ node: NodeID) {
        let place = place(of: node)
        if place < count, self[place] == node { remove(at: place) }
    }

    /// Sorted, and each node once.
    var isSortedSet: Bool { zip(self, dropFirst()).allSatisfy { $0 < $1 } }

    /// How many of this sorted array's nodes the other has too.
    func commonCount(_ other: [NodeID]) -> Int {
        reduce(0) { $0 + (other.hasSorted($1) ? 1 : 0) }
    }
}
