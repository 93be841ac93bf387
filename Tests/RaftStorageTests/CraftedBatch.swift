import Checksum
import FileSystem
import Raft
import RaftStorage

/// A batch as it would lie on the disk, with records that the log itself would never write.
struct CraftedBatch {
    struct Record {
        var kind: UInt8
        var detail: UInt8 = 0
        var index: UInt64
        var term: UInt64
        var payload: [UInt8] = []
        var group = LogFixture.identity.groupID

        static func entry(_ index: UInt64, _ term: UInt64, detail: UInt8 = 0) -> Record {
            Record(kind: 1, detail: detail, index: index, term: term, payload: [1, 2, 3])
        }

        static func hardState(_ term: UInt64, vote: UInt64? = nil, commit: UInt64 = 0) -> Record {
            Record(
                kind: 2, index: commit, term: term,
                payload: vote.map { withUnsafeBytes(of: $0.littleEndian) { Array($0) } } ?? [])
        }

        static func truncation(_ index: UInt64, _ term: UInt64) -> Record { Record(kind: 3, index: index, term: term) }

        static func mark(_ index: UInt64, _ term: UInt64, restarts: Bool = false) -> Record {
            Record(
                kind: 4, detail: restarts ? 1 : 0, index: index, term: term, payload: Configuration(voters: [NodeID(1)]).bytes()
            )
        }
    }

    var records: [Record]
    var sequence: UInt64 = 2
    var segment: UInt64 = 1
    var offset = 8_192
    var recordCount: UInt32?
    var synchronizedEnd = LogPosition(segment: 1, offset: 8_192)

    func bytes() -> [UInt8] {
        let seed = PlaceSeed(clusterID: LogFixture.identity.clusterID, segment: segment)
        var bytes = [UInt8](repeating: 0, count: LogFormat.batchHeaderByteCount)
        for record in records {
            let place = offset + bytes.count
            var body = le(UInt32(record.payload.count)) + le(record.group) + [record.kind, record.detail, 0, 0, 0, 0, 0, 0]
            body += le(record.index) + le(record.term) + record.payload
            let checksum = body.withUnsafeBytes { seed.checksum($0, at: place) }
            bytes += le(checksum) + body
            while !bytes.count.isMultiple(of: LogFormat.recordAlignment) { bytes.append(0) }
        }
        let header = BatchHeader(
            recordCount: recordCount ?? UInt32(records.count), sequence: sequence,
            recordsByteCount: UInt64(bytes.count - LogFormat.batchHeaderByteCount), synchronizedEnd: synchronizedEnd)
        bytes.withUnsafeMutableBytes { header.encode(into: $0, at: offset, seed: seed) }
        return bytes
    }

    private func le(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}
