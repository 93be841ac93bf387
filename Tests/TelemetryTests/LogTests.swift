import Foundation
import Logging
import Telemetry
import Testing

@Suite("A log message is one line")
struct LogTests {
    /// What handlers wrote into a file.
    private func lines(format: LogFormat, milliseconds: Int64 = 0, _ body: (Logger) -> Void) throws -> [String] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)").path
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0o600)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        let writer = LogWriter(descriptor: descriptor)
        let logger = Logger(label: "test") { label in
            LineLogHandler(label: label, level: .info, format: format, writer: writer, now: { milliseconds })
        }
        body(logger)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test("logfmt quotes what needs it and sorts metadata")
    func logfmt() throws {
        let lines = try lines(format: .logfmt, milliseconds: 1_700_000_000_123) { logger in
            logger.info(
                "Bucket was made", metadata: ["b": "plain", "a key": "two words", "empty": "", "quote": "a\"b=c\\d\ne\u{1}"])
            logger.debug("not shown")
        }
        #expect(
            lines == [
                #"time=2023-11-14T22:13:20.123Z level=info logger=test message="Bucket was made" a_key="two words" b=plain empty="" quote="a\"b=c\\d\ne\u0001""#
            ])
    }

    @Test("JSON lines parse back to what was logged")
    func json() throws {
        let nasty = "quote \" backslash \\ tab \t line \n nul \0 delete \u{7F} emoji 🪣 é"
        let lines = try lines(format: .json) { logger in
            var logger = logger
            logger[metadataKey: "node"] = "1"
            logger.error("It \"failed\"", metadata: ["why": "\(nasty)", "list": ["a", "b"], "node": "2"])
        }
        #expect(lines.count == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(object["time"] as? String == "1970-01-01T00:00:00.000Z")
        #expect(object["level"] as? String == "error")
        #expect(object["logger"] as? String == "test")
        #expect(object["message"] as? String == "It \"failed\"")
        let metadata = try #require(object["metadata"] as? [String: String])
        #expect(metadata["why"] == nasty)
        #expect(metadata["node"] == "2")
        #expect(metadata["list"] == "[\"a\", \"b\"]")
    }

    @Test(
        "Times are UTC with milliseconds, also before 1970 and on leap days",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_735_689_599_007, "2024-12-31T23:59:59.007Z"),
        ])
    func times(milliseconds: Int64, expected: String) throws {
        let lines = try lines(format: .logfmt, milliseconds: milliseconds) { $0.info("x") }
        #expect(lines.first?.hasPrefix("time=\(expected) ") == true)
    }

    @Test("Lines of many threads do not mix")
    func threads() async throws {
        let lines = try lines(format: .json) { logger in
            DispatchQueue.concurrentPerform(iterations: 8) { thread in
                for number in 0..<200 {
                    logger.info("\(String(repeating: "x", count: 300))", metadata: ["id": "\(thread)-\(number)"])
                }
            }
        }
        #expect(lines.count == 1600)
        let ids = try lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return (object?["metadata"] as? [String: String])?["id"] ?? ""
        }
        #expect(Set(ids).count == 1600)
    }

    @Test("A reader that is gone does not stop the server")
    func brokenDescriptor() {
        let logger = Logger(label: "test") { label in
            LineLogHandler(label: label, level: .info, format: .json, writer: LogWriter(descriptor: -1))
        }
        logger.info("nobody reads this")
    }
}
