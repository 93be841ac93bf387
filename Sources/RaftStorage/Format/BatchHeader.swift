/// What stands in front of the records that were written together.
package struct BatchHeader: Sendable, Hashable {
    package var recordCount: UInt32
    /// Counts the batches of the log, so that a batch that does not follow its neighbour is seen.
    package var sequence: UInt64
    /// Of the records, with what aligns each, without the header and the zeros behind.
    package var recordsByteCount: UInt64
    /// What was synchronized when this batch was written: whatever is not valid before it is damage, not a torn write.
    package var synchronizedEnd: LogPosition

    package init(recordCount: UInt32, sequence: UInt64, recordsByteCount: UInt64, synchronizedEnd: LogPosition) {
        self.recordCount = recordCount
        self.sequence = sequence
        self.recordsByteCount = recordsByteCount
        self.synchronizedEnd = synchronizedEnd
    }

    /// Writes the header at the start of `bytes`; `offset` is where that lies in the segment.
    package func encode(into bytes: UnsafeMutableRawBufferPointer, at offset: Int, seed: PlaceSeed) {
        bytes.store(LogFormat.batchMagic, at: 0)
        bytes.store(recordCount, at: 12)
        bytes.store(sequence, at: 16)
        bytes.store(recordsByteCount, at: 24)
        bytes.store(synchronizedEnd.segment, at: 32)
        bytes.store(synchronizedEnd.offset, at: 40)
        bytes.store(UInt64(0), at: 48)
        bytes.store(UInt64(0), at: 56)
        bytes.store(Self.checksum(UnsafeRawBufferPointer(bytes), at: offset, seed: seed), at: 8)
    }

    /// The valid header at the start of `bytes`, which lie at `offset` of the segment; nil if there is none, or if its batch would
    /// not end within the `segmentByteCount`.
    package init?(decoding bytes: UnsafeRawBufferPointer, at offset: Int, segmentByteCount: Int, seed: PlaceSeed) {
        guard bytes.count >= LogFormat.batchHeaderByteCount, bytes.load(at: 0, as: UInt64.self) == LogFormat.batchMagic,
            bytes.load(at: 8, as: UInt32.self) == Self.checksum(bytes, at: offset, seed: seed)
        else { return nil }
        recordCount = bytes.load(at: 12, as: UInt32.self)
        sequence = bytes.load(at: 16, as: UInt64.self)
        recordsByteCount = bytes.load(at: 24, as: UInt64.self)
        synchronizedEnd = LogPosition(segment: bytes.load(at: 32, as: UInt64.self), offset: bytes.load(at: 40, as: UInt64.self))
        guard offset + LogFormat.batchHeaderByteCount <= segmentByteCount,
            recordsByteCount <= UInt64(segmentByteCount - offset - LogFormat.batchHeaderByteCount)
        else { return nil }
    }

    /// Bytes up to the next batch.
    package var batchByteCount: Int { LogFormat.batchByteCount(recordsByteCount: Int(recordsByteCount)) }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, at offset: Int, seed: PlaceSeed) -> UInt32 {
        seed.checksum(UnsafeRawBufferPointer(rebasing: bytes[12..<LogFormat.batchHeaderByteCount]), at: offset)
    }
}
