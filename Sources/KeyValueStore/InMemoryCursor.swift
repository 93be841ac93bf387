/// A position in one family of an `InMemorySnapshot`.
package struct InMemoryCursor: KeyValueCursor {
    private let store: InMemoryStore
    private var cursor: SortedBytesMap<[UInt8]>.Cursor

    init(_ store: InMemoryStore, _ map: SortedBytesMap<[UInt8]>, from lowerBound: [UInt8]?, to upperBound: [UInt8]?) {
        self.store = store
        cursor = SortedBytesMap.Cursor(map, from: lowerBound, to: upperBound)
    }

    package var isValid: Bool { cursor.isValid }

    package mutating func seek(to key: [UInt8]) throws(KeyValueStoreError) {
        try store.checkOpen()
        cursor.seek(to: key)
    }

    package mutating func seekToFirst() throws(KeyValueStoreError) {
        try store.checkOpen()
        cursor.seekToFirst()
    }

    package mutating func seekToLast() throws(KeyValueStoreError) {
        try store.checkOpen()
        cursor.seekToLast()
    }

    package mutating func next() throws(KeyValueStoreError) {
        try store.checkOpen()
        cursor.next()
    }

    package mutating func previous() throws(KeyValueStoreError) {
        try store.checkOpen()
        cursor.previous()
    }

    package func withKey<Result>(_ body: (RawSpan) -> Result) -> Result {
        let key = cursor.key
        return body(key.span.bytes)
    }

    package func withValue<Result>(_ body: (RawSpan) -> Result) -> Result {
        let value = cursor.value
        return body(value.span.bytes)
    }
}
