import Backup
import FileSystem
import Logging
import Metadata
import NIOPosix
import ObjectDataStore

/// Gets the file of a replacement of the state from this node's store, or from whichever peer has it.
struct ReplacementFiles: Sendable {
    private static let chunkByteCount = ObjectDataReader.byteCountMax
    private static let retrySeconds = 2

    let source: BackupSource
    let threads: NIOThreadPool
    let logger: Logger

    /// Tries until it succeeds: whoever lacks it cannot go on. - Returns: false: the task was cancelled.
    func write(_ file: StoredBody, to path: String) async -> Bool {
        while !Task.isCancelled {
            do throws(BackupError) {
                try await copy(file, to: path)
                return true
            } catch {
                logger.warning(
                    "The state waits for the snapshot that is to be restored",
                    metadata: ["body": "\(file.id)", "error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(Self.retrySeconds))
        }
        return false
    }

    private func copy(_ body: StoredBody, to path: String) async throws(BackupError) {
        let fileSystem = source.fileSystem
        let file = try await BackupError.blocking(on: threads) { [source] () throws(BackupError) in
            do throws(FileSystemError) {
                try fileSystem.removeAll(path)
                // The file, and the store that is made of it.
                let needed = 2 * body.length
                let available = try fileSystem.availableByteCount(at: source.keyValuePath)
                guard needed <= available else {
                    return Result<any File, BackupError>.failure(
                        .spaceMissing(path: source.keyValuePath, needed: needed, available: available))
                }
                return .success(try fileSystem.open(path, .createNew))
            } catch { throw .fileSystem(error) }
        }.get()
        var reader: ObjectDataReader?
        var offset: UInt64 = 0
        while offset < body.length {
            if Task.isCancelled { throw .stopped }
            let count = Int(min(UInt64(Self.chunkByteCount), body.length - offset))
            let bytes = try await source.read(body, at: offset, byteCount: count, &reader)
            let place = offset
            try await BackupError.blocking(on: threads) { () throws(BackupError) in
                do throws(FileSystemError) { try file.write(bytes, at: place) } catch { throw .fileSystem(error) }
            }
            offset += UInt64(count)
        }
    }
}
