/// A batch of writes to an `InMemoryStore` that reads its own writes. One thread at a time.
package final class InMemoryTransaction: KeyValueTransaction {
    private let base: InMemorySnapshot
    private(set) var overlay: TransactionOverlay

    init(base: InMemorySnapshot, familyCount: Int) {
        self.base = base
        overlay = TransactionOverlay(familyCount: familyCount)
    }

    package var byteCount: Int { overlay.byteCount }

    package func put(_ value: [UInt8], for key: [UInt8], in family: ColumnFamily) {
        overlay.record(value, for: key, in: family)
    }

    package func put(copying value: UnsafeRawBufferPointer, for key: [UInt8], in family: ColumnFamily) {
        overlay.record(Array(value), for: key, in: family)
    }

    package func delete(_ key: [UInt8], in family: ColumnFamily) {
        overlay.record(nil, for: key, in: family)
    }

    package func withValue<Result>(
        _ key: [UInt8], in family: ColumnFamily, tier: ReadTier, _ body: (RawSpan) -> Result
    ) throws(KeyValueStoreError) -> Result? {
        if let write = overlay.write(for: key, in: family) {
            return write.map { body($0.span.bytes) }
        }
        return try base.withValue(key, in: family, tier: tier, body)
    }

    package func makeCursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?, tier: ReadTier
    ) throws(KeyValueStoreError) -> OverlayCursor<InMemoryCursor> {
        let cursor = try base.makeCursor(in: family, from: lowerBound, to: upperBound, tier: tier)
        return OverlayCursor(base: cursor, overlay: overlay.cursor(in: family, from: lowerBound, to: upperBound))
    }
}
