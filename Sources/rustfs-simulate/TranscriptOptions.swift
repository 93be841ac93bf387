import ArgumentParser
import Foundation
import SimulationKit

/// What the commands that run a file of stanzas share.
struct TranscriptOptions: ParsableArguments {
    @Flag(help: "Compare with the output in the file, and print only what differs.")
    var check = false

    @Flag(help: "Write the output into the file.")
    var rewrite = false

    @Argument(help: "The file; docs/transcripts.md describes it.")
    var file: String

    func validate() throws {
        guard !check || !rewrite else { throw ValidationError("--check and --rewrite exclude each other.") }
    }

    /// Runs the file's stanzas, and prints them, or what differs, or writes the file.
    func run(in environment: some TranscriptEnvironment, printing: (Transcript) -> String) throws {
        let transcript = try read()
        let seen = try reportingMistakes { () throws(TranscriptError) in
            var environment = environment
            return try transcript.run(in: &environment)
        }
        if check {
            let differences = seen.differences(from: transcript)
            print(differences, terminator: "")
            if !differences.isEmpty { throw ExitCode.differs }
        } else if rewrite {
            do {
                try Data(seen.text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            } catch {
                StandardError.write("\(file): cannot be written: \(error.localizedDescription)")
                throw ExitCode.cannotWrite
            }
        } else {
            print(printing(seen))
        }
    }

    private func read() throws -> Transcript {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            StandardError.write("\(file): cannot be read: \(error.localizedDescription)")
            throw ExitCode.noInput
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            StandardError.write("\(file): not a text in UTF-8")
            throw ExitCode.mistake
        }
        return try reportingMistakes { () throws(TranscriptError) in try Transcript(parsing: text, file: file) }
    }

    private func reportingMistakes(_ body: () throws(TranscriptError) -> Transcript) throws -> Transcript {
        do {
            return try body()
        } catch {
            StandardError.write("\(error)")
            throw ExitCode.mistake
        }
    }
}
