#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The operating system's files.
package struct POSIXFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        // Data are nobody else's to read; no child process inherits them.
        POSIXFile(
            descriptor: try retried("open", path) { openFile(path, mode.flags | O_CLOEXEC, 0o600) },
            path: path
        )
    }

    package func openDirect(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> (any File)? {
        #if os(Linux)
            let flags = mode.flags | O_CLOEXEC | directFlag | O_DSYNC
            let file: POSIXFile
            do {
                file = POSIXFile(descriptor: try retried("open", path) { openFile(path, flags, 0o600) }, path: path)
            } catch {
                // So says a file system without them, tmpfs for one.
                if error.number == EINVAL { return nil }
                throw error
            }
            // Some accept the flag and refuse the alignment: better asked now than in the first write that matters.
            let probe = UnsafeMutableRawBufferPointer.allocate(byteCount: directAlignment, alignment: directAlignment)
            defer { probe.deallocate() }
            do {
                _ = try file.read(into: probe, at: 0)
            } catch {
                if error.number == EINVAL { return nil }
                throw error
            }
            return file
        #else
            return nil
        #endif
    }

    package func rename(_ source: String, to target: String) throws(FileSystemError) {
        _ = try retried("rename", target) { renameFile(source, target) }
    }

    package func unlink(_ path: String) throws(FileSystemError) {
        _ = try retried("unlink", path) { unlinkFile(path) }
    }

    package func link(_ source: String, to target: String) throws(FileSystemError) {
        do {
            _ = try retried("link", target) { linkFile(source, target) }
        } catch {
            // So says a file system without links, FAT for one.
            guard error.number == EPERM else { throw error }
            throw FileSystemError(number: EXDEV, operation: "link", path: target)
        }
    }

    package func removeDirectory(_ path: String) throws(FileSystemError) {
        _ = try retried("rmdir", path) { rmdir(path) }
    }

    package func makeDirectory(_ path: String) throws(FileSystemError) {
        _ = try retried("mkdir", path) { mkdir(path, 0o700) }
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        guard let directory = opendir(path) else {
            throw FileSystemError(number: errno, operation: "opendir", path: path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            // The end and an error both return null; only errno tells them apart.
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw FileSystemError(number: errno, operation: "readdir", path: path) }
        return names
    }

    package func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = try retried("open", path) { openFile(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        try POSIXFile(descriptor: descriptor, path: path).synchronizeNames()
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus {
        var status = stat()
        _ = try retried("stat", path) { stat(path, &status) }
        return FileStatus(isDirectory: status.st_mode & S_IFMT == S_IFDIR, byteCount: UInt64(clamping: status.st_size))
    }

    package func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 {
        var status = statvfs()
        _ = try retried("statvfs", path) { statvfs(path, &status) }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}

extension OpenMode {
    fileprivate var flags: Int32 {
        switch self {
        case .read: O_RDONLY
        case .update: O_RDWR
        case .createIfMissing: O_RDWR | O_CREAT
        case .createNew: O_RDWR | O_CREAT | O_EXCL
        }
    }
}

#if os(Linux)
    // O_DIRECT of <fcntl.h>, which Swift's Glibc does not have; its number depends on the processor.
    #if arch(arm64) || arch(arm)
        private let directFlag: Int32 = 0o200000
    #else
        private let directFlag: Int32 = 0o40000
    #endif
#endif

/// Calls until no signal interrupts it.
func retried(_ operation: String, _ path: String, _ call: () -> Int32) throws(FileSystemError) -> Int32 {
    while true {
        let result = call()
        if result >= 0 { return result }
        if errno != EINTR { throw FileSystemError(number: errno, operation: operation, path: path) }
    }
}

// The system's functions by names that our methods do not hide.
private func openFile(_ path: String, _ flags: Int32, _ permissions: mode_t) -> Int32 { open(path, flags, permissions) }
private func renameFile(_ source: String, _ target: String) -> Int32 { rename(source, target) }
private func linkFile(_ source: String, _ target: String) -> Int32 { link(source, target) }
private func unlinkFile(_ path: String) -> Int32 { unlink(path) }
