/// A mistake in a transcript: what cannot be read, or a command that makes no sense. What a cluster answers is output, no error.
package struct TranscriptError: Error, Hashable, CustomStringConvertible {
    package let location: TranscriptLocation
    package let message: String

    package init(_ message: String, at location: TranscriptLocation) {
        self.message = message
        self.location = location
    }

    package var description: String { "\(location): \(message)" }
}

/// A line of a file, counted from 1.
package struct TranscriptLocation: Sendable, Hashable, CustomStringConvertible {
    package let file: String
    package let line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    package var description: String { "\(file):\(line)" }
}
