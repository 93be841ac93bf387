import Raft

/// A snapshot that is being received, chunk by chunk in order, beside the state of now.
///
/// ```
///   opening ──► receiving ──► finishing ──► whole ──► installing
///                 ▲   │ chunk asked for, received, checked, stored
///                 └───┘
/// ```
struct SnapshotReception: Sendable {
    enum Stage: Sendable, Equatable {
        /// The disk looks what is there already.
        case opening
        /// Waits for that chunk, asked for at that time; or for its being stored.
        case receiving(chunk: UInt64, askedAt: ClockReading, isStoring: Bool)
        /// All chunks are stored; the disk compares the whole with what was offered.
        case finishing
        /// Durable and as offered; the core is told as soon as there is a leader.
        case whole
        /// The core has taken it: it takes the place of the state.
        case installing
    }

    let offer: SnapshotOffer
    /// Who sends it.
    var source: NodeID
    var stage = Stage.opening
    /// Chunks with a wrong checksum in a row.
    var damagedCount = 0

    static let damagedCountMax = 3

    var id: SnapshotID { offer.id }

    /// How many of its chunks are stored, as a share.
    var receivedShare: Double {
        switch stage {
        case .opening: 0
        case .receiving(let chunk, _, _): Double(chunk) / Double(max(offer.chunkCount, 1))
        case .finishing, .whole, .installing: 1
        }
    }
}
