package import KeyValueStore

/// The named cases of the compatibility suite: what every `KeyValueStore` must do. The raw values are the sentences.
package enum ContractCase: String, CaseIterable, Sendable, CustomStringConvertible {
    case pointReads = "an absent key is nil, an empty value is a value"
    case edgeKeys = "empty keys, zero bytes and 0xff bytes round-trip in the order of their bytes"
    case bounds = "the lower bound is inclusive and the upper exclusive, in both directions"
    case crossedBounds = "bounds that meet or cross name no key"
    case seekClamps = "a seek outside the bounds clamps to them"
    case seekPastEnd = "a seek past the last key is the end, and a step back finds the last key"
    case greatestBelow = "a seek and a step back find the greatest key below, in and out of the data"
    case exhausted = "an exhausted cursor stays where it fell off and comes back"
    case unpositioned = "a cursor that was not told to seek stands nowhere"
    case turning = "a cursor changes direction at any record"
    case largeValues = "large values round-trip in a family that holds them"
    case families = "the same key is another record in another family"
    case unknownFamily = "an unknown family is an invalid argument"
    case snapshotIsolation = "a snapshot and its cursors never see later commits"
    case readsOwnWrites = "a transaction reads its own writes and deletions by key"
    case cursorsShowOwnWrites = "a transaction's cursors show its writes and hide its deletions in both directions"
    case cursorIsOfItsMoment = "a transaction's cursor shows the writes made before it"
    case lastWriteWins = "the last write to a key in a transaction wins"
    case dropped = "a transaction that is dropped leaves no trace"
    case atomic = "a commit is visible in all families at once"
    case byteCount = "the byte count of a transaction grows with what it holds"
    case copying = "a put from borrowed memory keeps a copy"
    case checkpoint = "a checkpoint holds the state of its moment and opens as a store"
    case checkpointExists = "a checkpoint never overwrites"
    case flushed = "a flush changes nothing that is seen"
    case statistics = "statistics have unique names and finite values"
    case closed = "after close every call throws closed, on snapshots and cursors too"

    package var description: String { rawValue }

    /// - Throws: `ContractViolation` with what differed.
    package func run(on harness: some KeyValueStoreHarness) throws {
        switch self {
        case .pointReads: try pointReads(harness)
        case .edgeKeys: try edgeKeys(harness)
        case .bounds: try bounds(harness)
        case .crossedBounds: try crossedBounds(harness)
        case .seekClamps: try seekClamps(harness)
        case .seekPastEnd: try seekPastEnd(harness)
        case .greatestBelow: try greatestBelow(harness)
        case .exhausted: try exhausted(harness)
        case .unpositioned: try unpositioned(harness)
        case .turning: try turning(harness)
        case .largeValues: try largeValues(harness)
        case .families: try families(harness)
        case .unknownFamily: try unknownFamily(harness)
        case .snapshotIsolation: try snapshotIsolation(harness)
        case .readsOwnWrites: try readsOwnWrites(harness)
        case .cursorsShowOwnWrites: try cursorsShowOwnWrites(harness)
        case .cursorIsOfItsMoment: try cursorIsOfItsMoment(harness)
        case .lastWriteWins: try lastWriteWins(harness)
        case .dropped: try dropped(harness)
        case .atomic: try atomic(harness)
        case .byteCount: try byteCount(harness)
        case .copying: try copying(harness)
        case .checkpoint: try checkpoint(harness)
        case .checkpointExists: try checkpointExists(harness)
        case .flushed: try flushed(harness)
        case .statistics: try statistics(harness)
        case .closed: try closed(harness)
        }
    }
}

/// The families that the suite opens.
package enum ContractFamilies {
    package static let first = ColumnFamily(index: 0, name: "first")
    package static let second = ColumnFamily(index: 1, name: "second")
    package static let large = ColumnFamily(index: 2, name: "large", holdsLargeValues: true)
    package static let all = [first, second, large]
}
