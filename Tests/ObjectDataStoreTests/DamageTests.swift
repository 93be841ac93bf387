import Checksum
import FileSystem
import NIOCore
import ObjectDataStore
import Testing

@Suite struct DamageTests {
    static let block = BodyFormat.blockByteCount
    static let content = pseudoRandomBytes(3 * block + 1_234)

    private func withBody(
        _ body: (StoreFixture, ObjectDataStore, StoredBody, _ path: String) async throws -> Void
    ) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let stored = try await store.store(Self.content)
            try await body(fixture, store, stored, try fixture.onlyBodyPath())
        }
    }

    @Test("A flipped bit in any part of the file is found")
    func flippedBits() async throws {
        try await withBody { fixture, store, body, path in
            let end = Int(BodyFormat.fileByteCount(length: body.length))
            let contentEnd = BodyFormat.headerByteCount + Self.content.count
            var offsets = Array(0..<36) + [100, 4_000] + Array(4_090..<4_100)
            offsets += (0..<3).flatMap { [4_096 + $0 * Self.block, 4_095 + ($0 + 1) * Self.block] }
            offsets += Array(contentEnd - 2..<end)
            for offset in offsets {
                try fixture.disk.flipBit(offset % 8, ofByte: offset, in: path)
                #expect(try await store.findsDamage(body, content: Self.content), "byte \(offset)")
                try fixture.disk.flipBit(offset % 8, ofByte: offset, in: path)
            }
            #expect(try await store.findsDamage(body, content: Self.content) == false)
        }
    }

    @Test("A damaged block is named, and the others are still served")
    func damagedBlock() async throws {
        try await withBody { fixture, store, body, path in
            try fixture.disk.flipBit(0, ofByte: BodyFormat.headerByteCount + Self.block + 50, in: path)
            let reader = try await store.openReader(body)
            let error = await #expect(throws: ObjectDataStoreError.self) {
                _ = try await reader.read(at: UInt64(2 * Self.block - 1), maxByteCount: 1)
            }
            guard case .damaged(path, 1, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let first = try await reader.read(at: 0, maxByteCount: Self.block)
            #expect(first.readableBytesView.elementsEqual(Self.content[..<Self.block]))
            let last = try await reader.read(at: UInt64(2 * Self.block), maxByteCount: 2 * Self.block)
            #expect(last.readableBytesView.elementsEqual(Self.content[(2 * Self.block)...]))
        }
    }

    @Test("Whichever block is damaged, a read across all of them names it, and those behind it are read", arguments: 0..<4)
    func eachBlock(block: Int) async throws {
        try await withBody { fixture, store, body, path in
            try fixture.disk.flipBit(5, ofByte: BodyFormat.headerByteCount + block * Self.block + 1_000, in: path)
            let reader = try await store.openReader(id: body.id)
            let found = await damage { _ = try await reader.read(at: 0, maxByteCount: 4 * Self.block) }
            #expect(found?.block == UInt64(block))
            #expect(found?.file == path)
            for other in 0..<4 where other != block {
                let bytes = try await reader.read(at: UInt64(other * Self.block), maxByteCount: Self.block)
                let start = other * Self.block
                #expect(
                    bytes.readableBytesView.elementsEqual(Self.content[start..<min(start + Self.block, Self.content.count)]))
            }
        }
    }

    @Test("A reader that does not know the length takes it from the trailer, and finds as much damage")
    func unknownLength() async throws {
        try await withBody { fixture, store, body, path in
            #expect(try await store.openReader(id: body.id).body == body)
            let end = Int(BodyFormat.fileByteCount(length: body.length))
            for offset in Array(0..<36) + Array(end - BodyFormat.trailerByteCount - 16..<end) {
                try fixture.disk.flipBit(offset % 8, ofByte: offset, in: path)
                let found = await damage { _ = try await store.openReader(id: body.id) }
                #expect(found?.file == path && found?.block == nil, "byte \(offset)")
                try fixture.disk.flipBit(offset % 8, ofByte: offset, in: path)
            }
            for byteCount in [end - 1, end - 44, 5_000, 4_140, 4_096, 44, 43, 1, 0] {
                try fixture.disk.open(path, .update).truncate(to: UInt64(byteCount))
                let found = await damage { _ = try await store.openReader(id: body.id) }
                #expect(found?.file == path && found?.block == nil, "\(byteCount) bytes")
            }
            await store.delete([body.id])
            let error = await #expect(throws: ObjectDataStoreError.self) { _ = try await store.openReader(id: body.id) }
            guard case .missing(body.id) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("A whole trailer in a file of another length is damage, also if it says more than any body has")
    func absurdTrailer() async throws {
        try await withBody { fixture, store, body, path in
            let file = try fixture.disk.open(path, .update)
            let end = try file.byteCount()
            for length in [0, 1, 1 << 49, 1 << 50 + 1, .max] as [UInt64] {
                var trailer = try file.readBytes(at: end - 44, byteCount: 44)
                for byte in 0..<8 { trailer[24 + byte] = UInt8(truncatingIfNeeded: length >> UInt64(8 * byte)) }
                let checksum = trailer[..<40].withUnsafeBytes { CRC32C.checksum($0) }
                for byte in 0..<4 { trailer[40 + byte] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * byte)) }
                try file.write(trailer, at: end - 44)
                let found = await damage { _ = try await store.openReader(id: body.id) }
                #expect(found?.file == path, "\(length)")
            }
        }
    }

    @Test("A file of another size is damaged", arguments: [0, 100, 4_096, 5_000, -1, 1])
    func truncated(byteCount: Int) async throws {
        try await withBody { fixture, store, body, path in
            let whole = Int(BodyFormat.fileByteCount(length: body.length))
            // One less and one more than the whole; else a size as it is.
            let size = abs(byteCount) == 1 ? whole + byteCount : byteCount
            try fixture.disk.open(path, .update).truncate(to: UInt64(size))
            let isDamaged = try await store.findsDamage(body, content: Self.content)
            #expect(isDamaged)
        }
    }

    @Test(
        "A length that the metadata does not share is damage, however absurd",
        arguments: [0, 1, 131_072, 1 << 40, .max] as [UInt64])
    func otherLength(length: UInt64) async throws {
        try await withBody { fixture, store, body, path in
            let other = StoredBody(id: body.id, length: length)
            let isDamaged = try await store.findsDamage(other, content: Self.content)
            #expect(isDamaged)
        }
    }

    @Test("Two blocks that changed places are both damaged")
    func misplacedBlocks() async throws {
        try await withBody { fixture, store, body, path in
            let file = try fixture.disk.open(path, .update)
            try file.write(Array(Self.content[Self.block..<2 * Self.block]), at: UInt64(BodyFormat.headerByteCount))
            try file.write(Array(Self.content[..<Self.block]), at: UInt64(BodyFormat.headerByteCount + Self.block))
            let reader = try await store.openReader(body)
            for block in 0..<2 {
                await #expect(throws: ObjectDataStoreError.self, "block \(block)") {
                    _ = try await reader.read(at: UInt64(block * Self.block), maxByteCount: 10)
                }
            }
        }
    }

    @Test("Another body's file under this body's name is damage, also if the lengths agree")
    func otherBodysFile() async throws {
        try await withBody { fixture, store, body, path in
            let other = try await store.store(Array(Self.content.reversed()))
            let otherPath = try #require(try fixture.bodyPaths().first { $0.hasSuffix(other.id.description) })
            try fixture.disk.rename(otherPath, to: path)
            let isDamaged = try await store.findsDamage(body, content: Self.content)
            #expect(isDamaged)
        }
    }

    @Test("A disk that cannot read is a failure, not damage and not absence")
    func failingRead() async throws {
        try await withBody { fixture, store, body, _ in
            let reader = try await store.openReader(body)
            fixture.disk.inject(.failure(.io), at: fixture.disk.operationCount + 1)
            let error = await #expect(throws: ObjectDataStoreError.self) { _ = try await reader.read(at: 0, maxByteCount: 1) }
            guard case .failed = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try await reader.read(at: 0, maxByteCount: 1).readableBytes == 1)
        }
    }
}
