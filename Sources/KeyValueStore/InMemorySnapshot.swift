/// The committed records of an `InMemoryStore` at one moment: a value that shares what did not change since.
package struct InMemorySnapshot: KeyValueSnapshot {
    private let store: InMemoryStore
    private let records: InMemoryStore.Families

    init(_ store: InMemoryStore, records: InMemoryStore.Families) {
        self.store = store
        self.records = records
    }

    package func withValue<Result>(
        _ key: [UInt8], in family: ColumnFamily, tier: ReadTier, _ body: (RawSpan) -> Result
    ) throws(KeyValueStoreError) -> Result? {
        try store.check(family)
        guard let value = records[family.index].value(for: key) else { return nil }
        return body(value.span.bytes)
    }

    package func makeCursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?, tier: ReadTier
    ) throws(KeyValueStoreError) -> InMemoryCursor {
        try store.check(family)
        return InMemoryCursor(store, records[family.index], from: lowerBound, to: upperBound)
    }
}
