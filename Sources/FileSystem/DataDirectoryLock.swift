#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Keeps a second server out of a data directory, for as long as it is referenced.
///
/// An advisory lock on `<directory>/LOCK`, which the system releases with its holder, however that dies: the file stays and is
/// no obstacle. Its content, the holder's process id, is for the message only.
package final class DataDirectoryLock: Sendable {
    private let file: any File

    /// - Parameter directory: exists.
    package init(directory: String, fileSystem: any FileSystem) throws(DataDirectoryLockError) {
        let path = directory + "/LOCK"
        do {
            file = try fileSystem.open(path, .createIfMissing)
            try file.lock()
            try file.truncate(to: 0)
            try file.write(Array("\(getpid())\n".utf8))
        } catch {
            guard error.code == .locked else { throw .failed(error) }
            // Empty when the holder has the lock but has not come to writing its id.
            let content = (try? fileSystem.readFile(path, byteCountMax: 32)) ?? []
            let holder = Int32(String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            throw .inUse(directory: directory, lockFile: path, holder: holder)
        }
    }
}

package enum DataDirectoryLockError: Error, CustomStringConvertible {
    case inUse(directory: String, lockFile: String, holder: Int32?)
    case failed(FileSystemError)

    package var description: String {
        switch self {
        case .inUse(let directory, let lockFile, let holder):
            let process = holder.map { "process \($0)" } ?? "another process"
            return "the data directory \(directory) is in use by \(process), which holds the lock on \(lockFile)"
        case .failed(let error):
            return "the data directory could not be locked: \(error)"
        }
    }
}
