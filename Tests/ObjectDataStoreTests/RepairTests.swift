import FileSystem
import NIOCore
import ObjectDataStore
import Testing

/// A damaged block that another copy puts right.
@Suite struct RepairTests {
    static let block = BodyFormat.blockByteCount
    static let content = pseudoRandomBytes(3 * block + 1_234)

    /// The content of a block.
    private func content(_ block: Int) -> ByteBuffer {
        ByteBuffer(bytes: Self.content[block * Self.block..<min((block + 1) * Self.block, Self.content.count)])
    }

    private func withBody(
        _ body: (StoreFixture, ObjectDataStore, StoredBody, _ path: String) async throws -> Void
    ) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let stored = try await store.store(Self.content)
            try await body(fixture, store, stored, try fixture.onlyBodyPath())
        }
    }

    @Test("A damaged block is put right, durably and for readers that have the file open", arguments: 0..<4)
    func repair(block: Int) async throws {
        try await withBody { fixture, store, body, path in
            let reader = try await store.openReader(body)
            try fixture.disk.damage(path, at: BodyFormat.headerByteCount + block * Self.block + 10, with: [1, 2, 3, 4, 5])
            let found = await damage { _ = try await reader.read(at: UInt64(block * Self.block), maxByteCount: 1) }
            #expect(found?.block == UInt64(block))
            try await store.repairBlock(body, block: UInt64(block), content: content(block))
            let bytes = try await reader.read(at: 0, maxByteCount: 8 * Self.block)
            #expect(bytes.readableBytesView.elementsEqual(Self.content))
            fixture.disk.crash(keeping: .nothing)
            #expect(try await fixture.open().readAll(body) == Self.content)
        }
    }

    @Test("What is not the block is refused, and changes nothing")
    func wrongContent() async throws {
        try await withBody { fixture, store, body, path in
            let before = try fixture.disk.readFile(path, byteCountMax: 1 << 20)
            var changed = content(1)
            changed.setInteger(UInt8(0x5a) ^ (changed.getInteger(at: 7) ?? 0), at: 7)
            let short = try #require(content(1).getSlice(at: 0, length: Self.block - 1))
            let attempts: [(block: UInt64, content: ByteBuffer)] = [
                (1, content(2)), (1, changed), (1, short), (1, ByteBuffer()), (3, content(2)), (0, content(3)),
                (4, ByteBuffer()), (4, content(3)), (.max, content(0)),
            ]
            for attempt in attempts {
                let found = await damage { try await store.repairBlock(body, block: attempt.block, content: attempt.content) }
                #expect(found?.block == attempt.block)
                #expect(found?.file == path)
            }
            #expect(try fixture.disk.readFile(path, byteCountMax: 1 << 20) == before)
        }
    }

    @Test("A file whose frame is damaged says nothing of its blocks: it is damaged as a whole")
    func damagedFrame() async throws {
        try await withBody { fixture, store, body, path in
            let end = Int(BodyFormat.fileByteCount(length: body.length))
            for byte in [0, 4_095, end - 50, end - 44, end - 1] {
                try fixture.disk.flipBit(1, ofByte: byte, in: path)
                let found = await damage { try await store.repairBlock(body, block: 0, content: content(0)) }
                #expect(found?.file == path && found?.block == nil, "byte \(byte)")
                try fixture.disk.flipBit(1, ofByte: byte, in: path)
            }
            let other = StoredBody(id: body.id, length: body.length - 1)
            let found = await damage { try await store.repairBlock(other, block: 0, content: content(0)) }
            #expect(found?.block == nil)
            try await store.repairBlock(body, block: 0, content: content(0))
        }
    }

    @Test("A body that is not there, and a disk that fails, are told as such")
    func failures() async throws {
        try await withBody { fixture, store, body, path in
            for operation in ["open", "pread", "pwrite", "fdatasync"] {
                fixture.disk.inject(.failure(.io), atNext: operation)
                let error = await #expect(throws: ObjectDataStoreError.self, "\(operation)") {
                    try await store.repairBlock(body, block: 1, content: content(1))
                }
                guard case .failed = error else {
                    Issue.record("\(operation): \(String(describing: error))")
                    continue
                }
            }
            await store.delete([body.id])
            let error = await #expect(throws: ObjectDataStoreError.self) {
                try await store.repairBlock(body, block: 1, content: content(1))
            }
            guard case .missing(body.id) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }
}
