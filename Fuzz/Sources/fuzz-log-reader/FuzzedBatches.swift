import Raft
import RaftStorage

/// Valid batches of records whose fields come from the input.
struct FuzzedBatches {
    private let input: UnsafeRawBufferPointer
    private var position = 0

    init(_ input: UnsafeRawBufferPointer) { self.input = input }

    private mutating func byte() -> UInt8 {
        guard position < input.count else { return 0 }
        defer { position += 1 }
        return input[position]
    }

    mutating func bytes(identity: LogIdentity, at start: Int, byteCountMax: Int) -> [UInt8] {
        let seed = PlaceSeed(clusterID: identity.clusterID, segment: 1)
        var bytes: [UInt8] = []
        var sequence: UInt64 = 2
        while position < input.count, bytes.count < byteCountMax {
            var records: [UInt8] = []
            let recordCount = Int(byte() & 7)
            let offset = start + bytes.count
            for _ in 0..<recordCount {
                let kind = LogRecord.Kind(rawValue: byte() % 6) ?? .entry
                let (detail, index, term, payloadByteCount) = (byte() % 4, byte(), byte(), Int(byte() % 32))
                let payload = (0..<payloadByteCount).map { _ in byte() }
                payload.withUnsafeBytes { payload in
                    let record = LogRecord(
                        kind, detail: detail, index: LogIndex(UInt64(index)), term: Term(UInt64(term)), payload: payload)
                    var encoded = [UInt8](repeating: 0, count: record.byteCount)
                    encoded.withUnsafeMutableBytes {
                        record.encode(
                            into: $0, at: offset + LogFormat.batchHeaderByteCount + records.count, groupID: identity.groupID,
                            seed: seed)
                    }
                    records += encoded
                }
            }
            var batch = [UInt8](repeating: 0, count: LogFormat.batchHeaderByteCount) + records
            let header = BatchHeader(
                recordCount: UInt32(recordCount), sequence: sequence, recordsByteCount: UInt64(records.count),
                synchronizedEnd: LogPosition(segment: 1, offset: UInt64(offset)))
            batch.withUnsafeMutableBytes { header.encode(into: $0, at: offset, seed: seed) }
            bytes += batch
            bytes += [UInt8](repeating: 0, count: header.batchByteCount - batch.count)
            sequence += 1
        }
        return bytes
    }
}
