import FileSystem
import KeyValueStore
import Raft
import Synchronization

/// A snapshot that is being received.
///
///     <snapshots>/incoming/9-2-00c0ffee00c0ffee.archive       chunks so far, each durable
///                          9-2-00c0ffee00c0ffee.unpacking/    its files, while they are compared with their checksums
///                          9-2-00c0ffee00c0ffee/              all of them, durable: may be installed
struct Reception: Sendable {
    let offer: SnapshotOffer
    /// Nil once it is whole.
    var archive: (any File)?
    /// Chunks from the first on that are durable.
    var chunkCount: UInt64
    /// Compared with its offer in this process.
    var isFinished = false
}

extension StateStorage.Paths {
    func received(_ id: SnapshotID) -> String {
        let digits = String(id.fingerprint, radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        return "\(incoming)/\(id.index.rawValue)-\(id.term.rawValue)-\(padding)\(digits)"
    }

    func archive(_ id: SnapshotID) -> String { received(id) + ".archive" }
    func unpacking(_ id: SnapshotID) -> String { received(id) + ".unpacking" }
}

/// Receiving another node's snapshot, beside the state of now.
extension StateStorage {
    /// Makes ready to receive the snapshot, or goes on with what is there of it, also from before a restart. Others are abandoned.
    ///
    /// - Returns: how many chunks, from the first on, are there already.
    /// - Throws: `.storage`, also where the disk cannot take all of it.
    package func openReception(_ offer: SnapshotOffer) throws(ReceptionFailure) -> UInt64 {
        try receiving(offer.id) { current throws(StateStorageError) in
            current = nil
            guard offer.chunkByteCount > 0, offer.byteCount > 0 else {
                throw .damaged(path: paths.archive(offer.id), reason: "an offer of nothing")
            }
            try removeReceptions(but: offer.id)
            let (whole, path) = (paths.received(offer.id), paths.archive(offer.id))
            if try exists("\(whole)/\(SnapshotManifest.fileName)") {
                current = Reception(offer: offer, chunkCount: offer.chunkCount)
                return offer.chunkCount
            }
            let reception = try StateStorageError.files { () throws(FileSystemError) in
                let archive = try fileSystem.open(path, .createIfMissing)
                try fileSystem.synchronizeDirectory(paths.incoming)
                let count = min(try archive.byteCount(), offer.byteCount)
                let isComplete = count == offer.byteCount
                let chunkCount = isComplete ? offer.chunkCount : count / UInt64(offer.chunkByteCount)
                return Reception(offer: offer, archive: archive, chunkCount: chunkCount)
            }
            try ensureSpace(for: reception)
            current = reception
            return reception.chunkCount
        }
    }

    /// The archive, and beside it the one of its files that is being unpacked.
    private func ensureSpace(for reception: Reception) throws(StateStorageError) {
        let there = reception.chunkCount * UInt64(reception.offer.chunkByteCount)
        let missing = reception.offer.byteCount - min(there, reception.offer.byteCount)
        let (needed, overflows) = missing.addingReportingOverflow(
            min(reception.offer.byteCount, SnapshotArchive.unpackingByteCount))
        let available = try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.availableByteCount(at: paths.incoming)
        }
        guard !overflows, needed <= available else {
            throw .spaceMissing(path: paths.incoming, needed: overflows ? .max : needed, available: available)
        }
    }

    /// Takes a chunk, durably: the next one, or one that is there already.
    package func storeChunk(_ number: UInt64, of id: SnapshotID, _ bytes: [UInt8]) throws(ReceptionFailure) {
        try receiving(id) { current throws(StateStorageError) in
            guard var reception = current, reception.offer.id == id, let archive = reception.archive,
                number <= reception.chunkCount
            else { throw .unknownSnapshot(id) }
            guard number < reception.offer.chunkCount, bytes.count == reception.offer.byteCount(ofChunk: number) else {
                throw .damaged(path: archive.path, reason: "chunk \(number) is not one of the offer's")
            }
            try StateStorageError.files { () throws(FileSystemError) in
                try archive.write(bytes, at: number * UInt64(reception.offer.chunkByteCount))
                try archive.synchronize()
            }
            reception.chunkCount = max(reception.chunkCount, number + 1)
            current = reception
        }
    }

    /// Looks whether what was received is whole and what was offered, and makes it durable as what can be installed. After an error it
    /// has to be opened again.
    ///
    /// - Throws: `.damaged`, and nothing is left of it; `.storage`.
    package func finishReception(_ id: SnapshotID) throws(ReceptionFailure) {
        try receiving(id) { current throws(StateStorageError) in
            guard var reception = current, reception.offer.id == id else { throw .unknownSnapshot(id) }
            current = nil
            if let archive = reception.archive { try unpack(archive, reception.offer) }
            try verify(reception.offer)
            reception.archive = nil
            reception.isFinished = true
            current = reception
            try StateStorageError.files { () throws(FileSystemError) in try fileSystem.removeAll(paths.archive(id)) }
        }
    }

    private func unpack(_ file: any File, _ offer: SnapshotOffer) throws(StateStorageError) {
        let archive = try SnapshotArchive(readingHeadOf: file)
        guard archive.id == offer.id, archive.byteCount == offer.byteCount else {
            throw .damaged(path: file.path, reason: "its manifest is not that of the offer")
        }
        let (unpacking, received) = (paths.unpacking(offer.id), paths.received(offer.id))
        try StateStorageError.files { () throws(FileSystemError) in
            // What an interrupted attempt left, and what is only half removed.
            for path in [unpacking, received] { try fileSystem.removeAll(path) }
            try fileSystem.makeDirectory(unpacking)
        }
        try archive.unpack(file, into: unpacking, fileSystem)
        try verify(archive.manifest, unpacking, offer)
        try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.rename(unpacking, to: received)
            try fileSystem.synchronizeDirectory(paths.incoming)
        }
    }

    /// What lies there may be of an earlier process.
    private func verify(_ offer: SnapshotOffer) throws(StateStorageError) {
        let path = paths.received(offer.id)
        guard let snapshot = try StoredSnapshot.load(path, fileSystem), snapshot.archive.id == offer.id else {
            throw .damaged(path: path, reason: "it is not whole")
        }
        try verify(snapshot.archive.manifest, path, offer)
    }

    /// The state inside is the one that the manifest says, and the one that was offered.
    private func verify(
        _ manifest: SnapshotManifest, _ directory: String, _ offer: SnapshotOffer
    ) throws(StateStorageError) {
        guard manifest.mark == offer.mark, manifest.version == offer.version else {
            throw .damaged(path: directory, reason: "it is not of the entry, members and rules of the offer")
        }
        guard manifest.files.contains(where: { $0.name.text == "CURRENT" }) else {
            throw .damaged(path: directory, reason: "it is no store")
        }
        let state: SnapshotState
        do throws(StateStorageError) {
            state = try SnapshotState(readingStoreAt: directory)
        } catch {
            guard case .stateOfNoCluster = error else { throw error }
            throw .damaged(path: directory, reason: error.description)
        }
        guard state == manifest.state else {
            throw .damaged(path: directory, reason: "the state in it is not the one of its manifest")
        }
    }

    /// Removes all of it, whole or not. What cannot be removed goes with the next reception or at the next start.
    package func abandonReception(_ id: SnapshotID) {
        reception.withLock { current in
            if current?.offer.id == id { current = nil }
            removeReception(id)
        }
    }

    // MARK: Files

    /// Runs a step of a reception; of a damaged one nothing stays.
    private func receiving<Result: Sendable>(
        _ id: SnapshotID, _ body: (inout Reception?) throws(StateStorageError) -> Result
    ) throws(ReceptionFailure) -> Result {
        try reception.withLock { current throws(ReceptionFailure) in
            do throws(StateStorageError) {
                return try body(&current)
            } catch {
                let failure = error.receptionFailure
                if case .damaged = failure {
                    current = nil
                    removeReception(id)
                }
                throw failure
            }
        }
    }

    func removeReception(_ id: SnapshotID) {
        // The manifest first: what is left of it is nothing whole.
        let manifest = "\(paths.received(id))/\(SnapshotManifest.fileName)"
        for path in [manifest, paths.received(id), paths.unpacking(id), paths.archive(id)] { try? fileSystem.removeAll(path) }
    }

    private func removeReceptions(but id: SnapshotID) throws(StateStorageError) {
        let kept = [paths.archive(id), paths.received(id)]
        try removeReceptions { !kept.contains("\(paths.incoming)/\($0)") }
    }

    /// Removes what was received and is of no use any more: of entries that the state has.
    func removeReceptions(keeping isNeeded: (LogIndex) -> Bool) throws(StateStorageError) {
        try removeReceptions { name in
            name.split(separator: "-").first.flatMap { UInt64($0) }.map { !isNeeded(LogIndex($0)) } ?? true
        }
    }

    private func removeReceptions(where isGone: (String) -> Bool) throws(StateStorageError) {
        try StateStorageError.files { () throws(FileSystemError) in
            for name in try fileSystem.list(paths.incoming) where isGone(name) {
                try fileSystem.removeAll("\(paths.incoming)/\(name)")
            }
        }
    }

    private func exists(_ path: String) throws(StateStorageError) -> Bool {
        do throws(FileSystemError) {
            _ = try fileSystem.status(path)
            return true
        } catch {
            guard error.code == .notFound else { throw .fileSystem(error) }
            return false
        }
    }
}
