internal import FileSystem

/// The layout of the log on disk, version 1. Drawn and argued in docs/formats/log.md, which a test compares with this.
///
///     segment: header block │ batch │ batch │ …      batch: batch header │ record │ record │ … │ zeros to the next block
package enum LogFormat {
    package static let version: UInt32 = 1
    package static let segmentMagic: UInt64 = littleEndian("RFSMRLOG")
    package static let batchMagic: UInt64 = littleEndian("RFSMBTCH")
    /// Every batch begins at a multiple of it, so that no block that was acknowledged is written again.
    package static let blockByteCount = directAlignment
    /// What of the first block of a segment has a meaning; the rest of the block is zero and covered by the checksum.
    package static let segmentHeaderByteCount = 72
    package static let batchHeaderByteCount = 64
    package static let recordHeaderByteCount = 40
    /// Records begin at multiples of it, so that their numbers can be read in place.
    package static let recordAlignment = 8
    package static let nameDigitCount = 20
    package static let nameSuffix = ".log"
    /// Behind the name of a segment that is being made.
    package static let temporarySuffix = ".new"
    /// Two segments for a header and one block of records would be possible; below four blocks nothing sensible fits.
    package static let segmentByteCountMin = 4 * blockByteCount
    /// Offsets inside a segment are kept in 32 bits.
    package static let segmentByteCountMax = 1 << 31

    /// Bytes of a batch with records of that many bytes, up to the next batch.
    package static func batchByteCount(recordsByteCount: Int) -> Int {
        roundedUp(batchHeaderByteCount + recordsByteCount, to: blockByteCount)
    }

    /// Bytes of a record, up to the next one.
    package static func recordByteCount(payloadByteCount: Int) -> Int {
        roundedUp(recordHeaderByteCount + payloadByteCount, to: recordAlignment)
    }

    /// The largest payload that one record of a segment of that size can have: the segment holds the header block, the opening
    /// batch (at most `openingByteCountMax`), and a batch with this record alone.
    package static func payloadByteCountMax(segmentByteCount: Int) -> Int {
        segmentByteCount - blockByteCount - openingByteCountMax - batchHeaderByteCount - recordHeaderByteCount
    }

    /// The opening batch repeats a configuration, which is what bounds it.
    package static let openingByteCountMax = blockByteCount

    package static func segmentName(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: nameDigitCount - digits.count) + digits + nameSuffix
    }

    /// The number in a segment's name; nil if it is not such a name.
    package static func segmentNumber(_ name: String) -> UInt64? {
        guard name.utf8.count == nameDigitCount + nameSuffix.utf8.count, name.hasSuffix(nameSuffix) else { return nil }
        let digits = name.utf8.dropLast(nameSuffix.utf8.count)
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(name.dropLast(nameSuffix.count)).flatMap { $0 > 0 ? $0 : nil }
    }

    static func roundedUp(_ count: Int, to multiple: Int) -> Int {
        (count + multiple - 1) / multiple * multiple
    }

    /// Eight characters as the number that is those bytes on disk.
    private static func littleEndian(_ text: StaticString) -> UInt64 {
        precondition(text.utf8CodeUnitCount == 8, "a magic has eight bytes")
        return text.withUTF8Buffer { UInt64(littleEndian: UnsafeRawBufferPointer($0).loadUnaligned(as: UInt64.self)) }
    }
}

/// A place in the log: a byte of a segment.
package struct LogPosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var segment: UInt64
    package var offset: UInt64

    package init(segment: UInt64, offset: UInt64) {
        self.segment = segment
        self.offset = offset
    }

    package static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.segment, left.offset) < (right.segment, right.offset)
    }

    package var description: String { "\(segment):\(offset)" }
}

/// Whose log it is. A segment that says otherwise is refused.
package struct LogIdentity: Sendable, Hashable {
    /// 128 random bits that the cluster was given when it was formed. They also salt every checksum, so that nobody who can
    /// choose an entry's bytes can write something that looks like a record of ours.
    package var clusterID: ClusterID
    package var groupID: UInt64
    package var nodeID: UInt64

    package struct ClusterID: Sendable, Hashable {
        package var high: UInt64
        package var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    package init(clusterID: ClusterID, groupID: UInt64, nodeID: UInt64) {
        self.clusterID = clusterID
        self.groupID = groupID
        self.nodeID = nodeID
    }
}
