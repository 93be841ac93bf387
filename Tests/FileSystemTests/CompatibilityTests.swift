import FileSystem
import Testing

/// What every file system of ours does alike, so that what passes on the one in memory holds on the disk.
@Suite struct CompatibilityTests {
    @Test("Bytes are read where they were written; a gap reads as zeros", arguments: TestedFileSystem.Kind.allCases)
    func readAndWrite(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let file = try tested.fileSystem.open(tested.path("a"), .createNew)
        #expect(try file.byteCount() == 0)
        #expect(try file.bytes(at: 0, count: 10) == [])
        try file.write([1, 2, 3])
        try file.write([7, 8], at: 6)
        try file.write([9], at: 1)
        try file.synchronize()
        file.startWriteback(from: 0, byteCount: 8)
        #expect(try file.byteCount() == 8)
        #expect(try file.bytes(at: 0, count: 100) == [1, 9, 3, 0, 0, 0, 7, 8])
        #expect(try file.bytes(at: 6, count: 1) == [7])
        #expect(try file.bytes(at: 7, count: 5) == [8])
        #expect(try file.bytes(at: 8, count: 5) == [])
        #expect(try file.bytes(at: 1_000, count: 5) == [])
    }

    @Test("Truncation shortens, and lengthens with zeros", arguments: TestedFileSystem.Kind.allCases)
    func truncation(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let file = try tested.fileSystem.open(tested.path("a"), .createNew)
        try file.write([1, 2, 3, 4])
        try file.truncate(to: 2)
        #expect(try file.bytes(at: 0, count: 10) == [1, 2])
        try file.truncate(to: 3)
        #expect(try file.bytes(at: 0, count: 10) == [1, 2, 0])
    }

    @Test("A large write and read is whole", arguments: TestedFileSystem.Kind.allCases)
    func large(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let file = try tested.fileSystem.open(tested.path("a"), .createNew)
        try file.write(bytes, at: 5)
        #expect(try file.bytes(at: 5, count: 4_000_000) == bytes)
        #expect(try tested.fileSystem.readFile(tested.path("a"), byteCountMax: 7) == [0, 0, 0, 0, 0] + bytes.prefix(2))
    }

    @Test("Each way of opening requires and keeps what it says", arguments: TestedFileSystem.Kind.allCases)
    func openModes(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let path = tested.path("a")
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(path, .read) } == .notFound)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(path, .update) } == .notFound)
        try tested.fileSystem.open(path, .createIfMissing).write([1, 2])
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(path, .createNew) } == .exists)
        try tested.fileSystem.open(path, .createIfMissing).write([3])
        try tested.fileSystem.open(path, .update).write([4], at: 1)
        #expect(try tested.fileSystem.open(path, .read).bytes(at: 0, count: 9) == [3, 4])
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(path + "/b", .createNew) } == .notDirectory)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(tested.root, .update) } == .isDirectory)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.open(tested.path("x/y"), .createNew) } == .notFound)
    }

    @Test("Renaming replaces; open handles stay with their file", arguments: TestedFileSystem.Kind.allCases)
    func rename(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let (old, new) = (tested.path("old"), tested.path("new"))
        let replaced = try tested.fileSystem.open(new, .createNew)
        try replaced.write([1])
        try tested.fileSystem.open(old, .createNew).write([2])
        try tested.fileSystem.rename(old, to: new)
        #expect(try tested.fileSystem.open(new, .read).bytes(at: 0, count: 9) == [2])
        #expect(try replaced.bytes(at: 0, count: 9) == [1])
        #expect(try tested.fileSystem.list(tested.root) == ["new"])
        #expect(tested.code { fs throws(FileSystemError) in try fs.rename(old, to: new) } == .notFound)
    }

    @Test("Unlinking takes the name, not the bytes of who has it open", arguments: TestedFileSystem.Kind.allCases)
    func unlink(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let path = tested.path("a")
        let file = try tested.fileSystem.open(path, .createNew)
        try file.write([1])
        try tested.fileSystem.unlink(path)
        #expect(tested.code { fs throws(FileSystemError) in try fs.unlink(path) } == .notFound)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.status(path) } == .notFound)
        #expect(try file.bytes(at: 0, count: 9) == [1])
    }

    @Test("A second name is the same file, and its bytes go with the last one", arguments: TestedFileSystem.Kind.allCases)
    func link(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let (first, second) = (tested.path("a"), tested.path("b"))
        try tested.fileSystem.open(first, .createNew).write([1, 2])
        try tested.fileSystem.link(first, to: second)
        try tested.fileSystem.open(second, .update).write([3])
        #expect(try tested.fileSystem.open(first, .read).bytes(at: 0, count: 9) == [3, 2])
        #expect(tested.code { fs throws(FileSystemError) in try fs.link(first, to: second) } == .exists)
        #expect(tested.code { fs throws(FileSystemError) in try fs.link(tested.path("x"), to: tested.path("y")) } == .notFound)
        try tested.fileSystem.unlink(first)
        #expect(try tested.fileSystem.open(second, .read).bytes(at: 0, count: 9) == [3, 2])
    }

    @Test("Only an empty directory is removed; all of it with what is in it", arguments: TestedFileSystem.Kind.allCases)
    func removal(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let path = tested.path("d")
        try tested.fileSystem.makeDirectories(path + "/e/f")
        for name in ["/1", "/e/2", "/e/f/3"] { try tested.fileSystem.open(path + name, .createNew).write([1]) }
        #expect(tested.code { fs throws(FileSystemError) in try fs.removeDirectory(path) } == .exists)
        #expect(tested.code { fs throws(FileSystemError) in try fs.removeDirectory(path + "/1") } == .notDirectory)
        #expect(tested.code { fs throws(FileSystemError) in try fs.removeDirectory(path + "/x") } == .notFound)
        try tested.fileSystem.removeAll(path + "/e/2")
        #expect(try tested.fileSystem.list(path + "/e") == ["f"])
        try tested.fileSystem.removeAll(path + "/1/x")
        try tested.fileSystem.removeAll(path)
        try tested.fileSystem.removeAll(path)
        #expect(try tested.fileSystem.list(tested.root) == [])
        try tested.fileSystem.makeDirectory(path)
        try tested.fileSystem.removeDirectory(path)
        #expect(try tested.fileSystem.list(tested.root) == [])
    }

    @Test("Directories are made once, listed without dots, and told from files", arguments: TestedFileSystem.Kind.allCases)
    func directories(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        try tested.fileSystem.makeDirectories(tested.path("d/e"))
        try tested.fileSystem.makeDirectories(tested.path("d/e"))
        try tested.fileSystem.open(tested.path("d/f"), .createNew).write([1, 2])
        try tested.fileSystem.synchronizeDirectory(tested.path("d"))
        #expect(try tested.fileSystem.list(tested.path("d")).sorted() == ["e", "f"])
        #expect(try tested.fileSystem.list(tested.path("d/e")) == [])
        #expect(try tested.fileSystem.status(tested.path("d/e")).isDirectory)
        #expect(try tested.fileSystem.status(tested.path("d/f")) == FileStatus(isDirectory: false, byteCount: 2))
        #expect(tested.code { fs throws(FileSystemError) in try fs.makeDirectory(tested.path("d/e")) } == .exists)
        #expect(tested.code { fs throws(FileSystemError) in try fs.makeDirectory(tested.path("d/f")) } == .exists)
        #expect(tested.code { fs throws(FileSystemError) in try fs.makeDirectory(tested.path("x/y")) } == .notFound)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.list(tested.path("x")) } == .notFound)
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.list(tested.path("d/f")) } == .notDirectory)
        #expect(tested.code { fs throws(FileSystemError) in try fs.makeDirectories(tested.path("d/f/g")) } != nil)
        #expect(try tested.fileSystem.availableByteCount(at: tested.root) > 0)
    }

    @Test("Replacing a file leaves the new content and no other file", arguments: TestedFileSystem.Kind.allCases)
    func replacement(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let path = tested.path("a")
        try tested.fileSystem.replaceFile(path, in: tested.root, with: [1, 2, 3])
        // What a crash between writing and renaming leaves is no obstacle.
        try tested.fileSystem.open(path + ".new", .createNew).write([9, 9, 9, 9])
        try tested.fileSystem.replaceFile(path, in: tested.root, with: [4])
        #expect(try tested.fileSystem.readFile(path, byteCountMax: 9) == [4])
        #expect(try tested.fileSystem.list(tested.root) == ["a"])
    }

    @Test("A lock is one handle's, until that is closed", arguments: TestedFileSystem.Kind.allCases)
    func locks(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let path = tested.path("LOCK")
        do {
            let holder = try tested.fileSystem.open(path, .createIfMissing)
            try holder.lock()
            try holder.lock()
            #expect(tested.code { fs throws(FileSystemError) in try fs.open(path, .update).lock() } == .locked)
            withExtendedLifetime(holder) {}
        }
        #expect(tested.code { fs throws(FileSystemError) in try fs.open(path, .update).lock() } == nil)
    }

    @Test("An error says what was tried, on what, and why", arguments: TestedFileSystem.Kind.allCases)
    func message(_ kind: TestedFileSystem.Kind) throws {
        let tested = try TestedFileSystem(kind)
        let error = #expect(throws: FileSystemError.self) { _ = try tested.fileSystem.open(tested.path("a"), .read) }
        #expect(error?.description == "open \(tested.path("a")): No such file or directory")
    }

    @Test("A direct file, where there is one, reads back what was written in whole blocks")
    func directFiles() throws {
        // POSIX: whether there is one depends on the directory's file system.
        let tested = try TestedFileSystem(.posix)
        let path = tested.path("a")
        let file = try tested.fileSystem.open(path, .createNew)
        try file.write([UInt8](repeating: 0, count: 2 * directAlignment))
        try file.synchronize()
        guard let direct = try tested.fileSystem.openDirect(path, .update) else { return }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: directAlignment, alignment: directAlignment)
        defer { block.deallocate() }
        block.initializeMemory(as: UInt8.self, repeating: 5)
        try direct.write(UnsafeRawBufferPointer(block), at: UInt64(directAlignment))
        #expect(try file.bytes(at: UInt64(directAlignment) - 1, count: 3) == [0, 5, 5])
        #expect(tested.code { fs throws(FileSystemError) in _ = try fs.openDirect(tested.path("b"), .read) } == .notFound)
    }
}
