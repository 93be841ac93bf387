import KeyValueStore
import LogTestKit
import Logging
import Metadata
import Testing

@Suite("RocksDB's lines in the server's log")
struct RocksDBLoggingTests {
    static let levels: [(Logger.Level, [String])] = [
        (.warning, ["slow", "torn", "lost"]), (.error, ["torn", "lost"]), (.critical, ["lost"]),
    ]

    @Test("Each has its level, one constant sentence, and what RocksDB says beside it", arguments: levels)
    func lines(level: Logger.Level, expected: [String]) throws {
        let recorded = RecordedLog(level: level)
        var options = RocksDBOptions()
        options.log(to: Logger(label: "test", factory: { _ in recorded }))
        let log = try #require(options.log)
        for (level, message) in [(.warning, "slow"), (.error, "torn"), (.fatal, "lost")] as [(RocksDBLogLine.Level, String)] {
            log(RocksDBLogLine(level: level, message: message))
        }
        #expect(recorded.lines.count == expected.count)
        for (line, message) in zip(recorded.lines, expected) {
            #expect(line.hasPrefix("RocksDB complains "))
            #expect(line.contains(message))
        }
    }
}
