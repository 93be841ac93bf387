import Foundation

/// Standard output has the answer, standard error whatever else there is to say.
enum Console {
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }
    static var showsProgress: Bool { isatty(STDERR_FILENO) == 1 }

    static func write(_ line: String) { write(bytes: Array("\(line)\n".utf8)) }
    static func write(bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }
    static func warn(_ line: String) { write(Array("\(line)\n".utf8), to: STDERR_FILENO) }

    /// In the place of the line that the cursor is in.
    static func redraw(_ line: String) { write(Array("\r\u{1B}[K\(line)".utf8), to: STDERR_FILENO) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Asks a person. Where there is none, and nothing was said ahead by `--yes`, nothing is done.
    static func confirm(_ question: String, isGiven: Bool) throws(AdminFailure) {
        if isGiven { return }
        guard isInteractive else {
            throw .usage(
                "This asks for a confirmation, and there is no terminal to ask on: add --yes if it is meant. Nothing was changed."
            )
        }
        write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased()
        guard answer == "y" || answer == "yes" else { throw .usage("Nothing was changed.") }
    }
}
