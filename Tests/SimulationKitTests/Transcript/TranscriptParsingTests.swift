import SimulationKit
import Testing

@Suite("Reading transcripts")
struct TranscriptParsingTests {
    private func parse(_ text: String) throws(TranscriptError) -> Transcript {
        try Transcript(parsing: text, file: "some.txt")
    }

    @Test("A stanza is a command, input, a mark, and output up to a blank line")
    func stanza() throws {
        let transcript = try parse("# Why.\n\npropose 1 foo a=(1, 2,3) b=x c=\nline 1\nline 2\n----\nok\nmore\n\nnext\n----\n")
        #expect(transcript.stanzas.count == 2)
        let first = transcript.stanzas[0]
        #expect(first.prose == ["# Why.", ""])
        #expect(first.command.name == "propose")
        #expect(first.command.words == ["1", "foo"])
        #expect(first.command.values("a") == ["1", "2", "3"])
        #expect(first.command.values("b") == ["x"])
        #expect(first.command.has("c") && first.command.values("c").isEmpty)
        #expect(!first.command.has("d"))
        #expect(first.command.input == ["line 1", "line 2"])
        #expect(first.expected == ["ok", "more"])
        #expect(first.command.location.line == 3)
        #expect(transcript.stanzas[1].command.name == "next" && transcript.stanzas[1].expected.isEmpty)
    }

    @Test("Output with blank lines stands between double marks")
    func doubleMarks() throws {
        let transcript = try parse("a\n----\n----\none\n\n----\ntwo\n----\n----\n\nb\n----\nthree\n")
        #expect(transcript.stanzas.map(\.expected) == [["one", "", "----", "two"], ["three"]])
    }

    @Test("A command goes on after a backslash, and lines may end like on Windows")
    func continuation() throws {
        let transcript = try parse("a x \\\r\n  k=v\r\n----\r\nok\r\n")
        #expect(transcript.stanzas[0].command.words == ["x"])
        #expect(transcript.stanzas[0].command.values("k") == ["v"])
        #expect(transcript.stanzas[0].expected == ["ok"])
    }

    @Test(
        "What is read is written again, byte for byte",
        arguments: [
            "", "# only prose\n", "a\n----\nok\n", "# c\na 1 \\\n  2\nin\n----\n\n# d\n\nb\n----\nout\n\n# end\n",
            "a\n----\n----\none\n\ntwo\n----\n----\n\nb\n----\nok\n",
        ]
    )
    func text(text: String) throws {
        #expect(try parse(text).text == text)
    }

    @Test(
        "A mistake is told with its line",
        arguments: [
            ("a\n----\nok\n\nb\ninput\n\n----\n", 5, "no ----"),
            ("a\n", 1, "no ----"),
            ("\n----\n", 2, "without a command"),
            ("a\n----\n----\nb\n----\n", 1, "does not end with two"),
            ("a k=(1,2\n----\n", 1, "closing parenthesis"),
            ("a k=(1,2)x\n----\n", 1, "followed by x"),
            ("a =1\n----\n", 1, "without a key"),
            ("a=1 b\n----\n", 1, "begins with its name"),
        ]
    )
    func mistakes(text: String, line: Int, message: String) {
        let error = #expect(throws: TranscriptError.self) { try parse(text) }
        #expect(error?.location == TranscriptLocation(file: "some.txt", line: line))
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.description.hasPrefix("some.txt:\(line): ") == true)
    }

    @Test("Arguments of the wrong kind are told by name")
    func arguments() throws {
        let command = try parse("a x n=1 m=(1,2) f=true g=perhaps h=-1\n----\n").stanzas[0].command
        #expect(try command.number("n") == 1)
        #expect(try command.count("n") == 1)
        #expect(try command.flag("f") == true)
        #expect(try command.flag("none") == nil)
        for (key, body) in [
            ("m", { _ = try command.value("m") }), ("g", { _ = try command.flag("g") }), ("h", { _ = try command.number("h") }),
            ("x", { _ = try command.number(word: 0, of: "node x") }),
            ("unknown argument n", { try command.expect(words: 1...1, of: "node") }),
            ("1 arguments where 2", { try command.expect(words: 2...2, of: "node", keys: ["n", "m", "f", "g", "h"]) }),
        ] as [(String, () throws -> Void)] {
            let error = #expect(throws: TranscriptError.self) { try body() }
            #expect(error?.message.contains(key) == true, "\(error?.message ?? "")")
        }
    }

    @Test("A difference shows what was expected and what came")
    func differences() throws {
        let expected = try parse("a\n----\none\ntwo\n\nb\n----\nok\n")
        let seen = try parse("a\n----\none\nthree\nfour\n\nb\n----\nok\n")
        #expect(seen.differences(from: expected) == "some.txt:1: a\n  one\n- two\n+ three\n+ four\n")
        #expect(expected.differences(from: expected).isEmpty)
    }
}
