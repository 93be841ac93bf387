import FileSystem
import Raft
import RaftStorage
import Testing

/// docs/formats/log.md promises numbers and decisions; these are the code's.
@Suite struct FormatDocumentTests {
    /// The rows of the table whose first heading is this.
    private func rows(_ heading: String) throws -> [[String]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try POSIXFileSystem().readFile("/\(root)/docs/formats/log.md", byteCountMax: 1 << 20)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.drop { !$0.hasPrefix("| \(heading) |") }.dropFirst(2).prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
        }
    }

    private func text(_ magic: UInt64) -> String {
        withUnsafeBytes(of: magic.littleEndian) { String(decoding: $0, as: UTF8.self) }
    }

    @Test("docs/formats/log.md and the code agree on every constant")
    func constants() throws {
        let documented = try rows("constant").map { "\($0[0]): \($0[1])" }
        #expect(
            documented == [
                "version: \(LogFormat.version)",
                "segment magic: \(text(LogFormat.segmentMagic))",
                "batch magic: \(text(LogFormat.batchMagic))",
                "block bytes: \(LogFormat.blockByteCount)",
                "segment header bytes: \(LogFormat.segmentHeaderByteCount)",
                "batch header bytes: \(LogFormat.batchHeaderByteCount)",
                "record header bytes: \(LogFormat.recordHeaderByteCount)",
                "record alignment: \(LogFormat.recordAlignment)",
                "name digits: \(LogFormat.nameDigitCount)",
                "configuration version: \(Configuration.bytesVersion)",
                "configuration header bytes: \(Configuration.bytesHeaderByteCount)",
                "configuration members at most: \(Configuration.encodedMemberCountMax)",
            ])
    }

    @Test("The decision table has every finding, in order, with the code's decision")
    func decisions() throws {
        let documented = try rows("finding").map { "\($0[0]): \($0[1])" }
        #expect(documented == RecoveryFinding.allCases.map { "\($0.rawValue): \($0.decision.rawValue)" })
    }

    @Test("The table of records has every kind")
    func kinds() throws {
        #expect(try rows("kind").map(\.[0]) == LogRecord.Kind.allCases.map { "\($0.rawValue)" })
        #expect(EntryType.normal.rawValue == 0)
        #expect(EntryType.configurationChange.rawValue == 1)
    }

    @Test("A segment's name is its number, and nothing else is a name")
    func names() {
        #expect(LogFormat.segmentName(7) == "00000000000000000007.log")
        for number: UInt64 in [1, 7, 12_345, .max] { #expect(LogFormat.segmentNumber(LogFormat.segmentName(number)) == number) }
        for name in [
            "7.log", "00000000000000000000.log", "99999999999999999999.log", "00000000000000000007.new",
            "0000000000000000007x.log",
            "000000000000000000007.log", "", "+0000000000000000007.log",
        ] {
            #expect(LogFormat.segmentNumber(name) == nil, "\(name)")
        }
    }
}
