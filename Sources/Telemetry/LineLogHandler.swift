import Glibc
package import Logging

/// The log of the server: one line a message, to standard error.
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: LogFormat
    private let writer: LogWriter
    /// Milliseconds since 1970.
    private let now: @Sendable () -> Int64

    package init(
        label: String, level: Logger.Level, format: LogFormat, writer: LogWriter,
        now: @escaping @Sendable () -> Int64 = LineLogHandler.wallClock
    ) {
        self.label = label
        self.logLevel = level
        self.format = format
        self.writer = writer
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line = LogLine(format: format)
        line.add("time", LogTimestamp.format(millisecondsSince1970: now()))
        line.add("level", event.level.rawValue)
        line.add("logger", label)
        line.add("message", event.message.description)
        if let error = event.error { line.add("error", String(describing: error)) }
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if !all.isEmpty {
            let fields = all.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
            switch format {
            case .json: line.add("metadata", fields: fields)
            case .logfmt: for (key, value) in fields { line.add(key, value) }
            }
        }
        writer.write(line: line.finish())
    }

    package static func wallClock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
