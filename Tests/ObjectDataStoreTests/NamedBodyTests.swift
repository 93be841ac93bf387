import FileSystem
import NIOCore
import ObjectDataStore
import Testing

/// Bodies that another node has named: received, and written again in the place of damaged ones.
@Suite struct NamedBodyTests {
    static let id = BodyID(origin: 3 << 48 | 5, sequence: 9)
    static let content = pseudoRandomBytes(2 * BodyFormat.blockByteCount + 9_000)

    @Test("A body that another node named is stored under its id, with the checksum that it has there")
    func roundTrip() async throws {
        let (id, checksum) = try await StoreFixture.run { fixture in
            let writer = try await fixture.open().makeWriter()
            try await writer.write(Self.content)
            return (try await writer.finish().id, writer.tableChecksum)
        }
        try await StoreFixture.run { fixture in
            let store = try fixture.open(beginning: 77)
            let writer = try await store.makeWriter(for: id)
            try await writer.write(Self.content, chunkByteCount: 1_000_000)
            let body = try await writer.finish(expectingTableChecksum: checksum)
            #expect(body == StoredBody(id: id, length: UInt64(Self.content.count)))
            #expect(writer.tableChecksum == checksum)
            #expect(try await store.readAll(body) == Self.content)
            let reader = try await store.openReader(id: id)
            #expect(reader.body == body)
            #expect(reader.tableChecksum == checksum)
            #expect(try fixture.onlyBodyPath().hasSuffix("/\(id)"))
            #expect(try fixture.temporaryNames() == [])
        }
    }

    @Test("An empty body has a checksum, too")
    func emptyBody() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let writer = try await store.makeWriter(for: Self.id)
            let body = try await writer.finish(expectingTableChecksum: 0)
            #expect(writer.tableChecksum == 0)
            #expect(try await store.openReader(body).tableChecksum == 0)
        }
    }

    @Test("A body whose checksum is not the announced one leaves nothing, and what there was before stays")
    func unexpectedChecksum() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            for isThere in [false, true] {
                if isThere { _ = try await store.store(Self.content, as: Self.id) }
                let writer = try await store.makeWriter(for: Self.id)
                try await writer.write(Array(Self.content.reversed()))
                let found = await damage { _ = try await writer.finish(expectingTableChecksum: 4_711) }
                #expect(found != nil)
                #expect(try fixture.temporaryNames() == [])
                #expect(try await store.contains([Self.id]) == [isThere])
                await #expect(throws: ObjectDataStoreError.self) { _ = try await writer.finish() }
            }
            let body = StoredBody(id: Self.id, length: UInt64(Self.content.count))
            #expect(try await store.readAll(body) == Self.content)
        }
    }

    @Test("A file with a damaged frame is replaced; who had it open goes on with what it had")
    func replacing() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let body = try await store.store(Self.content, as: Self.id)
            let reader = try await store.openReader(body)
            let path = try fixture.onlyBodyPath()
            for byte in [3, Int(BodyFormat.fileByteCount(length: body.length)) - 1] {
                try fixture.disk.flipBit(0, ofByte: byte, in: path)
                #expect(try await store.findsDamage(body, content: Self.content))
                #expect(try await store.store(Self.content, as: Self.id) == body)
                #expect(try await store.readAll(body) == Self.content)
                #expect(try fixture.onlyBodyPath() == path)
            }
            let bytes = try await reader.read(at: 0, maxByteCount: Self.content.count)
            #expect(bytes.readableBytesView.elementsEqual(Self.content))
        }
    }

    @Test("Writers of one body at the same time do not disturb each other, however they end")
    func writersAtOnce() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            var writers: [ObjectDataWriter] = []
            for _ in 0..<4 { writers.append(try await store.makeWriter(for: Self.id)) }
            #expect(Set(try fixture.temporaryNames()).count == 4)
            for start in stride(from: 0, to: Self.content.count, by: 70_000) {
                let piece = ByteBuffer(bytes: Self.content[start..<min(start + 70_000, Self.content.count)])
                for writer in writers { try await writer.write(piece) }
            }
            await writers[0].abort()
            let body = try await writers[1].finish()
            let found = await damage { _ = try await writers[2].finish(expectingTableChecksum: 1) }
            #expect(found != nil)
            #expect(try await store.readAll(body) == Self.content)
            #expect(try await writers[3].finish() == body)
            #expect(try await store.readAll(body) == Self.content)
            #expect(try fixture.temporaryNames() == [])
            #expect(try fixture.bodyPaths().count == 1)
        }
    }

    @Test("Writers of one body that finish at the same time all succeed")
    func finishingAtOnce() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let bodies = try await withThrowingTaskGroup(of: StoredBody.self) { group in
                for _ in 0..<8 { group.addTask { try await store.store(Self.content, as: Self.id) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(bodies == [StoredBody(id: Self.id, length: UInt64(Self.content.count))])
            #expect(try await store.readAll(try #require(bodies.first)) == Self.content)
            #expect(try fixture.temporaryNames() == [])
        }
    }

    /// How many operations it takes to write a body again.
    private func operationCount() async throws -> Int {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            _ = try await store.store(Self.content, as: Self.id)
            let before = fixture.disk.operationCount
            _ = try await store.store(Self.content, as: Self.id)
            return fixture.disk.operationCount - before
        }
    }

    @Test(
        "A failure at any operation of a replacement leaves the old file or the new one, whole",
        arguments: [.failure(.io), .failure(.noSpace), .tornWrite(byteCount: 1_000, .noSpace)] as [FaultyFileSystem.Fault]
    )
    func failureWhileReplacing(fault: FaultyFileSystem.Fault) async throws {
        for operation in 1...(try await operationCount()) {
            try await StoreFixture.run { fixture in
                let store = try fixture.open()
                let body = try await store.store(Self.content, as: Self.id)
                fixture.disk.inject(fault, at: fixture.disk.operationCount + operation)
                await #expect(throws: ObjectDataStoreError.self, "operation \(operation)") {
                    _ = try await store.store(Self.content, as: Self.id)
                }
                #expect(try await store.readAll(body) == Self.content, "operation \(operation)")
                #expect(try await store.contains([Self.id]) == [true])
                #expect(try fixture.temporaryNames() == [], "operation \(operation)")
                fixture.disk.crash(keeping: .nothing)
                #expect(try await fixture.open().readAll(body) == Self.content, "operation \(operation)")
            }
        }
    }

    @Test(
        "A crash at any operation of a replacement leaves the old file or the new one, whole",
        arguments: [.nothing, .everything, .some(seed: 1), .some(seed: 2), .some(seed: 3)] as [FaultyFileSystem.Survival]
    )
    func crashWhileReplacing(survival: FaultyFileSystem.Survival) async throws {
        for operation in 1...(try await operationCount()) {
            try await StoreFixture.run { fixture in
                let store = try fixture.open()
                let body = try await store.store(Self.content, as: Self.id)
                fixture.disk.inject(.halt, at: fixture.disk.operationCount + operation)
                await #expect(throws: ObjectDataStoreError.self, "operation \(operation)") {
                    _ = try await store.store(Self.content, as: Self.id)
                }
                fixture.disk.crash(keeping: survival)
                let next = try fixture.open()
                try next.removeTemporaryFiles()
                #expect(try fixture.temporaryNames() == [])
                #expect(try await next.readAll(body) == Self.content, "operation \(operation)")
            }
        }
    }

    @Test("A body whose name did not become durable is not there")
    func failedPublication() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            // Makes the directories, which are synchronized, too.
            _ = try await store.store(Self.content, as: BodyID(origin: Self.id.origin, sequence: Self.id.sequence + 1))
            fixture.disk.inject(.failure(.io), atNext: "fsync")
            await #expect(throws: ObjectDataStoreError.self) { _ = try await store.store(Self.content, as: Self.id) }
            #expect(try await store.contains([Self.id]) == [false])
            #expect(try fixture.bodyPaths().count == 1)
        }
    }
}
