import Backup
import FileSystem
import FileSystemTestKit
import Metadata
import ObjectDataStore
import Testing

@Suite("Making a backup", .timeLimit(.minutes(2)))
struct ExporterTests {
    /// Nothing is left of an attempt.
    private func expectNothing(_ bed: BackupBed, _ path: String) {
        #expect(!bed.names(in: bed.directory).contains { $0.hasSuffix(".partial") || bed.path($0) == path })
        #expect(!bed.names(in: bed.path("source/kv")).contains { $0.hasPrefix("exporting-") })
    }

    @Test("Only a new file is written, in a directory that is there, under a name that says what it is")
    func paths() async throws {
        let bed = try BackupBed()
        try bed.write([1, 2, 3], to: bed.path("taken.snap"))
        try POSIXFileSystem().makeDirectories(bed.path("directory.snap"))
        try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300)
            let refused: [(String, String)] = [
                ("relative.snap", "absolute"), ("", "absolute"), (bed.path("file"), "must end with .snap"),
                (bed.path(".snap"), "must end with .snap"), (bed.path("nowhere/file.snap"), "no directory"),
                (bed.path("taken.snap/file.snap"), "taken.snap"), (bed.path("taken.snap"), "never overwritten"),
                (bed.path("directory.snap"), "never overwritten"), (bed.path("a\0b.snap"), "absolute"),
            ]
            for (path, words) in refused {
                let error = await failure { () throws(BackupError) in
                    _ = try await engine.createSnapshot(to: path, withData: true)
                }
                #expect(error.map { "\($0)" }?.contains(words) == true, "\(path): \(String(describing: error))")
            }
        }
        #expect(try bed.bytes(of: bed.path("taken.snap")) == [1, 2, 3])
        expectNothing(bed, "")
    }

    @Test("One is made at a time; an engine that closes leaves nothing of it")
    func busy() async throws {
        let bed = try BackupBed()
        let path = bed.path("slow.snap")
        try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 3 << 20)
            let exporter = BackupExporter(engine.backupSource)
            var request = BackupRequest(path: path, withData: true)
            request.bytesPerSecond = 64 << 10
            let task = try await exporter.start(request)
            let busy = await failure { () throws(BackupError) in
                _ = try await exporter.create(BackupRequest(path: bed.path("second.snap"), withData: false))
            }
            guard case .busy(path)? = busy else {
                Issue.record("\(String(describing: busy))")
                return
            }
            while (exporter.progress?.writtenByteCount ?? 0) == 0 { try await Task.sleep(for: .milliseconds(1)) }
            let progress = try #require(exporter.progress)
            #expect(progress.fileByteCount > 3 << 20 && progress.writtenByteCount < progress.fileByteCount)
            await exporter.close()
            guard case .failure(.stopped) = await task.value, case .failed(.stopped)? = exporter.progress?.state else {
                Issue.record("\(String(describing: exporter.progress))")
                return
            }
            guard case .stopped? = await failure({ () throws(BackupError) in try await exporter.start(request) }) else {
                Issue.record("a closed exporter has begun")
                return
            }
        }
        expectNothing(bed, path)
    }

    @Test("A full disk is named, and nothing is left on it", arguments: ["pwrite", "fdatasync", "link", "fsync"])
    func fullDisk(step: String) async throws {
        let bed = try BackupBed()
        let path = bed.path("full.snap")
        let disk = StoppingFileSystem()
        try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300_000)
            var source = engine.backupSource
            source.fileSystem = disk
            disk.arm(.failures(of: step, .noSpace))
            let exporter = BackupExporter(source)
            let error = await failure { () throws(BackupError) in
                _ = try await exporter.create(BackupRequest(path: path, withData: true))
            }
            #expect(error.map { "\($0)" }?.contains("the disk is full") == true)
            await exporter.close()
        }
        expectNothing(bed, path)
    }

    @Test("A disk that cannot hold the file is known before anything is written")
    func spaceMissing() async throws {
        let bed = try BackupBed()
        let path = bed.path("large.snap")
        try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300_000)
            var source = engine.backupSource
            source.fileSystem = StoppingFileSystem(availableByteCount: 100_000)
            let exporter = BackupExporter(source)
            let error = await failure { () throws(BackupError) in
                _ = try await exporter.create(BackupRequest(path: path, withData: true))
            }
            guard case .spaceMissing(_, needed: let needed, available: 100_000)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(needed > 300_000)
            await exporter.close()
        }
        expectNothing(bed, path)
    }

    @Test(
        "A crash at any step leaves no file under the name, or a whole one; the engine removes what was for the backup when it opens"
    )
    func crashes() async throws {
        let bed = try BackupBed()
        try await bed.withLocal("source") { try await $0.fill(bodyByteCount: 300) }
        var wholeCount = 0
        var step = 1
        while true {
            let path = bed.path("\(step).snap")
            let disk = StoppingFileSystem(.stop(at: step))
            let isOver = try await bed.withLocal("source") { engine in
                #expect(!bed.names(in: bed.path("source/kv")).contains { $0.hasPrefix("exporting-") })
                var source = engine.backupSource
                source.fileSystem = disk
                let exporter = BackupExporter(source)
                let task = try await exporter.start(BackupRequest(path: path, withData: true))
                let result = await task.value
                await exporter.close()
                guard case .success = result else { return false }
                return disk.stepCount < step
            }
            if try POSIXFileSystem().exists(path) {
                wholeCount += 1
                try OpenedBackup(opening: path, fileSystem: POSIXFileSystem()).verify()
            }
            if isOver { break }
            step += 1
        }
        #expect(wholeCount > 1 && wholeCount < step)
    }

    @Test("A body that cannot be read ends the backup, and is named")
    func bodyMissing() async throws {
        let bed = try BackupBed()
        let path = bed.path("missing.snap")
        try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300)
            let body = try await engine.storeBody(200_000, seed: 2)
            try await engine.put("lost", .stored(body))
            await engine.backupSource.bodies.delete([body.id])
            let error = await failure { () throws(BackupError) in
                _ = try await engine.createSnapshot(to: path, withData: true)
            }
            guard case .body(body, _)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            // Without data it is not needed.
            _ = try await engine.createSnapshot(to: path, withData: false)
        }
    }
}
