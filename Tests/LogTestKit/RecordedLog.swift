package import Logging
import Synchronization

/// A log that keeps its lines.
package final class RecordedLog: LogHandler, Sendable {
    private let state = Mutex<[String]>([])
    private let level: Logger.Level

    package init(level: Logger.Level = .info) {
        self.level = level
    }

    package var lines: [String] { state.withLock { $0 } }

    package func count(_ message: String) -> Int { lines.count { $0.contains(message) } }

    package var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    package var logLevel: Logger.Level {
        get { level }
        set {}
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { nil }
        set {}
    }

    package func log(event: LogEvent) {
        state.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
    }
}
