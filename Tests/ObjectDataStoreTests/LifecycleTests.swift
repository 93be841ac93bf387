import FileSystem
import Logging
import NIOCore
import ObjectDataStore
import Testing

@Suite struct LifecycleTests {
    @Test("Ids print and parse, and nothing else parses")
    func ids() {
        let id = BodyID(origin: 0x0007_0000_0000_0003, sequence: 0xab)
        #expect(id.description == "000700000000000300000000000000ab")
        #expect(BodyID(id.description) == id)
        for text in ["", "0007", id.description + "0", id.description.uppercased(), "g" + id.description.dropFirst()] {
            #expect(BodyID(text) == nil, "\(text)")
        }
    }

    @Test("Each start has its own origin, with the node in the upper bits")
    func starts() async throws {
        try await StoreFixture.run { fixture in
            for start in 1...3 as ClosedRange<UInt64> {
                let store = try fixture.open()
                #expect(store.origin == 7 << 48 | start)
                #expect(try await store.store([1]).id == BodyID(origin: store.origin, sequence: 0))
                #expect(try await store.store([1]).id == BodyID(origin: store.origin, sequence: 1))
            }
        }
    }

    @Test("A new store begins where it is told, and goes on from there", arguments: [0, 1, 0xdead_beef, .max] as [UInt32])
    func beginning(beginning: UInt32) async throws {
        try await StoreFixture.run { fixture in
            for start in 1...3 as ClosedRange<UInt64> {
                let store = try fixture.open(beginning: start == 1 ? beginning : 17)
                #expect(store.origin == 7 << 48 | UInt64(beginning) << 16 | start)
            }
        }
    }

    @Test("Untold it begins anywhere, so that a wiped directory does not give the ids of its former bodies again")
    func randomBeginning() async throws {
        var origins: Set<UInt64> = []
        for _ in 0..<4 {
            origins.insert(
                try await StoreFixture.run { fixture in
                    try ObjectDataStore(
                        root: StoreFixture.root, fileSystem: fixture.disk, node: 7, threads: fixture.threads,
                        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                    ).origin
                })
        }
        #expect(origins.count == 4)
        #expect(origins.allSatisfy { $0 >> 48 == 7 && $0 & 0xffff == 1 })
    }

    @Test("A start counter that is damaged, or lost while there are bodies, is refused")
    func startCounter() async throws {
        try await StoreFixture.run { fixture in
            _ = try fixture.open()
            let path = StoreFixture.root + "/START"
            for byte in 0..<StartCounter.byteCount {
                try fixture.disk.flipBit(3, ofByte: byte, in: path)
                #expect(throws: ObjectDataStoreError.self, "byte \(byte)") { _ = try fixture.open() }
                try fixture.disk.flipBit(3, ofByte: byte, in: path)
            }
            #expect(try fixture.open().origin == 7 << 48 | 2)
            try fixture.disk.unlink(path)
            let error = #expect(throws: ObjectDataStoreError.self) { _ = try fixture.open() }
            guard case .damaged(path, nil, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("An aborted writer leaves nothing, may be aborted again, and refuses more")
    func abort() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let writer = try await store.makeWriter()
            try await writer.write(ByteBuffer(bytes: pseudoRandomBytes(700_000)))
            await writer.abort()
            await writer.abort()
            #expect(try fixture.temporaryNames() == [])
            await #expect(throws: ObjectDataStoreError.self) { try await writer.write(ByteBuffer(bytes: [1])) }
            await #expect(throws: ObjectDataStoreError.self) { _ = try await writer.finish() }
            #expect(try fixture.bodyPaths() == [])
        }
    }

    @Test("Aborting a finished writer does not take its body")
    func abortAfterFinish() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let writer = try await store.makeWriter()
            try await writer.write(ByteBuffer(bytes: [1, 2, 3]))
            let body = try await writer.finish()
            await writer.abort()
            #expect(try await store.readAll(body) == [1, 2, 3])
        }
    }

    @Test("A writer that is dropped removes its temporary file", .timeLimit(.minutes(1)))
    func droppedWriter() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            do {
                let writer = try await store.makeWriter()
                try await writer.write(ByteBuffer(bytes: [1, 2, 3]))
                #expect(try fixture.temporaryNames().count == 1)
            }
            while try !fixture.temporaryNames().isEmpty { await Task.yield() }
        }
    }

    @Test("Without descriptors, writing and reading fail as something to try again")
    func tooManyOpenFiles() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let body = try await store.store([1])
            let calls: [@Sendable () async throws -> Void] = [
                { await (try await store.makeWriter()).abort() }, { _ = try await store.openReader(body) },
            ]
            for call in calls {
                fixture.disk.inject(.failure(.tooManyOpenFiles), at: fixture.disk.operationCount + 1)
                let error = await #expect(throws: ObjectDataStoreError.self) { try await call() }
                guard case .tooManyOpenFiles = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                try await call()
            }
            #expect(try fixture.temporaryNames() == [])
        }
    }

    @Test("A closed store refuses, and an upload under way ends without a trace")
    func close() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let writer = try await store.makeWriter()
            try await writer.write(ByteBuffer(bytes: [1]))
            store.close()
            await #expect(throws: ObjectDataStoreError.self) { _ = try await writer.finish() }
            await #expect(throws: ObjectDataStoreError.self) { _ = try await store.makeWriter() }
            #expect(try fixture.temporaryNames() == [])
            #expect(try fixture.bodyPaths() == [])
        }
    }
}
