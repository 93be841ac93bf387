import Backup
import FileSystem
import FileSystemTestKit
import Metadata
import Testing

@Suite("Restoring offline", .timeLimit(.minutes(5)))
struct RestoreTests {
    @Test("Nothing is restored over what is there", arguments: ["", "kv", "mx", "log"])
    func notEmpty(place: String) async throws {
        let bed = try BackupBed()
        let file = try await bed.makeSmallFile()
        let directory = place.isEmpty ? bed.path("restored") : bed.path("restored/\(place)")
        try POSIXFileSystem().makeDirectories(directory)
        try bed.write([1], to: "\(directory)/something")
        let error = await failure { () throws(BackupError) in try await bed.restore(file, to: "restored") }
        guard case .notEmpty? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try bed.bytes(of: "\(directory)/something") == [1])
    }

    @Test("A directory that a server uses is refused")
    func inUse() async throws {
        let bed = try BackupBed()
        let file = try await bed.makeSmallFile()
        try POSIXFileSystem().makeDirectories(bed.path("restored"))
        var lock: DataDirectoryLock? = try DataDirectoryLock(directory: bed.path("restored"), fileSystem: POSIXFileSystem())
        let error = await failure { () throws(BackupError) in try await bed.restore(file, to: "restored") }
        #expect(lock != nil)
        lock = nil
        guard case .inUse? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(bed.names(in: bed.path("restored")) == ["LOCK"])
        try await bed.restore(file, to: "restored")
    }

    /// What an attempt has left.
    private enum Left { case nothing, marker, everything }

    private func left(_ bed: BackupBed, _ name: String) async throws -> Left {
        do throws(BackupError) {
            try BackupRestore.refuseInterrupted(bed.path(name), fileSystem: POSIXFileSystem())
        } catch { return .marker }
        if bed.names(in: bed.path("\(name)/kv")).isEmpty {
            #expect(bed.names(in: bed.path("\(name)/mx")) == [])
            return .nothing
        }
        try await bed.withLocal(name) { engine in
            try await engine.expect(Array("inline".utf8), at: "inline")
            try await engine.expect(pattern(300, seed: 1), at: "stored")
        }
        return .everything
    }

    @Test("A crash at any step leaves a directory that no server takes, an empty one, or a whole one")
    func crashes() async throws {
        let bed = try BackupBed()
        let file = try await bed.makeSmallFile()
        var counts: [Left: Int] = [:]
        for step in 1..<1000 {
            let name = "restored-\(step)"
            let disk = StoppingFileSystem(.stop(at: step))
            do throws(BackupError) { try await bed.restore(file, to: name, fileSystem: disk) } catch {}
            let left = try await left(bed, name)
            counts[left, default: 0] += 1
            switch left {
            case .nothing: if step == 2 { try await bed.restore(file, to: name) }
            case .everything: if disk.stepCount < step { return #expect(counts[.marker, default: 0] > 20) }
            case .marker:
                let again = await failure { () throws(BackupError) in try await bed.restore(file, to: name) }
                guard case .interrupted? = again else {
                    Issue.record("step \(step): \(String(describing: again))")
                    return
                }
                // As the message says.
                try POSIXFileSystem().removeAll(bed.path(name))
                if step.isMultiple(of: 10) { try await bed.restore(file, to: name) }
            }
        }
        Issue.record("there is no end")
    }

    @Test("A step that fails is told, and leaves nothing, unless it is one of the last")
    func failures() async throws {
        let bed = try BackupBed()
        let file = try await bed.makeSmallFile()
        var lastCount = 0
        for step in 1..<1000 {
            let disk = StoppingFileSystem(.failure(at: step, .noSpace))
            var text: String?
            do throws(BackupError) { try await bed.restore(file, to: "restored", fileSystem: disk) } catch { text = "\(error)" }
            let left = try await left(bed, "restored")
            guard let text else {
                #expect(left == .everything && step > 20 && lastCount == 2)
                return
            }
            #expect(text.contains("No space"), "step \(step): \(text)")
            if left != .nothing {
                // The removal of the marker, and its durability.
                lastCount += 1
                try POSIXFileSystem().removeAll(bed.path("restored"))
            }
        }
        Issue.record("there is no end")
    }

    @Test("A damaged file changes nothing")
    func damaged() async throws {
        let bed = try BackupBed()
        let file = try await bed.makeSmallFile()
        let bytes = try bed.bytes(of: file)
        let places = stride(from: 0, to: bytes.count, by: 997)
        for place in places {
            var damaged = bytes
            damaged[place] ^= 0x10
            try bed.write(damaged, to: file)
            let error = await failure { () throws(BackupError) in try await bed.restore(file, to: "restored") }
            #expect(error?.isOfFile == true, "byte \(place)")
        }
        #expect(!bed.names(in: bed.directory).contains("restored"))
    }
}
