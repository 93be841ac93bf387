import FileSystem
import Logging

/// What a sweep found and did.
package struct SweepReport: Sendable, Equatable {
    /// Bodies and temporary files of earlier starts.
    package var examinedCount = 0
    package var deletedCount = 0
    package var deletedByteCount: UInt64 = 0
    /// Names that are no body's, or a body's in the wrong place: left alone.
    package var foreignNames: [String] = []
    package var foreignNameCount = 0

    package init() {}

    mutating func addForeign(_ path: String) {
        foreignNameCount += 1
        if foreignNames.count < Self.foreignNamesMax { foreignNames.append(path) }
    }

    /// A directory full of someone else's files is described by its first.
    static let foreignNamesMax = 100
}

extension ObjectDataStore {
    /// How many bodies `isReferenced` is asked about at once.
    package static let sweepBatchCount = 1_000

    /// Deletes what earlier starts left and nothing refers to: temporary files, and the bodies that `isReferenced` denies. For a node that
    /// is alone: to a sweep a body that another node named is one of an earlier start.
    ///
    /// This start's bodies are never touched, so it may run while others write. An earlier start's body must not become
    /// referenced while it runs: call it when all that was written before has been applied. One directory or one batch is a
    /// job of its own on the pool, so that requests are served in between.
    /// - Parameter isReferenced: asked on the pool with at most `sweepBatchCount` ids; answers for each, in order.
    /// - Throws: what `isReferenced` throws (nothing of that batch is deleted), `.failed`, `.closed`.
    package func sweep(isReferenced: @escaping @Sendable ([BodyID]) throws -> [Bool]) async throws -> SweepReport {
        var report = try await sweepTemporaryFiles()
        var candidates: [BodyID] = []
        for parent in try await directoryNames(in: layout.root, report: &report) {
            for child in try await directoryNames(in: "\(layout.root)/\(parent)", report: &report) {
                let directory = "\(parent)/\(child)"
                candidates += try await earlierBodies(in: directory, report: &report)
                while candidates.count >= Self.sweepBatchCount {
                    let batch = Array(candidates.suffix(Self.sweepBatchCount))
                    candidates.removeLast(batch.count)
                    try await sweepBatch(batch, isReferenced, report: &report)
                }
            }
        }
        if !candidates.isEmpty { try await sweepBatch(candidates, isReferenced, report: &report) }
        return report
    }

    private func sweepTemporaryFiles() async throws(ObjectDataStoreError) -> SweepReport {
        let names = try await list(layout.temporaryDirectory)
        return try await perform { [self] () throws(ObjectDataStoreError) in
            var report = SweepReport()
            for name in names {
                guard let temporary = TemporaryName(name) else {
                    report.addForeign("\(layout.temporaryDirectory)/\(name)")
                    continue
                }
                guard temporary.writer.origin != origin else { continue }
                report.examinedCount += 1
                remove("\(layout.temporaryDirectory)/\(name)", report: &report)
            }
            return report
        }
    }

    private func directoryNames(
        in path: String, report: inout SweepReport
    ) async throws(ObjectDataStoreError) -> [String] {
        var directories: [String] = []
        for name in try await list(path) {
            if StoreLayout.isDirectoryName(name) {
                directories.append(name)
            } else if path != layout.root || !StoreLayout.rootNames.contains(name) {
                report.addForeign("\(path)/\(name)")
            }
        }
        return directories
    }

    private func earlierBodies(
        in directory: String, report: inout SweepReport
    ) async throws(ObjectDataStoreError) -> [BodyID] {
        var bodies: [BodyID] = []
        for name in try await list("\(layout.root)/\(directory)") {
            if let id = BodyID(name), Directory(of: id).description == directory {
                if id.origin != origin { bodies.append(id) }
            } else {
                report.addForeign("\(layout.root)/\(directory)/\(name)")
            }
        }
        return bodies
    }

    private func sweepBatch(
        _ batch: [BodyID], _ isReferenced: @escaping @Sendable ([BodyID]) throws -> [Bool], report: inout SweepReport
    ) async throws {
        let swept: Result<SweepReport, any Error> = try await perform { [self] () throws(ObjectDataStoreError) in
            var report = SweepReport()
            report.examinedCount = batch.count
            do {
                let answers = try isReferenced(batch)
                precondition(answers.count == batch.count, "one answer for each body")
                for (id, isReferenced) in zip(batch, answers) where !isReferenced {
                    remove(layout.body(id), report: &report)
                }
                return .success(report)
            } catch {
                return .failure(error)
            }
        }
        let found = try swept.get()
        report.examinedCount += found.examinedCount
        report.deletedCount += found.deletedCount
        report.deletedByteCount += found.deletedByteCount
    }

    private func remove(_ path: String, report: inout SweepReport) {
        let byteCount = (try? fileSystem.status(path))?.byteCount ?? 0
        guard removeLogged(path) else { return }
        report.deletedCount += 1
        report.deletedByteCount += byteCount
    }
}
