import Glibc

/// What the store itself checks of its directory, where RocksDB would not notice or would not care.
enum RocksDBDirectory {
    static func exists(at path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Makes the directory of a new store. RocksDB would do so itself, after complaining that it is not there; and it says better why it
    /// cannot be made.
    static func make(_ path: String) {
        mkdir(path, 0o755)
    }

    /// RocksDB takes a directory without the file CURRENT for a new one and would bury the store that is there.
    /// - Throws: `.corruption` when data files are there without CURRENT.
    static func refuseOrphanedFiles(at path: String) throws(KeyValueStoreError) {
        let names = entries(of: path)
        guard !names.contains("CURRENT") else { return }
        // A crash while the store is first created leaves no more than these two.
        let orphan = names.sorted().first { name in
            name.hasSuffix(".sst") || name.hasSuffix(".blob") || name.hasSuffix(".log")
                || (name.hasPrefix("MANIFEST-") && name != "MANIFEST-000001")
        }
        guard let orphan else { return }
        throw KeyValueStoreError(.corruption, "\(path)/CURRENT is missing though \(path)/\(orphan) is there")
    }

    /// Refuses what RocksDB would open with records missing or die of.
    /// - Throws: `.corruption`, naming the file.
    static func check(_ path: String) throws(KeyValueStoreError) {
        try refuseOrphanedFiles(at: path)
        for name in entries(of: path).sorted() {
            let file = path + "/" + name
            if name.hasSuffix(".log") || name.hasPrefix("MANIFEST-") {
                guard let offset = RocksDBLogFile(path: file)?.offsetOfDamagedLength() else { continue }
                throw KeyValueStoreError(.corruption, "\(file) is damaged: the length of the record at offset \(offset)")
            }
            if name.hasSuffix(".sst") { try RocksDBTableFile.checkFooter(of: file) }
        }
    }

    /// Where the damage is that a message of RocksDB reports without naming a file.
    static func placeOfDamage(in path: String, message: String) -> String? {
        let names = entries(of: path).sorted()
        if message.contains("blob") || message.contains("Blob") {
            // Which one could be told by reading all of them only, and they may hold gigabytes.
            let blobs = names.filter { $0.hasSuffix(".blob") }
            let more = blobs.count > 8 ? " or \(blobs.count - 8) more" : ""
            return blobs.isEmpty ? nil : blobs.prefix(8).map { "\(path)/\($0)" }.joined(separator: " or ") + more
        }
        for name in names where name.hasSuffix(".log") || name.hasPrefix("MANIFEST-") {
            if let offset = RocksDBLogFile.offsetOfDamage(in: "\(path)/\(name)") {
                return "\(path)/\(name) at offset \(offset)"
            }
        }
        return message.contains("CURRENT") ? "\(path)/CURRENT" : nil
    }

    static func size(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// - Returns: `nil` when the file does not have these bytes or cannot be read.
    static func read(_ path: String, at offset: Int, count: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var done = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while done < count {
                let part = pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
                if part < 0 && errno == EINTR { continue }
                if part <= 0 { break }
                done += part
            }
            initialized = done
        }
        return done == count ? bytes : nil
    }

    /// The names in a directory; empty when it cannot be read, which opening the store will report better.
    static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
                start.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes the entry of `path` in its parent durable: RocksDB syncs its own directory, not the one above.
    static func syncParent(of path: String) throws(KeyValueStoreError) {
        let descriptor = open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open the parent of \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync the parent of \(path)") }
    }

    private static func failure(_ what: String) -> KeyValueStoreError {
        let code = errno
        return KeyValueStoreError(.ioError, "cannot \(what): \(String(cString: strerror(code)))")
    }
}
