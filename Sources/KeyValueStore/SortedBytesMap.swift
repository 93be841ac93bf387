/// An ordered map from byte strings to values, a value itself: a copy is O(1) and later changes to either side are unseen
/// by the other (only the path from the root to the changed leaf is copied).
///
/// It is a B+ tree of arrays. Arrays are copied on write, so the sharing needs no reference counts of our own, and the
/// shape depends on nothing but the sequence of calls. Leaves may become underfull by removals but never stay empty, which
/// keeps a search O(log n) of the largest size the map ever had: enough for write batches and for simulation.
struct SortedBytesMap<Value: Sendable>: Sendable {
    private(set) var root = Node()
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// - Returns: the value for `key`, or `nil`. For optional values, the outer optional says whether the key is present.
    func value(for key: [UInt8]) -> Value? {
        guard count > 0 else { return nil }
        return root.value(for: key)
    }

    /// - Returns: the value that `key` had before.
    @discardableResult
    mutating func put(_ value: Value, for key: [UInt8]) -> Value? {
        let (old, split) = root.put(value, for: key)
        if let split {
            let left = root
            root = Node(keys: [[], split.separator], values: [], children: [left, split.right])
        }
        if old == nil { count += 1 }
        return old
    }

    /// - Returns: the value that `key` had before.
    @discardableResult
    mutating func remove(_ key: [UInt8]) -> Value? {
        guard let old = root.remove(key) else { return nil }
        count -= 1
        while root.children.count == 1 { root = root.children[0] }
        return old
    }

    /// Calls `body` with each record in the order of the keys.
    func forEach<Failure: Error>(_ body: ([UInt8], Value) throws(Failure) -> Void) throws(Failure) {
        try root.forEach(body)
    }
}

extension SortedBytesMap {
    /// A leaf holds records (`keys[i]` → `values[i]`). A branch holds children, and `keys[i]` is at most the smallest key
    /// below `children[i]` and above every key below `children[i - 1]`; `keys[0]` is not read.
    struct Node: Sendable {
        static var capacity: Int { 64 }

        var keys: [[UInt8]] = []
        var values: [Value] = []
        var children: [Node] = []

        var isLeaf: Bool { children.isEmpty }

        /// The first position whose key is at or after `key`, and whether it is that very key.
        func search(_ key: [UInt8]) -> (index: Int, found: Bool) {
            var low = 0
            var high = keys.count
            while low < high {
                let middle = (low + high) / 2
                let order = compareBytes(keys[middle], key)
                if order == 0 { return (middle, true) }
                if order < 0 { low = middle + 1 } else { high = middle }
            }
            return (low, false)
        }

        /// The child whose range holds `key`.
        func childIndex(for key: [UInt8]) -> Int {
            let (index, found) = search(key)
            return found ? index : max(0, index - 1)
        }

        func value(for key: [UInt8]) -> Value? {
            if !isLeaf { return children[childIndex(for: key)].value(for: key) }
            let (index, found) = search(key)
            return found ? values[index] : nil
        }

        mutating func put(_ value: Value, for key: [UInt8]) -> (old: Value?, split: (separator: [UInt8], right: Node)?) {
            if isLeaf {
                let (index, found) = search(key)
                if found {
                    let old = values[index]
                    values[index] = value
                    return (old, nil)
                }
                keys.insert(key, at: index)
                values.insert(value, at: index)
                return (nil, splitIfFull())
            }
            let index = childIndex(for: key)
            let (old, split) = children[index].put(value, for: key)
            if let split {
                keys.insert(split.separator, at: index + 1)
                children.insert(split.right, at: index + 1)
            }
            return (old, splitIfFull())
        }

        private mutating func splitIfFull() -> (separator: [UInt8], right: Node)? {
            guard keys.count > Node.capacity else { return nil }
            let middle = keys.count / 2
            var right = Node(keys: Array(keys[middle...]))
            keys.removeSubrange(middle...)
            if isLeaf {
                right.values = Array(values[middle...])
                values.removeSubrange(middle...)
            } else {
                right.children = Array(children[middle...])
                children.removeSubrange(middle...)
            }
            return (right.keys[0], right)
        }

        mutating func remove(_ key: [UInt8]) -> Value? {
            if isLeaf {
                let (index, found) = search(key)
                guard found else { return nil }
                keys.remove(at: index)
                return values.remove(at: index)
            }
            let index = childIndex(for: key)
            guard let old = children[index].remove(key) else { return nil }
            if children[index].keys.isEmpty {
                children.remove(at: index)
                keys.remove(at: index)
            }
            return old
        }

        func forEach<Failure: Error>(_ body: ([UInt8], Value) throws(Failure) -> Void) throws(Failure) {
            if isLeaf {
                for index in keys.indices { try body(keys[index], values[index]) }
            } else {
                for child in children { try child.forEach(body) }
            }
        }
    }
}
