import CRocksDB

/// A position in one column family, over the state that its snapshot (or, for a transaction, its making) fixed.
/// One thread at a time. It is a class because RocksDB's iterator must be released once.
package final class RocksDBCursor: KeyValueCursor {
    private let database: RocksDBDatabase
    private let iterator: OpaquePointer
    /// RocksDB points into these two as long as the iterator lives.
    private let readOptions: OpaquePointer
    private let bounds: UnsafeMutableBufferPointer<CChar>
    private var position = CursorPosition.unpositioned

    /// Takes over `readOptions`.
    init(
        _ database: RocksDBDatabase, family: OpaquePointer, readOptions: OpaquePointer, from lowerBound: [UInt8]?,
        to upperBound: [UInt8]?
    ) {
        self.database = database
        self.readOptions = readOptions
        let lower = lowerBound ?? []
        // Bounds that cross name no key; RocksDB is given the empty range at the lower one.
        let upper = upperBound.map { compareBytes($0, lower) < 0 ? lower : $0 }
        let bytes = lower + (upper ?? [])
        bounds = .allocate(capacity: bytes.count + 1)
        bounds.initialize(repeating: 0)
        for (index, byte) in bytes.enumerated() { bounds[index] = CChar(bitPattern: byte) }
        let start = UnsafePointer(bounds.baseAddress.unsafelyUnwrapped)
        if !lower.isEmpty { rocksdb_readoptions_set_iterate_lower_bound(readOptions, start, lower.count) }
        if let upper { rocksdb_readoptions_set_iterate_upper_bound(readOptions, start + lower.count, upper.count) }
        iterator = rocksdb_create_iterator_cf(database.handle, readOptions, family).unsafelyUnwrapped
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(readOptions)
        bounds.deallocate()
    }

    package var isValid: Bool { position == .onRecord }

    package func seek(to key: [UInt8]) throws(KeyValueStoreError) {
        try checkOpen()
        key.withCBytes { rocksdb_iter_seek(iterator, $0, $1) }
        try land(otherwise: .afterLast)
    }

    package func seekToFirst() throws(KeyValueStoreError) {
        try checkOpen()
        rocksdb_iter_seek_to_first(iterator)
        try land(otherwise: .afterLast)
    }

    package func seekToLast() throws(KeyValueStoreError) {
        try checkOpen()
        rocksdb_iter_seek_to_last(iterator)
        try land(otherwise: .beforeFirst)
    }

    package func next() throws(KeyValueStoreError) {
        switch position {
        case .unpositioned, .afterLast: try checkOpen()
        case .beforeFirst: try seekToFirst()
        case .onRecord:
            try checkOpen()
            rocksdb_iter_next(iterator)
            try land(otherwise: .afterLast)
        }
    }

    package func previous() throws(KeyValueStoreError) {
        switch position {
        case .unpositioned, .beforeFirst: try checkOpen()
        case .afterLast: try seekToLast()
        case .onRecord:
            try checkOpen()
            rocksdb_iter_prev(iterator)
            try land(otherwise: .beforeFirst)
        }
    }

    package func withKey<Result>(_ body: (RawSpan) -> Result) -> Result {
        precondition(isValid, "the cursor stands on no record")
        var count = 0
        let start = rocksdb_iter_key(iterator, &count)
        return body(UnsafeRawBufferPointer(start: start, count: count).bytes)
    }

    package func withValue<Result>(_ body: (RawSpan) -> Result) -> Result {
        precondition(isValid, "the cursor stands on no record")
        var count = 0
        let start = rocksdb_iter_value(iterator, &count)
        return body(UnsafeRawBufferPointer(start: start, count: count).bytes)
    }

    private func checkOpen() throws(KeyValueStoreError) {
        guard database.isClosed else { return }
        position = .unpositioned
        throw .storeIsClosed
    }

    /// An iterator that is not valid has reached the end *or* failed: only its status tells them apart.
    private func land(otherwise end: CursorPosition) throws(KeyValueStoreError) {
        if rocksdb_iter_valid(iterator) != 0 {
            position = .onRecord
            return
        }
        position = .unpositioned
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_iter_get_error(iterator, &message)
        if let message { throw takeRocksDBError(message, path: database.path) }
        position = end
    }
}
