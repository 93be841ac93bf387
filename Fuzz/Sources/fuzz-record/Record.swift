import Raft
import RaftStorage

/// The bytes as each thing that the log consists of: header block, batch header, record, segment, configuration.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRecord(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: data, count: count)
    let identity = LogIdentity(clusterID: .init(high: 1, low: 2), groupID: 3, nodeID: 4)
    let seed = PlaceSeed(clusterID: identity.clusterID, segment: 1)
    _ = try? SegmentHeader(decoding: input)
    _ = BatchHeader(decoding: input, at: 4_096, segmentByteCount: 1 << 20, seed: seed)
    // The record with the checksum that it would need.
    var bytes = Array(input)
    if bytes.count >= LogFormat.recordHeaderByteCount {
        let end = LogFormat.recordHeaderByteCount + Int(bytes[4]) + Int(bytes[5]) << 8
        if end <= bytes.count {
            let checksum = bytes[4..<end].withUnsafeBytes { seed.checksum($0, at: 64) }
            withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        }
    }
    bytes.withUnsafeBytes { bytes in
        guard let record = try? LogRecord(decoding: bytes, at: 64, groupID: identity.groupID, seed: seed) else { return }
        precondition(record.payload.count <= bytes.count)
        var contents = LogContents(index: .zero, term: .zero)
        try? contents.apply(record)
    }
    if let configuration = try? Configuration(decoding: input) { precondition(configuration.bytes().elementsEqual(input)) }
    let scan = SegmentScan(input, segment: 1, segmentByteCount: input.count, identity: identity, file: "input")
    var records: [(record: LogRecord, offset: Int)] = []
    _ = try? scan.batch(at: 0, records: &records)
    _ = scan.evidence(from: 0)
    return 0
}
