/// Batches in a segment's bytes. Pure: it looks at memory.
package struct SegmentScan {
    /// The segment from its first byte on, as far as it was read.
    package let bytes: UnsafeRawBufferPointer
    package let identity: LogIdentity
    package let segmentByteCount: Int
    private let seed: PlaceSeed
    private let file: String

    package init(
        _ bytes: UnsafeRawBufferPointer, segment: UInt64, segmentByteCount: Int, identity: LogIdentity, file: String,
        mutations: StorageMutations = []
    ) {
        self.bytes = bytes
        self.identity = identity
        self.segmentByteCount = segmentByteCount
        self.file = file
        seed = PlaceSeed(clusterID: identity.clusterID, segment: segment, mutations: mutations)
    }

    /// The batch at `offset`: its header, and its records with their offsets in `records`. Nil if the header or a record is not
    /// valid: never written, torn or damaged.
    ///
    /// - Throws: the refusal of a batch that is valid and not ours to understand.
    package func batch(
        at offset: Int, records: inout [(record: LogRecord, offset: Int)]
    ) throws(LogRefusal) -> BatchHeader? {
        records.removeAll(keepingCapacity: true)
        guard offset < bytes.count, let header = header(at: offset) else { return nil }
        let start = offset + LogFormat.batchHeaderByteCount
        let end = start + Int(header.recordsByteCount)
        guard end <= bytes.count else { return nil }
        var next = start
        while next < end {
            let record: LogRecord
            do throws(LogRecord.Fault) {
                record = try LogRecord(
                    decoding: UnsafeRawBufferPointer(rebasing: bytes[next..<end]), at: next, groupID: identity.groupID,
                    seed: seed)
            } catch {
                switch error {
                case .invalid:
                    return nil
                case .wrongGroup(let group):
                    throw LogRefusal(
                        .wrongGroup, file: file, offset: UInt64(next),
                        "the record is group \(group)'s, not \(identity.groupID)'s")
                case .unknownKind(let kind):
                    throw LogRefusal(
                        .unknownRecord, file: file, offset: UInt64(next), "the record has the unknown kind \(kind)")
                }
            }
            records.append((record, next))
            next += record.byteCount
        }
        guard next == end, records.count == Int(header.recordCount) else {
            throw LogRefusal(
                .malformedBatch, file: file, offset: UInt64(offset), "the batch's records are not what its header announces")
        }
        return header
    }

    /// Looks for valid batch headers from `offset` on, wherever one may begin.
    package func evidence(from offset: Int) -> Evidence {
        var evidence = Evidence()
        for offset in stride(
            from: LogFormat.roundedUp(offset, to: LogFormat.blockByteCount), to: bytes.count, by: LogFormat.blockByteCount)
        {
            guard let header = header(at: offset) else { continue }
            evidence.synchronizedEnd = max(evidence.synchronizedEnd, header.synchronizedEnd)
            evidence.end = offset + LogFormat.blockByteCount
        }
        return evidence
    }

    /// What valid headers say of the batches before them.
    package struct Evidence: Sendable {
        /// Everything before it was durable when one of them was written.
        package var synchronizedEnd = LogPosition(segment: 0, offset: 0)
        /// Behind the last block with a valid header; 0 if there is none.
        package var end = 0
    }

    private func header(at offset: Int) -> BatchHeader? {
        BatchHeader(
            decoding: UnsafeRawBufferPointer(rebasing: bytes[offset...]), at: offset, segmentByteCount: segmentByteCount,
            seed: seed)
    }
}
