import Metadata
package import Raft

/// The digests that a replica remembers, each of its state at one index: since its start, the newest `countMax`.
///
/// A digest is complete only where a batch of entries ends, and batches end elsewhere on every replica. So all of them end a batch at
/// the entries that the log itself marks, and remember the digest there: those whose index is a multiple of `indexInterval`, and those
/// without a payload, which a leader proposes for the purpose (and for the beginning of its term).
struct DigestMarks: Sendable {
    static let countMax = 64
    static let indexInterval: UInt64 = 1024

    /// Ascending.
    private var marks: [DigestMark] = []

    mutating func add(_ mark: DigestMark) {
        // After a snapshot that is older than what was here, should that ever be.
        marks.removeAll { $0.index >= mark.index }
        marks.append(mark)
        if marks.count > Self.countMax { marks.removeFirst() }
    }

    subscript(index: LogIndex) -> StateDigest? { marks.last { $0.index == index }?.digest }
}

extension Entry {
    /// A batch that is applied ends here, on every replica alike.
    package var marksDigest: Bool {
        type == .normal && payload.isEmpty || index.rawValue.isMultiple(of: DigestMarks.indexInterval)
    }
}
