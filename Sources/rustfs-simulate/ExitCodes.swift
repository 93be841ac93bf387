import ArgumentParser
import Foundation

/// Exit codes after sysexits.h. Usage errors are swift-argument-parser's own 64.
extension ExitCode {
    /// Something differs from what it should be.
    static let differs = ExitCode(1)
    /// A search has given up.
    static let undecided = ExitCode(2)
    /// A mistake in a script, like one on the command line: EX_USAGE.
    static let mistake = ExitCode(64)
    /// A file cannot be read: EX_NOINPUT.
    static let noInput = ExitCode(66)
    /// A file cannot be written: EX_CANTCREAT.
    static let cannotWrite = ExitCode(73)

    static let transcriptCodes =
        "Exit codes: 0 done, 1 --check found a difference, 64 a mistake in the file, 66 no such file, 73 --rewrite failed."
}

enum StandardError {
    static func write(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
