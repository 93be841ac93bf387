import Metadata
import NIOHTTP1

/// How fresh reads of a request must be, and when its write is answered: headers of this service beyond S3 (docs/consistency.md).
struct S3Consistency {
    private static let prefix = "x-rustfs-"
    static let readHeader = "x-rustfs-read-consistency"
    static let minimumIndexHeader = "x-rustfs-min-index"
    static let writeHeader = "x-rustfs-write-consistency"
    static let appliedIndexHeader = "x-rustfs-applied-index"

    var read: ReadOptions
    var write = WriteConsistency.strong

    /// - Parameter consistency: of reads that name none.
    /// - Throws: `InvalidArgument` for a value that is none of these.
    init(_ headers: HTTPHeaders, reads consistency: ReadConsistency) throws(S3Error) {
        read = ReadOptions(consistency)
        // Few requests have one.
        guard headers.contains(where: { ASCIICase.hasPrefix($0.name, Self.prefix) }) else { return }
        if let value = headers.first(name: Self.readHeader) { read.consistency = try Self.readConsistency(value) }
        if let value = headers.first(name: Self.minimumIndexHeader) {
            guard let index = UInt64(value) else {
                throw .invalidArgument("The value must be an index of the log.", name: Self.minimumIndexHeader, value: value)
            }
            read.minimumIndex = index
        }
        switch headers.first(name: Self.writeHeader) {
        case nil, "strong": break
        case "eventual": write = .eventual
        case .some(let value):
            throw .invalidArgument("The value must be strong or eventual.", name: Self.writeHeader, value: value)
        }
    }

    private static func readConsistency(_ value: String) throws(S3Error) -> ReadConsistency {
        switch value {
        case "linearizable": return .linearizable
        case "eventual": return .eventual
        default:
            if value.hasPrefix("bounded="), let bound = UInt64(value.dropFirst("bounded=".count)), bound > 0 {
                return .boundedStaleness(maxStalenessMilliseconds: bound)
            }
            throw .invalidArgument(
                "The value must be linearizable, eventual, or bounded= and a number of milliseconds.", name: readHeader,
                value: value)
        }
    }
}
