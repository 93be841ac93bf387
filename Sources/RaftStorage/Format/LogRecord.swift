package import Raft

/// One thing that the log says, as it stands on disk: a view, valid as long as the bytes are.
package struct LogRecord {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// An entry of the Raft log; `detail` is its type.
        case entry = 1
        /// Term, vote (8 bytes of payload, or none) and commit (in `index`).
        case hardState = 2
        /// Every entry behind `index` is void; `term` is that of the entry at `index`.
        case truncation = 3
        /// A snapshot covers the log up to `index`; the payload is the configuration there.
        case snapshotMark = 4
        /// The first record of a segment: the last entry before it.
        case opening = 5
    }

    /// What `detail` says of a snapshot mark.
    package enum MarkDetail {
        /// The log holds the snapshot's last entry; what follows it stays.
        static let keepsTail: UInt8 = 0
        /// The snapshot replaces the log, which begins anew behind it.
        static let restarts: UInt8 = 1
    }

    package var kind: Kind
    package var detail: UInt8
    package var index: LogIndex
    package var term: Term
    package var payload: UnsafeRawBufferPointer

    package init(
        _ kind: Kind, detail: UInt8 = 0, index: LogIndex, term: Term,
        payload: UnsafeRawBufferPointer = .init(start: nil, count: 0)
    ) {
        self.kind = kind
        self.detail = detail
        self.index = index
        self.term = term
        self.payload = payload
    }

    package var byteCount: Int { LogFormat.recordByteCount(payloadByteCount: payload.count) }

    /// Writes the record at the start of `bytes`, which lies at `offset` of the segment.
    package func encode(into bytes: UnsafeMutableRawBufferPointer, at offset: Int, groupID: UInt64, seed: PlaceSeed) {
        let end = LogFormat.recordHeaderByteCount + payload.count
        bytes.store(UInt32(payload.count), at: 4)
        bytes.store(groupID, at: 8)
        bytes.store(UInt64(kind.rawValue) | UInt64(detail) << 8, at: 16)
        bytes.store(index.rawValue, at: 24)
        bytes.store(term.rawValue, at: 32)
        if payload.count > 0 {
            UnsafeMutableRawBufferPointer(rebasing: bytes[LogFormat.recordHeaderByteCount..<end]).copyMemory(from: payload)
        }
        for padding in end..<byteCount { bytes[padding] = 0 }
        bytes.store(seed.checksum(UnsafeRawBufferPointer(rebasing: bytes[4..<end]), at: offset), at: 0)
    }

    /// Why bytes are not a record.
    package enum Fault: Error, Hashable {
        /// Damaged or never written; nothing can be said of it.
        case invalid
        /// Valid, of another group.
        case wrongGroup(UInt64)
        /// Valid, of a kind that this program does not know.
        case unknownKind(UInt8)
    }

    /// Reads the record at the start of `bytes`, which end with its batch; `offset` is where it lies in the segment.
    @inline(__always)
    package init(decoding bytes: UnsafeRawBufferPointer, at offset: Int, groupID: UInt64, seed: PlaceSeed) throws(Fault) {
        guard bytes.count >= LogFormat.recordHeaderByteCount else { throw .invalid }
        let payloadByteCount = Int(bytes.load(at: 4, as: UInt32.self))
        guard payloadByteCount <= bytes.count - LogFormat.recordHeaderByteCount else { throw .invalid }
        let end = LogFormat.recordHeaderByteCount + payloadByteCount
        guard bytes.load(at: 0, as: UInt32.self) == seed.checksum(.init(rebasing: bytes[4..<end]), at: offset) else {
            throw .invalid
        }
        let group = bytes.load(at: 8, as: UInt64.self)
        guard group == groupID else { throw .wrongGroup(group) }
        let kinds = bytes.load(at: 16, as: UInt64.self)
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: kinds)), kinds >> 16 == 0 else {
            throw .unknownKind(UInt8(truncatingIfNeeded: kinds))
        }
        self.kind = kind
        detail = UInt8(truncatingIfNeeded: kinds >> 8)
        index = LogIndex(bytes.load(at: 24, as: UInt64.self))
        term = Term(bytes.load(at: 32, as: UInt64.self))
        payload = UnsafeRawBufferPointer(rebasing: bytes[LogFormat.recordHeaderByteCount..<end])
    }
}
