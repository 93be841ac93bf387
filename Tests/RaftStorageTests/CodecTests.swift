import Raft
import RaftStorage
import Testing

@Suite struct CodecTests {
    private var seed: PlaceSeed { PlaceSeed(clusterID: LogFixture.identity.clusterID, segment: 5) }

    private func encoded(_ record: LogRecord, at offset: Int = 8_256) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: record.byteCount)
        bytes.withUnsafeMutableBytes { record.encode(into: $0, at: offset, groupID: 7, seed: seed) }
        return bytes
    }

    @Test("A record comes back as it was, whatever its length", arguments: [0, 1, 7, 8, 9, 300, 5_000])
    func records(length: Int) throws {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try payload.withUnsafeBytes { payload in
            let record = LogRecord(.entry, detail: 1, index: LogIndex(9), term: Term(3), payload: payload)
            let bytes = encoded(record)
            #expect(bytes.count.isMultiple(of: 8))
            try bytes.withUnsafeBytes { bytes in
                let decoded = try LogRecord(decoding: bytes, at: 8_256, groupID: 7, seed: seed)
                #expect(
                    decoded.kind == .entry && decoded.detail == 1 && decoded.index == LogIndex(9) && decoded.term == Term(3))
                #expect(decoded.payload.elementsEqual(payload))
                #expect(decoded.byteCount == bytes.count)
            }
        }
    }

    private func fault(_ bytes: [UInt8], at offset: Int = 8_256, group: UInt64 = 7, segment: UInt64 = 5) -> LogRecord.Fault? {
        let seed = PlaceSeed(clusterID: LogFixture.identity.clusterID, segment: segment)
        return bytes.withUnsafeBytes { bytes in
            do throws(LogRecord.Fault) {
                _ = try LogRecord(decoding: bytes, at: offset, groupID: group, seed: seed)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test("Every flipped bit of a record is seen, and so is every shortening")
    func damage() {
        let payload: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let bytes = payload.withUnsafeBytes { encoded(LogRecord(.entry, index: LogIndex(9), term: Term(3), payload: $0)) }
        #expect(fault(bytes) == nil)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(fault(damaged) == .invalid, "bit \(bit)")
        }
        for count in 0..<bytes.count { #expect(fault(Array(bytes.prefix(count))) == .invalid) }
    }

    @Test("A record is valid in its place only: not at another offset, nor in another use of the file")
    func places() {
        let bytes = encoded(LogRecord(.truncation, index: LogIndex(9), term: Term(3)))
        #expect(fault(bytes) == nil)
        #expect(fault(bytes, at: 8_256 + 4_096) == .invalid)
        #expect(fault(bytes, segment: 6) == .invalid)
        #expect(fault(bytes, group: 8) == .wrongGroup(7))
    }

    @Test("A batch header comes back as it was, and only in its place and size")
    func batchHeaders() {
        let header = BatchHeader(
            recordCount: 3, sequence: 77, recordsByteCount: 4_000, synchronizedEnd: LogPosition(segment: 4, offset: 8_192))
        var bytes = [UInt8](repeating: 0, count: LogFormat.batchHeaderByteCount)
        bytes.withUnsafeMutableBytes { header.encode(into: $0, at: 4_096, seed: seed) }
        bytes.withUnsafeBytes { bytes in
            #expect(BatchHeader(decoding: bytes, at: 4_096, segmentByteCount: 1 << 20, seed: seed) == header)
            #expect(BatchHeader(decoding: bytes, at: 8_192, segmentByteCount: 1 << 20, seed: seed) == nil)
            #expect(BatchHeader(decoding: bytes, at: 4_096, segmentByteCount: 8_159, seed: seed) == nil)
            #expect(BatchHeader(decoding: bytes, at: 4_096, segmentByteCount: 8_160, seed: seed) == header)
        }
        #expect(header.batchByteCount == 4_096)
    }

    @Test("A segment's header comes back as it was; every flipped bit of its block is seen")
    func segmentHeaders() throws {
        let header = SegmentHeader(identity: LogFixture.identity, number: 5, segmentByteCount: 1 << 26, previousEnd: 40_960)
        var block = [UInt8](repeating: 0xee, count: LogFormat.blockByteCount)
        block.withUnsafeMutableBytes { header.encode(into: $0) }
        #expect(try block.withUnsafeBytes { try SegmentHeader(decoding: $0) } == header)
        for byte in 0..<block.count {
            var damaged = block
            damaged[byte] ^= 1 << UInt8(byte % 8)
            #expect(throws: SegmentHeader.Fault.invalid, "byte \(byte)") {
                try damaged.withUnsafeBytes { try SegmentHeader(decoding: $0) }
            }
        }
        #expect(throws: SegmentHeader.Fault.invalid) {
            try block.dropLast().withUnsafeBytes { try SegmentHeader(decoding: $0) }
        }
    }

    static let validConfigurations: [Configuration] = {
        var joint = Configuration(voters: [NodeID(1), NodeID(2)], learners: [NodeID(9)])
        joint.outgoingVoters = [NodeID(2), NodeID(3)]
        joint.learnersNext = [NodeID(3)]
        joint.autoLeave = true
        return [Configuration(), Configuration(voters: [NodeID(1)]), joint]
    }()

    @Test("A configuration comes back as it was; a shorter or longer one is none", arguments: validConfigurations)
    func configurations(_ configuration: Configuration) throws {
        let bytes = configuration.bytes()
        #expect(try bytes.withUnsafeBytes { try Configuration(decoding: $0) } == configuration)
        for count in 0..<bytes.count {
            #expect(throws: Configuration.DecodingFault.truncated) {
                try bytes.prefix(count).withUnsafeBytes { try Configuration(decoding: $0) }
            }
        }
        #expect(throws: Configuration.DecodingFault.trailing) {
            try (bytes + [0]).withUnsafeBytes { try Configuration(decoding: $0) }
        }
    }

    @Test("Lists that are not sorted, have a node twice or node 0, too many members and other versions are refused")
    func badConfigurations() {
        func fault(_ bytes: [UInt8]) -> Configuration.DecodingFault? {
            bytes.withUnsafeBytes { bytes in
                do throws(Configuration.DecodingFault) {
                    _ = try Configuration(decoding: bytes)
                    return nil
                } catch {
                    return error
                }
            }
        }
        let bytes = Configuration(voters: [NodeID(1), NodeID(2)]).bytes()
        func changed(_ offset: Int, _ byte: UInt8) -> [UInt8] {
            var bytes = bytes
            bytes[offset] = byte
            return bytes
        }
        #expect(fault(changed(0, 2)) == .unknownVersion(2))
        #expect(fault(changed(1, 2)) == .unknownFlags(2))
        #expect(fault(changed(3, 1)) == .tooManyMembers(258))
        #expect(fault(changed(10, 0)) == .unsorted)
        #expect(fault(changed(10, 2)) == .unsorted)
        #expect(fault(changed(10, 3)) == .unsorted)
    }
}
