import FileSystem
import NIOCore
import ObjectDataStore
import Testing

/// The design's promise about bodies: a finished one survives, anything else is never read as one. Tried at each operation.
@Suite struct CrashTests {
    static let content = pseudoRandomBytes(2 * BodyFormat.blockByteCount + 9_000)

    /// How many operations a write takes after the store was opened.
    private func operationCount() async throws -> Int {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let before = fixture.disk.operationCount
            _ = try await store.store(Self.content)
            return fixture.disk.operationCount - before
        }
    }

    @Test(
        "A crash at any operation of a write leaves no body that is not whole, and the next start's sweep leaves nothing",
        arguments: [.nothing, .everything, .some(seed: 1), .some(seed: 2), .some(seed: 3)] as [FaultyFileSystem.Survival]
    )
    func crashAtEachOperation(survival: FaultyFileSystem.Survival) async throws {
        let count = try await operationCount()
        #expect(count >= 10)
        for operation in 1...count {
            try await StoreFixture.run { fixture in
                let store = try fixture.open()
                fixture.disk.inject(.halt, at: fixture.disk.operationCount + operation)
                await #expect(throws: ObjectDataStoreError.self, "operation \(operation)") {
                    _ = try await store.store(Self.content)
                }
                fixture.disk.crash(keeping: survival)

                let next = try fixture.open()
                #expect(next.origin != store.origin)
                for path in try fixture.bodyPaths() {
                    let id = try #require(BodyID(String(path.suffix(32))))
                    let body = StoredBody(id: id, length: UInt64(Self.content.count))
                    #expect(try await next.readAll(body) == Self.content, "operation \(operation)")
                }
                _ = try await next.sweep { ids in ids.map { _ in false } }
                #expect(try fixture.bodyPaths() == [], "operation \(operation)")
                #expect(try fixture.temporaryNames() == [], "operation \(operation)")
                let body = try await next.store(Self.content)
                #expect(try await next.readAll(body) == Self.content)
            }
        }
    }

    @Test("A finished body survives a crash that keeps nothing else")
    func finishedBodySurvives() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let first = try await store.store(Self.content)
            let second = try await store.store(Array(Self.content.reversed()))
            fixture.disk.crash(keeping: .nothing)
            let next = try fixture.open()
            let report = try await next.sweep { ids in ids.map { _ in true } }
            #expect(report.examinedCount == 2)
            #expect(report.deletedCount == 0)
            #expect(try await next.readAll(first) == Self.content)
            #expect(try await next.readAll(second) == Self.content.reversed())
        }
    }

    @Test(
        "An operation that fails fails the body, leaves no file, and the store goes on",
        arguments: [.failure(.io), .failure(.noSpace), .tornWrite(byteCount: 1_000, .noSpace)] as [FaultyFileSystem.Fault]
    )
    func failureOfEachOperation(fault: FaultyFileSystem.Fault) async throws {
        for operation in 1...(try await operationCount()) {
            try await StoreFixture.run { fixture in
                let store = try fixture.open()
                fixture.disk.inject(fault, at: fixture.disk.operationCount + operation)
                await #expect(throws: ObjectDataStoreError.self, "operation \(operation)") {
                    _ = try await store.store(Self.content)
                }
                #expect(try fixture.bodyPaths() == [], "operation \(operation)")
                #expect(try fixture.temporaryNames() == [], "operation \(operation)")
                let body = try await store.store(Self.content)
                #expect(try await store.readAll(body) == Self.content, "operation \(operation)")
            }
        }
    }

    @Test("A disk that fills says so, and the temporary file is gone")
    func fullDisk() async throws {
        try await StoreFixture.run(availableByteCount: 300_000) { fixture in
            let store = try fixture.open()
            let error = await #expect(throws: ObjectDataStoreError.self) {
                _ = try await store.store(pseudoRandomBytes(2_000_000))
            }
            guard case .noSpace = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try fixture.temporaryNames() == [])
        }
    }

    @Test("A crash at any operation of opening leaves a store that opens, and a count that was not given before")
    func crashWhileOpening() async throws {
        let count = try await StoreFixture.run { fixture in
            _ = try fixture.open()
            return fixture.disk.operationCount
        }
        for operation in 1...count {
            for survival in [.nothing, .everything, .some(seed: 5)] as [FaultyFileSystem.Survival] {
                try await StoreFixture.run { fixture in
                    fixture.disk.inject(.halt, at: operation)
                    #expect(throws: ObjectDataStoreError.self, "operation \(operation)") { _ = try fixture.open() }
                    fixture.disk.crash(keeping: survival)
                    let first = try fixture.open()
                    fixture.disk.crash(keeping: .nothing)
                    #expect(try fixture.open().origin == first.origin + 1)
                }
            }
        }
    }
}
