import KeyValueStore
import Logging
import Metadata
import NIOPosix
import ObjectDataStore
import Raft
import Synchronization

/// A pass over all names and all files: how a replica finds what it lacks, and what nothing names.
extension BodyKeeper {
    private static let batchCount = 1_000

    func pass() async {
        do {
            let index = try await reading { LogIndex($0.applied.index) }
            let missing = try await lookForAllNamed()
            ledger.withState { $0.lookedForAll(upTo: index) }
            let unnamed = try await lookAtAllFiles()
            if missing > 0 || !unnamed.isEmpty {
                logger.info(
                    "bodies were compared with the state",
                    metadata: ["missing": "\(missing)", "unnamed": "\(unnamed.count)"])
            }
        } catch is CancellationError {
        } catch ObjectDataStoreError.closed {
        } catch {
            logger.error("the pass over the bodies failed", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: how many are missing.
    private func lookForAllNamed() async throws -> Int {
        var last: [UInt8] = []
        var missing = 0
        while true {
            try Task.checkCancellation()
            let batch = try await names(after: last)
            guard let end = batch.last else { return missing }
            last = KeySchema.body(end.id)
            let present = try await store.contains(batch.map(\.id))
            ledger.withState { state in
                for (body, isPresent) in zip(batch, present) where !isPresent {
                    missing += 1
                    state.lack(body)
                }
            }
        }
    }

    /// The next bodies that the newest view names, in the order of their ids.
    func names(after key: [UInt8]) async throws -> [StoredBody] {
        try await reading { view in
            // The key itself is excluded: no id has a byte more.
            let start = key.isEmpty ? nil : key + [0]
            let cursor = try view.snapshot.makeCursor(in: KeySchema.bodies, from: start, to: nil, tier: .all)
            try cursor.seekToFirst()
            var bodies: [StoredBody] = []
            while cursor.isValid, bodies.count < Self.batchCount {
                let id = cursor.withKey { KeySchema.bodyID(in: $0) }
                let reference: Result<BodyReference, RecordDamage> = cursor.withValue { value in
                    do throws(RecordDamage) { return .success(try BodyReference.decode(value)) } catch {
                        return .failure(error)
                    }
                }
                guard let id else { throw RecordDamage("BodyReference", "its key is malformed") }
                bodies.append(StoredBody(id: id, length: try reference.get().length))
                try cursor.next()
            }
            return bodies
        }
    }

    /// - Returns: files that nothing names.
    private func lookAtAllFiles() async throws -> Set<BodyID> {
        var unnamed: Set<BodyID> = []
        var due: [BodyID] = []
        // The next state may name them.
        let isRestoring = try await reading { try RestoreState(of: $0.snapshot).preparation != nil }
        for directory in try await store.directories() {
            try Task.checkCancellation()
            let ids = try await store.bodies(in: directory)
            let names = try await named(ids)
            let found = zip(ids, names).filter { $0.1 == nil }.map(\.0)
            if found.isEmpty { continue }
            unnamed.formUnion(found)
            let old = ledger.withState { $0.sawUnnamed(found, grace: settings.graceMilliseconds, at: BootClock.now) }
            if !isRestoring { due += old }
            while due.count >= MetadataOperation.batchCountMax { try await abandonNext(&due) }
        }
        while !due.isEmpty { try await abandonNext(&due) }
        ledger.withState { $0.passEnded(unnamed: unnamed) }
        return unnamed
    }

    /// Once the operation is applied no record can name them any more; applying it deletes the files, here and elsewhere.
    private func abandonNext(_ due: inout [BodyID]) async throws {
        try Task.checkCancellation()
        let batch = Array(due.prefix(MetadataOperation.batchCountMax))
        due.removeFirst(batch.count)
        guard await abandon(batch) else { return }
        counts.withLock { $0.abandonedBodies += UInt64(batch.count) }
        logger.info("bodies of uploads that were never completed are deleted", metadata: ["count": "\(batch.count)"])
    }
}
