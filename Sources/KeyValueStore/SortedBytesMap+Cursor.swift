extension SortedBytesMap {
    /// A position among the keys in `lowerBound ..< upperBound` of the map as it was when the cursor was made.
    struct Cursor: Sendable {
        private let root: Node
        private let lowerBound: [UInt8]?
        private let upperBound: [UInt8]?
        private var leaf = Node()
        private var index = 0
        private(set) var position = CursorPosition.unpositioned

        init(_ map: SortedBytesMap, from lowerBound: [UInt8]?, to upperBound: [UInt8]?) {
            self.root = map.root
            self.lowerBound = lowerBound
            self.upperBound = upperBound
        }

        var isValid: Bool { position == .onRecord }

        /// Precondition: `isValid`.
        var key: [UInt8] {
            precondition(isValid, "the cursor stands on no record")
            return leaf.keys[index]
        }

        /// Precondition: `isValid`.
        var value: Value {
            precondition(isValid, "the cursor stands on no record")
            return leaf.values[index]
        }

        mutating func seek(to key: [UInt8]) {
            if let lowerBound, compareBytes(key, lowerBound) < 0 {
                land(on: root.first(atOrAfter: lowerBound), otherwise: .afterLast)
            } else {
                land(on: root.first(atOrAfter: key), otherwise: .afterLast)
            }
        }

        mutating func seekToFirst() {
            land(on: root.first(atOrAfter: lowerBound ?? []), otherwise: .afterLast)
        }

        mutating func seekToLast() {
            land(on: root.last(before: upperBound), otherwise: .beforeFirst)
        }

        mutating func next() {
            switch position {
            case .unpositioned, .afterLast: break
            case .beforeFirst: seekToFirst()
            case .onRecord:
                if index + 1 < leaf.keys.count {
                    land(on: (leaf, index + 1), otherwise: .afterLast)
                } else {
                    land(on: root.first(atOrAfter: leaf.keys[index] + [0]), otherwise: .afterLast)
                }
            }
        }

        mutating func previous() {
            switch position {
            case .unpositioned, .beforeFirst: break
            case .afterLast: seekToLast()
            case .onRecord:
                if index > 0 {
                    land(on: (leaf, index - 1), otherwise: .beforeFirst)
                } else {
                    land(on: root.last(before: leaf.keys[index]), otherwise: .beforeFirst)
                }
            }
        }

        /// Stands on `place` if it exists and lies within the bounds.
        private mutating func land(on place: (leaf: Node, index: Int)?, otherwise end: CursorPosition) {
            position = end
            guard let place else { return }
            let key = place.leaf.keys[place.index]
            if let lowerBound, compareBytes(key, lowerBound) < 0 { return }
            if let upperBound, compareBytes(key, upperBound) >= 0 { return }
            (leaf, index) = place
            position = .onRecord
        }
    }
}

extension SortedBytesMap.Node {
    /// The place of the first key at or after `key`.
    func first(atOrAfter key: [UInt8]) -> (leaf: Self, index: Int)? {
        if isLeaf {
            let index = search(key).index
            return index < keys.count ? (self, index) : nil
        }
        // The child that would hold the key may end before it; the next one, never empty, then begins after it.
        for index in childIndex(for: key)..<children.count {
            if let place = children[index].first(atOrAfter: key) { return place }
        }
        return nil
    }

    /// The place of the last key before `key`, or of the last key of all when `key` is `nil`.
    func last(before key: [UInt8]?) -> (leaf: Self, index: Int)? {
        if isLeaf {
            let end = key.map { search($0).index } ?? keys.count
            return end > 0 ? (self, end - 1) : nil
        }
        let start = key.map(childIndex(for:)) ?? children.count - 1
        for index in stride(from: start, through: 0, by: -1) {
            if let place = children[index].last(before: key) { return place }
        }
        return nil
    }
}
