/// A cursor over the committed records with a transaction's writes laid over them, in both directions.
package struct OverlayCursor<Base: KeyValueCursor>: KeyValueCursor {
    private enum Source {
        case base
        case overlay
    }

    private enum Direction {
        case forward
        case backward
    }

    /// Both stand at or beyond (in the direction) the record under the cursor.
    private var base: Base
    private var overlay: SortedBytesMap<TransactionOverlay.Write>.Cursor
    private var position = CursorPosition.unpositioned
    private var source = Source.base
    private var direction = Direction.forward

    init(base: Base, overlay: SortedBytesMap<TransactionOverlay.Write>.Cursor) {
        self.base = base
        self.overlay = overlay
    }

    package var isValid: Bool { position == .onRecord }

    package mutating func seek(to key: [UInt8]) throws(KeyValueStoreError) {
        position = .unpositioned
        try base.seek(to: key)
        overlay.seek(to: key)
        try settleForward()
    }

    package mutating func seekToFirst() throws(KeyValueStoreError) {
        position = .unpositioned
        try base.seekToFirst()
        overlay.seekToFirst()
        try settleForward()
    }

    package mutating func seekToLast() throws(KeyValueStoreError) {
        position = .unpositioned
        try base.seekToLast()
        overlay.seekToLast()
        try settleBackward()
    }

    package mutating func next() throws(KeyValueStoreError) {
        switch position {
        case .unpositioned, .afterLast: return
        case .beforeFirst: return try seekToFirst()
        case .onRecord: break
        }
        if direction == .backward {
            return try seek(to: currentKey() + [0])
        }
        position = .unpositioned
        switch source {
        case .base: try base.next()
        case .overlay: overlay.next()
        }
        try settleForward()
    }

    package mutating func previous() throws(KeyValueStoreError) {
        switch position {
        case .unpositioned, .beforeFirst: return
        case .afterLast: return try seekToLast()
        case .onRecord: break
        }
        if direction == .forward {
            let key = currentKey()
            position = .unpositioned
            try base.seek(to: key)
            try base.previous()
            overlay.seek(to: key)
            overlay.previous()
        } else {
            position = .unpositioned
            switch source {
            case .base: try base.previous()
            case .overlay: overlay.previous()
            }
        }
        try settleBackward()
    }

    package func withKey<Result>(_ body: (RawSpan) -> Result) -> Result {
        precondition(isValid, "the cursor stands on no record")
        switch source {
        case .base: return base.withKey(body)
        case .overlay:
            let key = overlay.key
            return body(key.span.bytes)
        }
    }

    package func withValue<Result>(_ body: (RawSpan) -> Result) -> Result {
        precondition(isValid, "the cursor stands on no record")
        switch source {
        case .base: return base.withValue(body)
        case .overlay:
            // Settling skips deletions, so the value is there.
            let value = overlay.value ?? []
            return body(value.span.bytes)
        }
    }

    private func currentKey() -> [UInt8] {
        withKey { key in key.withUnsafeBytes { Array($0) } }
    }

    /// Stands on the smaller of the two keys; equal keys are the overlay's, deleted keys are passed over.
    private mutating func settleForward() throws(KeyValueStoreError) {
        direction = .forward
        while overlay.isValid {
            let order = base.isValid ? compareToOverlay() : 1
            if order < 0 { return settle(on: .base) }
            if order == 0 { try base.next() }
            if overlay.value != nil { return settle(on: .overlay) }
            overlay.next()
        }
        if base.isValid { settle(on: .base) } else { position = .afterLast }
    }

    /// As `settleForward`, on the greater of the two keys.
    private mutating func settleBackward() throws(KeyValueStoreError) {
        direction = .backward
        while overlay.isValid {
            let order = base.isValid ? compareToOverlay() : -1
            if order > 0 { return settle(on: .base) }
            if order == 0 { try base.previous() }
            if overlay.value != nil { return settle(on: .overlay) }
            overlay.previous()
        }
        if base.isValid { settle(on: .base) } else { position = .beforeFirst }
    }

    private mutating func settle(on source: Source) {
        self.source = source
        position = .onRecord
    }

    private func compareToOverlay() -> Int {
        base.withKey { baseKey in
            baseKey.withUnsafeBytes { base in overlay.key.withUnsafeBytes { compareBytes(base, $0) } }
        }
    }
}
