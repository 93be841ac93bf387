import ArgumentParser
import Foundation
import SimulationKit

/// `rustfs-simulate linearize FILE`.
struct LinearizeRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "linearize",
        abstract: "Judge a recorded history.",
        discussion: """
            Each line of the file is one operation in JSON (docs/chaos.md). Prints `linearizable`, or the object that is not, with the \
            longest order that explains a part of it, or the objects for which the search has given up.

            Exit codes: 0 linearizable, 1 not, 2 undecided, 64 a mistake in the file, 66 no such file.
            """
    )

    @Option(help: ArgumentHelp("How often an operation is tried, for each object.", valueName: "count"))
    var steps = 20_000_000

    @Argument(help: "The history.")
    var file: String

    func validate() throws {
        guard steps > 0 else { throw ValidationError("--steps must be positive.") }
    }

    func run() throws {
        let history = try read()
        let summary = "\(history.operationCount) operations on \(history.objectCount) objects"
        switch history.check(stepCountMax: steps) {
        case .linearizable: print("linearizable: \(summary)")
        case .violation(let object, let violation):
            print("NOT linearizable: \(object) of \(summary)\n\(violation)")
            throw ExitCode.differs
        case .unknown(let objects):
            print("undecided: \(objects.map(\.description).joined(separator: " ")) of \(summary)")
            throw ExitCode.undecided
        }
    }

    private func read() throws -> KeyedHistory {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            StandardError.write("\(file): cannot be read: \(error.localizedDescription)")
            throw ExitCode.noInput
        }
        var history = KeyedHistory()
        let decoder = JSONDecoder()
        for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            do {
                let recorded = try decoder.decode(RecordedOperation.self, from: line)
                history.add(recorded.operation, on: recorded.object)
            } catch {
                StandardError.write("\(file):\(number + 1): \(error)")
                throw ExitCode.mistake
            }
        }
        return history
    }
}
