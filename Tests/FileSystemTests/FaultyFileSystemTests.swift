import FileSystem
import Testing

@Suite struct FaultyFileSystemTests {
    private let disk = FaultyFileSystem()

    @Test("A crash takes back bytes and names that were not synchronized")
    func crashLosesUnsynchronized() throws {
        let file = try disk.open("/a", .createNew)
        try file.write([1, 2])
        try file.synchronize()
        try disk.synchronizeDirectory("/")
        try file.write([9], at: 1)
        try disk.open("/b", .createNew).synchronize()
        disk.crash()
        #expect(try disk.list("/") == ["a"])
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1, 2])
        #expect(throws: FileSystemError.self) { try file.write([1]) }
    }

    @Test("A synchronized file without a synchronized name is gone; an unlinked name that was not synchronized is back")
    func crashKeepsOldNames() throws {
        try disk.open("/a", .createNew).write([1])
        try disk.open("/a", .update).synchronize()
        try disk.synchronizeDirectory("/")
        try disk.rename("/a", to: "/b")
        try disk.unlink("/b")
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1])
        #expect(try disk.list("/") == ["a"])
    }

    @Test("A crash that keeps everything keeps everything")
    func crashKeepsEverything() throws {
        try disk.makeDirectory("/d")
        let file = try disk.open("/d/a", .createNew)
        try file.write([1, 2, 3])
        try file.truncate(to: 2)
        disk.crash(keeping: .everything)
        #expect(try disk.readFile("/d/a", byteCountMax: 9) == [1, 2])
    }

    @Test("A crash that keeps some tears a write between sectors, the same way for the same seed")
    func crashTearsWrites() throws {
        func outcome(seed: UInt64) throws -> [UInt8] {
            let disk = FaultyFileSystem()
            let file = try disk.open("/a", .createNew)
            try file.write([UInt8](repeating: 1, count: 16 * 512))
            try file.synchronize()
            try disk.synchronizeDirectory("/")
            try file.write([UInt8](repeating: 2, count: 16 * 512))
            disk.crash(keeping: .some(seed: seed))
            return try disk.readFile("/a", byteCountMax: 1 << 20)
        }
        let bytes = try outcome(seed: 3)
        let sectors = stride(from: 0, to: bytes.count, by: 512).map { Set(bytes[$0..<$0 + 512]) }
        #expect(sectors.allSatisfy { $0 == [1] || $0 == [2] })
        #expect(Set(sectors).count == 2)
        #expect(try outcome(seed: 3) == bytes)
        #expect(try outcome(seed: 4) != bytes)
    }

    @Test("A fault strikes the operation of its number, once, and changes nothing")
    func failure() throws {
        let file = try disk.open("/a", .createNew)
        try file.write([1])
        disk.inject(.failure(.noSpace), at: disk.operationCount + 1)
        let error = #expect(throws: FileSystemError.self) { try file.write([2]) }
        #expect(error?.code == .noSpace)
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1])
        try file.write([2])
        #expect(try disk.readFile("/a", byteCountMax: 9) == [2])
    }

    @Test("A torn write leaves its first bytes")
    func tornWrite() throws {
        let file = try disk.open("/a", .createNew)
        disk.inject(.tornWrite(byteCount: 2, .io), at: disk.operationCount + 1)
        #expect(throws: FileSystemError.self) { try file.write([1, 2, 3, 4]) }
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1, 2])
    }

    @Test("A halted machine does nothing until it starts again")
    func halt() throws {
        disk.inject(.halt, at: 2)
        _ = try disk.open("/a", .createNew)
        for _ in 0..<3 { #expect(throws: FileSystemError.self) { try disk.makeDirectory("/d") } }
        disk.crash(keeping: .everything)
        try disk.makeDirectory("/d")
        #expect(try disk.list("/").sorted() == ["a", "d"])
    }

    @Test("What a failed synchronization covered never becomes durable, also if a second one succeeds")
    func failedSynchronization() throws {
        let file = try disk.open("/a", .createNew)
        try disk.synchronizeDirectory("/")
        try file.write([1])
        disk.inject(.failure(.io), at: disk.operationCount + 1)
        #expect(throws: FileSystemError.self) { try file.synchronize() }
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1])
        try file.synchronize()
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 9) == [])
    }

    @Test("A full disk refuses growth, not overwriting")
    func space() throws {
        let disk = FaultyFileSystem(availableByteCount: 4)
        let file = try disk.open("/a", .createNew)
        try file.write([1, 2, 3])
        #expect(try disk.availableByteCount(at: "/") == 1)
        #expect(throws: FileSystemError.self) { try file.write([4, 5], at: 3) }
        try file.write([9, 9, 9])
        #expect(try disk.readFile("/a", byteCountMax: 9) == [9, 9, 9])
    }

    @Test("A flipped bit stays flipped after a crash")
    func rot() throws {
        let file = try disk.open("/a", .createNew)
        try file.write([0, 0])
        try file.synchronize()
        try disk.synchronizeDirectory("/")
        try disk.flipBit(4, ofByte: 1, in: "/a")
        #expect(try disk.readFile("/a", byteCountMax: 9) == [0, 16])
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 9) == [0, 16])
    }

    /// One aligned block of a byte.
    private func block(_ byte: UInt8) -> UnsafeMutableRawBufferPointer {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: directAlignment, alignment: directAlignment)
        block.initializeMemory(as: UInt8.self, repeating: byte)
        return block
    }

    /// A disk with a file of two blocks of zeros, and a direct handle on it.
    private func directFile() throws -> (FaultyFileSystem, any File) {
        let disk = FaultyFileSystem(hasDirectFiles: true)
        let file = try disk.open("/a", .createNew)
        try file.write([UInt8](repeating: 0, count: 2 * directAlignment))
        try file.synchronize()
        try disk.synchronizeDirectory("/")
        return (disk, try #require(try disk.openDirect("/a", .update)))
    }

    @Test("A direct write survives a crash without a synchronization")
    func directWrite() throws {
        let (disk, file) = try directFile()
        let block = block(7)
        defer { block.deallocate() }
        try file.write(UnsafeRawBufferPointer(block), at: UInt64(directAlignment))
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 1 << 20).suffix(directAlignment).allSatisfy { $0 == 7 })
    }

    @Test("A machine that halts during a direct write leaves some of its sectors, the same ones for the same seed")
    func haltDuringDirectWrite() throws {
        func outcome(seed: UInt64) throws -> [UInt8] {
            let (disk, file) = try directFile()
            let block = block(7)
            defer { block.deallocate() }
            disk.inject(.haltDuringWrite(.some(seed: seed)), atNext: "pwrite")
            #expect(throws: FileSystemError.self) { try file.write(UnsafeRawBufferPointer(block), at: 0) }
            #expect(throws: FileSystemError.self) { try file.synchronize() }
            disk.crash()
            return try disk.readFile("/a", byteCountMax: 1 << 20)
        }
        let bytes = try outcome(seed: 5)
        let sectors = stride(from: 0, to: directAlignment, by: 512).map { Set(bytes[$0..<$0 + 512]) }
        #expect(Set(sectors) == [[0], [7]])
        #expect(try outcome(seed: 5) == bytes)
    }

    @Test("Lost and misdirected writes say that they were done")
    func lyingWrites() throws {
        let file = try disk.open("/a", .createNew)
        try file.write([1, 2, 3, 4])
        disk.inject(.lostWrite, atNext: "pwrite")
        try file.write([9])
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1, 2, 3, 4])
        disk.inject(.misdirectedWrite(to: 2), atNext: "pwrite")
        try file.write([8])
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1, 2, 8, 4])
    }

    @Test("Faults for a named operation strike one after the other, and no other operation")
    func namedFaults() throws {
        let file = try disk.open("/a", .createNew)
        disk.inject(.failure(.io), atNext: "fdatasync")
        disk.inject(.failure(.noSpace), atNext: "fdatasync")
        try file.write([1])
        #expect(throws: FileSystemError.self) { try file.synchronize() }
        let second = #expect(throws: FileSystemError.self) { try file.synchronize() }
        #expect(second?.code == .noSpace)
        try file.synchronize()
    }

    @Test("A killed process loses its handles and locks; what it wrote stays, and may still be lost")
    func kill() throws {
        let file = try disk.open("/a", .createNew)
        try file.lock()
        try disk.synchronizeDirectory("/")
        try file.write([1])
        disk.kill()
        #expect(throws: FileSystemError.self) { try file.write([2]) }
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1])
        try disk.open("/a", .update).lock()
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 9) == [])
    }

    @Test("Space that others take is missed, and space that they give can be used")
    func changingSpace() throws {
        let file = try disk.open("/a", .createNew)
        disk.setAvailableByteCount(1)
        #expect(throws: FileSystemError.self) { try file.write([1, 2]) }
        disk.setAvailableByteCount(2)
        try file.write([1, 2])
    }

    @Test("Damage changes what is stored, inside the file only")
    func damage() throws {
        let file = try disk.open("/a", .createNew)
        try file.write([1, 2, 3])
        try file.synchronize()
        try disk.synchronizeDirectory("/")
        try disk.damage("/a", at: 1, with: [8, 9, 10])
        disk.crash()
        #expect(try disk.readFile("/a", byteCountMax: 9) == [1, 8, 9])
    }
}
