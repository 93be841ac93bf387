import FileSystem

extension ObjectDataStore {
    /// One of the 65,536 directories that bodies lie in, `ab/cd`. 256 bodies in a row share one, so that a directory is created, and its
    /// parent made durable, once in 256 bodies; each start of the store begins at another one, and goes on to the next.
    package struct Directory: Hashable, Sendable, Comparable, CustomStringConvertible {
        package let rawValue: UInt16

        package init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// Where the body lies, if it is there.
        package init(of id: BodyID) {
            let start = (id.origin &* 0x9e37_79b9_7f4a_7c15) >> 48
            rawValue = UInt16(truncatingIfNeeded: start &+ id.sequence >> 8)
        }

        package static func < (left: Directory, right: Directory) -> Bool { left.rawValue < right.rawValue }

        var parent: String { Self.digits(UInt8(rawValue >> 8)) }
        package var description: String { parent + "/" + Self.digits(UInt8(truncatingIfNeeded: rawValue)) }

        private static func digits(_ byte: UInt8) -> String {
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    /// So many bodies of one directory are looked for one by one; more by listing it, which costs as much as some of them.
    static let lookedUpBodiesMax = 8
    /// So many bodies are looked for in one job on the pool, and those of the last directory, so that requests are served in between.
    static let soughtBatchCount = 512

    /// Whether each of the bodies has its file, in order; not whether the file is undamaged. One that is just being published is not there yet.
    /// - Throws: `.failed` if it cannot be known, `.closed`.
    package func contains(_ ids: [BodyID]) async throws(ObjectDataStoreError) -> [Bool] {
        var answers = [Bool](repeating: false, count: ids.count)
        let groups = Dictionary(grouping: ids.indices, by: { Directory(of: ids[$0]) })
        var batch: [(directory: Directory, positions: [Int])] = []
        var batchCount = 0
        for (directory, positions) in groups {
            batch.append((directory, positions))
            batchCount += positions.count
            guard batchCount >= Self.soughtBatchCount else { continue }
            for position in try await present(batch, of: ids) { answers[position] = true }
            (batch, batchCount) = ([], 0)
        }
        for position in try await present(batch, of: ids) { answers[position] = true }
        return answers
    }

    /// The positions of those that are there.
    private func present(
        _ batch: [(directory: Directory, positions: [Int])], of ids: [BodyID]
    ) async throws(ObjectDataStoreError) -> [Int] {
        guard !batch.isEmpty else { return [] }
        return try await perform { [self] () throws(ObjectDataStoreError) in
            var present: [Int] = []
            for (directory, positions) in batch {
                let names: Set<String>
                if positions.count > Self.lookedUpBodiesMax {
                    names = Set(try listBlocking(layout.directory(directory)))
                } else {
                    names = try existing(positions.map { ids[$0] })
                }
                // Names first: a publication that has ended by the second look has kept its promise.
                present += positions.filter { names.contains(ids[$0].description) && !isBeingPublished(ids[$0]) }
            }
            return present
        }
    }

    private func existing(_ ids: [BodyID]) throws(ObjectDataStoreError) -> Set<String> {
        var names: Set<String> = []
        do throws(FileSystemError) {
            for id in ids where try fileSystem.exists(layout.body(id)) { names.insert(id.description) }
        } catch {
            throw ObjectDataStoreError(error)
        }
        return names
    }

    /// The directories that exist, in order. Each of the 256 above them is a job of its own on the pool.
    /// - Throws: `.failed`, `.closed`.
    package func directories() async throws(ObjectDataStoreError) -> [Directory] {
        var directories: [Directory] = []
        for parent in try await list(layout.root) {
            guard let upper = StoreLayout.directoryByte(parent) else { continue }
            for child in try await list("\(layout.root)/\(parent)") {
                guard let lower = StoreLayout.directoryByte(child) else { continue }
                directories.append(Directory(rawValue: UInt16(upper) << 8 | UInt16(lower)))
            }
        }
        return directories.sorted()
    }

    /// The bodies in a directory, in order; none if it is not there. Names that are no body's, or a body's in the wrong place, are left out.
    /// - Throws: `.failed`, `.closed`.
    package func bodies(in directory: Directory) async throws(ObjectDataStoreError) -> [BodyID] {
        try await list(layout.directory(directory)).compactMap { BodyID($0) }.filter { Directory(of: $0) == directory }.sorted()
    }

    /// Deletes all temporary files, whoever began them: called before this start has writers. Files that are nobody's are left alone.
    /// Blocks: not for event loops.
    /// - Returns: how many there were. One that cannot be deleted is logged.
    /// - Throws: `.failed` if the directory cannot be listed.
    @discardableResult
    package func removeTemporaryFiles() throws(ObjectDataStoreError) -> Int {
        let names = try listBlocking(layout.temporaryDirectory).filter { TemporaryName($0) != nil }
        for name in names { removeLogged("\(layout.temporaryDirectory)/\(name)") }
        return names.count
    }

    /// The names in a directory. Empty if the path is not a directory any more, or never was: then its name stays out of what is done.
    func list(_ path: String) async throws(ObjectDataStoreError) -> [String] {
        try await perform { [self] () throws(ObjectDataStoreError) in try listBlocking(path) }
    }

    private func listBlocking(_ path: String) throws(ObjectDataStoreError) -> [String] {
        do throws(FileSystemError) {
            return try fileSystem.list(path)
        } catch {
            switch error.code {
            case .notFound, .notDirectory: return []
            default: throw ObjectDataStoreError(error)
            }
        }
    }
}
