package import KeyValueStore
package import Logging

extension RocksDBOptions {
    /// What RocksDB complains of becomes lines of the server's log.
    package mutating func log(to logger: Logger) {
        log = { line in
            let level: Logger.Level =
                switch line.level {
                case .warning: .warning
                case .error: .error
                case .fatal: .critical
                }
            logger.log(level: level, "RocksDB complains", metadata: ["message": "\(line.message)"])
        }
    }
}
