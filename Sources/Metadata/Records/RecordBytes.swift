/// Why a record could not be read: its bytes are not what we write. Reported as `.corruption`, never as absence.
package struct RecordDamage: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of record, by the name of its type.
    package let record: String
    /// A text of the program's own; never a user's data.
    package let reason: String

    package init(_ record: String, _ reason: String) {
        self.record = record
        self.reason = reason
    }

    package var description: String { "\(record): \(reason)" }
}

/// Reads a record front to back, in place; every step is checked against the end.
///
/// It does not hold the bytes (a span may not be stored), so each call names them again.
package struct RecordReader {
    package private(set) var offset = 0
    private let record: String

    package init(_ record: String) {
        self.record = record
    }

    /// Moves past `byteCount` bytes and returns where they began.
    package mutating func skip(_ byteCount: Int, _ bytes: RawSpan) throws(RecordDamage) -> Int {
        guard byteCount <= bytes.byteCount - offset else { throw RecordDamage(record, "it is cut short") }
        defer { offset += byteCount }
        return offset
    }

    package mutating func readUInt8(_ bytes: RawSpan) throws(RecordDamage) -> UInt8 {
        bytes.byte(at: try skip(1, bytes))
    }

    package mutating func readUInt16(_ bytes: RawSpan) throws(RecordDamage) -> UInt16 {
        bytes.littleEndianUInt16(at: try skip(2, bytes))
    }

    package mutating func readUInt32(_ bytes: RawSpan) throws(RecordDamage) -> UInt32 {
        bytes.littleEndianUInt32(at: try skip(4, bytes))
    }

    package mutating func readUInt64(_ bytes: RawSpan) throws(RecordDamage) -> UInt64 {
        bytes.littleEndianUInt64(at: try skip(8, bytes))
    }

    package mutating func readBytes(_ byteCount: Int, _ bytes: RawSpan) throws(RecordDamage) -> [UInt8] {
        let start = try skip(byteCount, bytes)
        return bytes.copy(start..<start + byteCount)
    }

    package mutating func readString(_ byteCount: Int, _ bytes: RawSpan) throws(RecordDamage) -> String {
        let start = try skip(byteCount, bytes)
        guard let string = bytes.string(start..<start + byteCount) else { throw RecordDamage(record, "a text is not UTF-8") }
        return string
    }

    /// A length of 16 bits, then as many bytes.
    package mutating func readString(_ bytes: RawSpan) throws(RecordDamage) -> String {
        let byteCount = Int(try readUInt16(bytes))
        return try readString(byteCount, bytes)
    }

    /// The first byte of every record.
    package mutating func readLayoutVersion(_ expected: UInt8, _ bytes: RawSpan) throws(RecordDamage) {
        guard try readUInt8(bytes) == expected else { throw RecordDamage(record, "its layout version is unknown") }
    }

    package func expectEnd(_ bytes: RawSpan) throws(RecordDamage) {
        guard offset == bytes.byteCount else { throw RecordDamage(record, "bytes follow its end") }
    }
}

/// Reading integers at a place. Precondition: they lie within the span (the standard library checks it).
extension RawSpan {
    @inline(__always)
    package func byte(at offset: Int) -> UInt8 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }

    @inline(__always)
    package func littleEndianUInt16(at offset: Int) -> UInt16 {
        UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    package func littleEndianUInt32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    package func littleEndianUInt64(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    package func bigEndianUInt16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    package func bigEndianUInt32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    package func bigEndianUInt64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    package func copy(_ range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { Array($0) }
    }

    /// `nil`: not UTF-8.
    package func string(_ range: Range<Int>) -> String? {
        extracting(range).withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    }

    package func equals(_ text: String, in range: Range<Int>) -> Bool {
        guard text.utf8.count == range.count else { return false }
        return extracting(range).withUnsafeBytes { bytes in
            text.utf8.withContiguousStorageIfAvailable { bytes.elementsEqual($0) } ?? bytes.elementsEqual(text.utf8)
        }
    }
}

/// Appending to a record or key under construction.
extension [UInt8] {
    @inline(__always)
    package mutating func appendLittleEndian(_ value: some FixedWidthInteger & BitwiseCopyable) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    @inline(__always)
    package mutating func appendBigEndian(_ value: some FixedWidthInteger & BitwiseCopyable) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// A length of 16 bits, then the bytes. Precondition: at most 65,535 of them (`RecordLimits`, checked before any write).
    package mutating func appendString(_ text: String) {
        let byteCount = text.utf8.count
        precondition(byteCount <= Int(UInt16.max), "a text is longer than its length field can say")
        appendLittleEndian(UInt16(byteCount))
        append(contentsOf: text.utf8)
    }
}
