import Glibc
import Synchronization

/// Writes whole lines to a file descriptor, from any thread.
///
/// A line is one `write` under a lock, so that lines of several threads never mix, and none is lost when the process is killed
/// the moment after. Where the reader is gone or the disk is full, lines are dropped: a log must not stop a server.
package final class LogWriter: Sendable {
    private let descriptor: Mutex<Int32>

    /// - Parameter descriptor: stays open for as long as the writer; standard error by default.
    package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = Mutex(descriptor) }

    /// - Parameter line: with its line feed.
    func write(line: [UInt8]) {
        descriptor.withLock { descriptor in
            var rest = line[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count == 0 || errno != EINTR {
                    return
                }
            }
        }
    }
}
