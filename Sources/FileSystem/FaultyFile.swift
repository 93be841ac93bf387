/// A handle on a file in a `FaultyFileSystem`.
///
/// `@unchecked Sendable`: the inode is touched inside the file system's lock only.
final class FaultyFile: File, @unchecked Sendable {
    let path: String
    private let inode: FaultyTree.Inode
    private let generation: Int
    private let isDirect: Bool
    private let fileSystem: FaultyFileSystem

    init(path: String, inode: FaultyTree.Inode, generation: Int, isDirect: Bool, in fileSystem: FaultyFileSystem) {
        self.path = path
        self.inode = inode
        self.generation = generation
        self.isDirect = isDirect
        self.fileSystem = fileSystem
    }

    deinit {
        try? fileSystem.locked { _ in
            if inode.lockHolder?.handle == ObjectIdentifier(self) { inode.lockHolder = nil }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSystemError) {
        if isDirect {
            let place = Int(bitPattern: bytes.baseAddress) | bytes.count | Int(offset)
            precondition(place.isMultiple(of: directAlignment), "a direct write that is not aligned")
        }
        try fileSystem.operateWrite(path, bytes, at: offset) { tree, change, survival throws(FileSystemError) in
            try ensureOpen(tree, "pwrite")
            if isDirect {
                try tree.applyDurably(change, keeping: survival, to: inode, path: path)
            } else {
                try tree.apply(change, to: inode, path: path)
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileSystemError) -> Int {
        try fileSystem.operate("pread", path) { tree throws(FileSystemError) in
            try ensureOpen(tree, "pread")
            guard offset < UInt64(inode.content.count) else { return 0 }
            let bytes = inode.content[Int(offset)...].prefix(buffer.count)
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    func synchronize() throws(FileSystemError) {
        do {
            try fileSystem.operate("fdatasync", path) { tree throws(FileSystemError) in
                try ensureOpen(tree, "fdatasync")
                tree.synchronize(inode)
            }
        } catch {
            // As on Linux: the pages count as clean from here on, so what they held never becomes durable.
            try fileSystem.locked { _ in inode.unsynchronized = [] }
            throw error
        }
    }

    func startWriteback(from offset: UInt64, byteCount: UInt64) {}

    func truncate(to byteCount: UInt64) throws(FileSystemError) {
        try fileSystem.operate("ftruncate", path) { tree throws(FileSystemError) in
            try ensureOpen(tree, "ftruncate")
            try tree.apply(.truncation(Int(byteCount)), to: inode, path: path)
        }
    }

    func byteCount() throws(FileSystemError) -> UInt64 {
        try fileSystem.operate("fstat", path) { tree throws(FileSystemError) in
            try ensureOpen(tree, "fstat")
            return UInt64(inode.content.count)
        }
    }

    func lock() throws(FileSystemError) {
        try fileSystem.operate("flock", path) { tree throws(FileSystemError) in
            try ensureOpen(tree, "flock")
            let own = ObjectIdentifier(self)
            if let holder = inode.lockHolder, holder.generation == tree.generation, holder.handle != own {
                throw FileSystemError(.locked, "flock", path)
            }
            inode.lockHolder = (own, tree.generation)
        }
    }

    private func ensureOpen(_ tree: FaultyTree, _ operation: String) throws(FileSystemError) {
        guard tree.generation == generation else { throw FileSystemError(.io, operation, path) }
    }
}
