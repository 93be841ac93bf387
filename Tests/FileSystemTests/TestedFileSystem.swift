import FileSystem
import Foundation
import Testing

/// A file system under the compatibility suite, and an empty directory in it.
struct TestedFileSystem: Sendable {
    enum Kind: CaseIterable, Sendable { case posix, faulty }

    let fileSystem: any FileSystem
    let root: String
    private let directory: TemporaryDirectory?

    init(_ kind: Kind) throws {
        switch kind {
        case .posix:
            let directory = try TemporaryDirectory()
            self.directory = directory
            root = directory.path
            fileSystem = POSIXFileSystem()
        case .faulty:
            directory = nil
            root = "/work"
            fileSystem = FaultyFileSystem()
            try fileSystem.makeDirectory(root)
        }
    }

    func path(_ name: String) -> String { root + "/" + name }

    /// The code of the error that the call throws; nil if it throws none.
    func code(_ call: (any FileSystem) throws(FileSystemError) -> Void) -> FileSystemError.Code? {
        do throws(FileSystemError) {
            try call(fileSystem)
            return nil
        } catch {
            return error.code
        }
    }
}

/// A directory that is removed, with what is in it, at the end.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/file-system-\(UInt64.random(in: .min ... .max))"
        try POSIXFileSystem().makeDirectory(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension File {
    /// Up to `count` bytes from `offset`.
    func bytes(at offset: UInt64, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        let read = try bytes.withUnsafeMutableBytes { (buffer) throws -> Int in try self.read(into: buffer, at: offset) }
        return Array(bytes.prefix(read))
    }
}
