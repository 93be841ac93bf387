import FileSystem
import NIOCore
import ObjectDataStore
import Synchronization
import Testing

@Suite struct SweepTests {
    @Test("A sweep deletes what earlier starts left unreferenced, and only that")
    func sweep() async throws {
        try await StoreFixture.run { fixture in
            let earlier = try fixture.open()
            let kept = try await earlier.store([1, 2, 3])
            let lost = try await earlier.store([4, 5, 6, 7])
            let abandoned = try await earlier.makeWriter()
            try await abandoned.write(ByteBuffer(bytes: [8]))

            let store = try fixture.open()
            let own = try await store.store([9])
            let ownWriter = try await store.makeWriter()
            let root = StoreFixture.root
            let directory = try #require(try fixture.bodyPaths().first { $0.hasSuffix(kept.id.description) }).dropLast(33)
            for foreign in ["\(root)/notes.txt", "\(root)/tmp/x", "\(directory)/README", "\(directory)/\(own.id)"] {
                _ = try fixture.disk.open(foreign, .createNew)
            }
            let report = try await store.sweep { ids in ids.map { $0 == kept.id } }

            #expect(report.examinedCount == 3)
            #expect(report.deletedCount == 2)
            // Of the abandoned body, the header only was on the disk.
            #expect(report.deletedByteCount == BodyFormat.fileByteCount(length: 4) + UInt64(BodyFormat.headerByteCount))
            #expect(
                Set(report.foreignNames)
                    == ["\(root)/notes.txt", "\(root)/tmp/x", "\(directory)/README", "\(directory)/\(own.id)"])
            #expect(report.foreignNameCount == 4)
            #expect(try await store.readAll(kept) == [1, 2, 3])
            #expect(try await store.readAll(own) == [9])
            await #expect(throws: ObjectDataStoreError.self) { _ = try await store.openReader(lost) }
            _ = try await ownWriter.finish()
            await abandoned.abort()
            #expect(try fixture.temporaryNames() == ["x"])
        }
    }

    @Test("A temporary file belongs to the start that writes it, whoever named the body")
    func temporaryFiles() async throws {
        try await StoreFixture.run { fixture in
            let root = StoreFixture.root
            let foreign = BodyID(origin: 3 << 48 | 5, sequence: 9)
            let earlier = try fixture.open()
            let abandoned = [try await earlier.makeWriter(), try await earlier.makeWriter(for: foreign)]
            // As programs did that wrote no bodies of others.
            _ = try fixture.disk.open("\(root)/tmp/\(BodyID(origin: earlier.origin, sequence: 4))", .createNew)

            let store = try fixture.open()
            let writers = [try await store.makeWriter(), try await store.makeWriter(for: foreign)]
            let report = try await store.sweep { ids in ids.map { _ in false } }
            #expect(report.examinedCount == 3)
            #expect(report.deletedCount == 3)
            await store.delete([foreign])
            #expect(try fixture.temporaryNames().count == 2)
            for writer in writers { _ = try await writer.finish() }
            for writer in abandoned { await writer.abort() }
            #expect(try await store.contains([foreign]) == [true])
        }
    }

    @Test("All temporary files can be removed, whoever began them, and nothing else is")
    func removeTemporaryFiles() async throws {
        try await StoreFixture.run { fixture in
            let root = StoreFixture.root
            let foreign = BodyID(origin: 3 << 48 | 5, sequence: 9)
            let store = try fixture.open()
            let body = try await store.store([1, 2])
            let writers = [try await store.makeWriter(), try await store.makeWriter(for: foreign)]
            _ = try fixture.disk.open("\(root)/tmp/\(foreign)", .createNew)
            for name in ["x", "\(foreign).x", "\(foreign).\(foreign).x", "\(foreign)."] {
                _ = try fixture.disk.open("\(root)/tmp/\(name)", .createNew)
            }
            #expect(try store.removeTemporaryFiles() == 3)
            #expect(try fixture.temporaryNames().count == 4)
            #expect(try store.removeTemporaryFiles() == 0)
            #expect(try await store.readAll(body) == [1, 2])
            for writer in writers { await writer.abort() }
        }
    }

    @Test("A sweep asks about a bounded number of bodies at once, and about each once")
    func batches() async throws {
        try await StoreFixture.run { fixture in
            let earlier = try fixture.open()
            var ids: Set<BodyID> = []
            for _ in 0..<2_100 { ids.insert(try await earlier.store([]).id) }
            let store = try fixture.open()
            let asked = Mutex<[[BodyID]]>([])
            let report = try await store.sweep { batch in
                asked.withLock { $0.append(batch) }
                return batch.map { $0.sequence % 2 == 0 }
            }
            let batches = asked.withLock { $0 }
            #expect(batches.allSatisfy { $0.count <= ObjectDataStore.sweepBatchCount })
            #expect(batches.joined().count == 2_100)
            #expect(Set(batches.joined()) == ids)
            #expect(report.examinedCount == 2_100)
            #expect(report.deletedCount == 1_050)
            #expect(try fixture.bodyPaths().count == 1_050)
        }
    }

    @Test("When it cannot be known what is referenced, nothing is deleted")
    func unknown() async throws {
        struct Unknown: Error {}
        try await StoreFixture.run { fixture in
            let body = try await fixture.open().store([1])
            let store = try fixture.open()
            await #expect(throws: Unknown.self) { _ = try await store.sweep { _ in throw Unknown() } }
            #expect(try await store.readAll(body) == [1])
        }
    }

    @Test("A file that cannot be deleted is not counted, and does not stop the sweep")
    func undeletable() async throws {
        try await StoreFixture.run { fixture in
            let earlier = try fixture.open()
            for _ in 0..<3 { _ = try await earlier.store([1]) }
            let store = try fixture.open()
            let report = try await store.sweep { ids in
                // The next operations are a stat and an unlink for each.
                fixture.disk.inject(.failure(.permission), at: fixture.disk.operationCount + 2)
                return ids.map { _ in false }
            }
            #expect(report.examinedCount == 3)
            #expect(report.deletedCount == 2)
            #expect(try fixture.bodyPaths().count == 1)
        }
    }
}
