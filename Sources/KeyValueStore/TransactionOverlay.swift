/// The writes of a transaction that is not committed yet, the last one for each key.
///
/// It is ours and not RocksDB's indexed write batch because point reads of a transaction's own counters dominate: a read
/// here copies nothing, a key written a hundred times in a batch is committed once, and the simulator's store runs the
/// same code. A cursor over it is a value: it shows the writes made before the cursor was made.
struct TransactionOverlay {
    /// A put value, or `nil` for a deletion.
    typealias Write = [UInt8]?

    private(set) var families: [SortedBytesMap<Write>]
    private(set) var byteCount = 0

    init(familyCount: Int) {
        families = Array(repeating: SortedBytesMap(), count: familyCount)
    }

    var isEmpty: Bool { families.allSatisfy(\.isEmpty) }

    mutating func record(_ write: Write, for key: [UInt8], in family: ColumnFamily) {
        precondition(families.indices.contains(family.index), "a write to a column family that the store was not opened with")
        let added = write?.count ?? 0
        if let replaced = families[family.index].put(write, for: key) {
            byteCount += added - (replaced?.count ?? 0)
        } else {
            byteCount += added + key.count
        }
    }

    /// - Returns: `nil` when the transaction did not touch the key, `.some(nil)` when it deleted it.
    func write(for key: [UInt8], in family: ColumnFamily) -> Write? {
        // An unknown family is an error that the committed state below reports.
        guard families.indices.contains(family.index) else { return nil }
        return families[family.index].value(for: key)
    }

    /// A cursor over the writes in `lowerBound ..< upperBound`, deletions included.
    func cursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?
    ) -> SortedBytesMap<Write>.Cursor {
        SortedBytesMap<Write>.Cursor(families[family.index], from: lowerBound, to: upperBound)
    }
}
