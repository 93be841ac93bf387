/// Everything that recovery can find, and what it then does: the decision table of docs/formats/log.md, which a test compares with
/// this. There is no other outcome.
package enum RecoveryFinding: String, Sendable, Hashable, CaseIterable {
    // Files.
    case noSegments = "no-segments"
    case logMissing = "log-missing"
    case foreignFile = "foreign-file"
    case reserve = "reserve"
    case unfinishedReserve = "unfinished-reserve"
    case duplicateSegment = "duplicate-segment"
    case leftover = "leftover"
    case unknownVersion = "unknown-version"
    case wrongCluster = "wrong-cluster"
    case wrongGroup = "wrong-group"
    case wrongNode = "wrong-node"
    case misnamedSegment = "misnamed-segment"
    case missingSegment = "missing-segment"
    case damagedHeader = "damaged-header"
    case wrongSegmentSize = "wrong-segment-size"
    // Batches.
    case cleanEnd = "clean-end"
    case tornTail = "torn-tail"
    case tornOpening = "torn-opening"
    case damage = "damage"
    case brokenSequence = "broken-sequence"
    case malformedBatch = "malformed-batch"
    case unknownRecord = "unknown-record"
    // What valid records say.
    case misplacedOpening = "misplaced-opening"
    case indexGap = "index-gap"
    case termBackwards = "term-backwards"
    case termBeyondHardState = "term-beyond-hard-state"
    case hardStateBackwards = "hard-state-backwards"
    case hardStateBeyondLog = "hard-state-beyond-log"
    case truncationOfCommitted = "truncation-of-committed"
    case truncationElsewhere = "truncation-elsewhere"
    case snapshotContradiction = "snapshot-contradiction"
    case malformedRecord = "malformed-record"

    package enum Decision: String, Sendable {
        /// Goes on; what was found is part of a healthy log.
        case accept
        /// Goes on without what was found, which nobody was ever told is durable.
        case cut
        /// Does not open the log. An operator, or a snapshot from a peer, decides.
        case refuse
    }

    package var decision: Decision {
        switch self {
        case .noSegments, .foreignFile, .reserve, .unfinishedReserve, .duplicateSegment, .leftover, .cleanEnd:
            .accept
        case .tornTail, .tornOpening:
            .cut
        case .logMissing, .unknownVersion, .wrongCluster, .wrongGroup, .wrongNode, .misnamedSegment, .missingSegment,
            .damagedHeader, .wrongSegmentSize, .damage, .brokenSequence, .malformedBatch, .unknownRecord, .misplacedOpening,
            .indexGap, .termBackwards, .termBeyondHardState, .hardStateBackwards, .hardStateBeyondLog, .truncationOfCommitted,
            .truncationElsewhere, .snapshotContradiction, .malformedRecord:
            .refuse
        }
    }
}

extension LogContradiction {
    /// The row of the table that it belongs to.
    package var finding: RecoveryFinding {
        switch self {
        case .indexGap: .indexGap
        case .termBackwards: .termBackwards
        case .termBeyondHardState: .termBeyondHardState
        case .hardStateTermBackwards, .voteChanged, .commitBackwards: .hardStateBackwards
        case .hardStateBeyondLog: .hardStateBeyondLog
        case .truncationOfCommitted: .truncationOfCommitted
        case .noSuchEntry: .truncationElsewhere
        case .snapshotBackwards, .snapshotDisagrees: .snapshotContradiction
        case .unknownEntryType, .malformedHardState, .malformedConfiguration, .malformedSnapshotMark: .malformedRecord
        case .openingDisagrees: .misplacedOpening
        }
    }
}
