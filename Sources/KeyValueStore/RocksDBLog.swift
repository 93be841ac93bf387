import CRocksDBLogger

/// Something that RocksDB complains of.
package struct RocksDBLogLine: Sendable {
    package enum Level: Sendable {
        case warning
        case error
        case fatal
    }

    package let level: Level
    /// One line or more, as RocksDB words it, at most 2 KiB. It names files and numbers, and no keys or values (`allow_data_in_errors` is off).
    package let message: String

    package init(level: Level, message: String) {
        self.level = level
        self.message = message
    }
}

/// What RocksDB's logger refers to: who takes its lines.
final class RocksDBLog: Sendable {
    private let take: (@Sendable (RocksDBLogLine) -> Void)?

    private init(_ take: (@Sendable (RocksDBLogLine) -> Void)?) {
        self.take = take
    }

    /// Has the lines of whatever is opened with `native`, or with copies of it, taken by `take`; nil: by nobody. No file is written.
    static func install(_ take: (@Sendable (RocksDBLogLine) -> Void)?, in native: OpaquePointer) {
        let isInstalled = crocksdblogger_install(
            native, Unmanaged.passRetained(RocksDBLog(take)).toOpaque(),
            { context, level, text, count in
                guard let context else { return }
                let bytes = UnsafeRawBufferPointer(start: text, count: count)
                Unmanaged<RocksDBLog>.fromOpaque(context).takeUnretainedValue().receive(level, bytes)
            },
            { context in
                if let context { Unmanaged<RocksDBLog>.fromOpaque(context).release() }
            })
        precondition(isInstalled != 0, "a RocksDB that takes other loggers than ours")
    }

    private func receive(_ code: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let take else { return }
        let level: RocksDBLogLine.Level =
            switch Int(code) {
            case Int(CROCKSDBLOGGER_FATAL): .fatal
            case Int(CROCKSDBLOGGER_ERROR): .error
            default: .warning
            }
        var bytes = bytes[...]
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: " ") { bytes.removeLast() }
        take(RocksDBLogLine(level: level, message: String(decoding: bytes, as: UTF8.self)))
    }
}
