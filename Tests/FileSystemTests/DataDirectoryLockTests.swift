import FileSystem
import Foundation
import Testing

@Suite struct DataDirectoryLockTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func lock() throws(DataDirectoryLockError) -> DataDirectoryLock {
        try DataDirectoryLock(directory: directory.path, fileSystem: POSIXFileSystem())
    }

    @Test("A second lock in this process is refused, with the holder's id and the path; once released it is granted")
    func sameProcess() throws {
        do {
            let first = try lock()
            let error = #expect(throws: DataDirectoryLockError.self) { _ = try lock() }
            #expect(
                error?.description
                    == "the data directory \(directory.path) is in use by process \(getpid()), which holds the lock on \(directory.path)/LOCK"
            )
            withExtendedLifetime(first) {}
        }
        _ = try lock()
    }

    @Test("What a dead process left in the file is no obstacle")
    func staleContent() throws {
        try POSIXFileSystem().open(directory.path + "/LOCK", .createNew).write(
            Array("4000000\nand more than a new id is long\n".utf8))
        let lock = try lock()
        #expect(try POSIXFileSystem().readFile(directory.path + "/LOCK", byteCountMax: 99) == Array("\(getpid())\n".utf8))
        withExtendedLifetime(lock) {}
    }

    @Test("Another process's lock is respected, and ends when that is killed", .timeLimit(.minutes(1)))
    func otherProcess() async throws {
        let path = directory.path + "/LOCK"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell writes its id as the server does, and becomes the sleeper that keeps descriptor 9 and so the lock.
        process.arguments = ["-c", "exec 9>\"$0\"; flock 9; echo $$ >&9; exec sleep 600", path]
        try process.run()
        while (try? POSIXFileSystem().readFile(path, byteCountMax: 99))?.last != UInt8(ascii: "\n") { await Task.yield() }
        let error = #expect(throws: DataDirectoryLockError.self) { _ = try lock() }
        guard case .inUse(directory.path, path, process.processIdentifier) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        _ = try lock()
    }

    @Test("A directory that is not there is another error than one in use")
    func missingDirectory() {
        let error = #expect(throws: DataDirectoryLockError.self) {
            _ = try DataDirectoryLock(directory: directory.path + "/x", fileSystem: POSIXFileSystem())
        }
        guard case .failed(let cause) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.code == .notFound)
    }
}
