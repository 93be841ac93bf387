import Backup
import FileSystem
import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Replication
import Testing

@Suite("A backup is restored as it was", .timeLimit(.minutes(2)))
struct RoundTripTests {
    @Test("A single node's state comes back whole: versions, tags, unfinished uploads, bodies of any size")
    func local() async throws {
        let bed = try BackupBed()
        let sizes = [1, BodyFormat.blockByteCount, BodyFormat.blockByteCount + 1, 3 << 20]
        let (file, digest) = try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300_000)
            try await engine.setBucketVersioning(SetBucketVersioning(bucket: BackupBed.bucket, versioning: .enabled))
            try await engine.put("inline", .inline(ByteBuffer(string: "second")))
            for size in sizes { try await engine.put("size-\(size)", .stored(try await engine.storeBody(size, seed: size))) }
            let key = try ObjectKey(Array("upload".utf8))
            let upload = try await engine.createMultipartUpload(
                CreateMultipartUpload(
                    bucket: BackupBed.bucket, key: key, attributes: ObjectAttributes(), owner: BackupBed.owner))
            let part = try await engine.storeBody(400_000, seed: 3)
            let reference = MultipartUploadReference(bucket: BackupBed.bucket, key: key, uploadID: upload)
            try await engine.putPart(
                PutPart(upload: reference, number: 1, body: .stored(part), etag: ETag(high: 1, low: 2), checksum: nil))
            let file = try await engine.createSnapshot(to: bed.path("all.snap"), withData: true)
            return (file, engine.status().digest)
        }
        #expect(file.header.cluster == nil && file.header.hasBodies)
        #expect(file.header.digest.hexadecimal == digest)
        let figures = file.header.figures
        #expect((figures.buckets, figures.objects, figures.versions) == (1, 6, 7))
        #expect(figures.bodies == 6 && figures.bodyBytes == UInt64(300_000 + 400_000 + sizes.reduce(0, +)))
        #expect(UInt64(try bed.bytes(of: file.path).count) == file.header.fileByteCount)

        let opened = try OpenedBackup(opening: file.path, fileSystem: POSIXFileSystem())
        try opened.verify()
        #expect(opened.summary == file)
        #expect(try await bed.restore(file.path, to: "restored") == file)
        #expect(bed.names(in: bed.path("restored")) == ["LOCK", "kv", "mx"])
        try await bed.withLocal("restored") { engine in
            #expect(engine.status().digest == digest)
            try await engine.expect(Array("second".utf8), at: "inline")
            try await engine.expect(pattern(300_000, seed: 1), at: "stored")
            for size in sizes { try await engine.expect(pattern(size, seed: size), at: "size-\(size)") }
            let uploads = try await engine.listMultipartUploads(ListMultipartUploads(bucket: BackupBed.bucket))
            #expect(uploads.uploads.count == 1)
            // It goes on as any other node does.
            try await engine.put("later", .stored(try await engine.storeBody(200_000, seed: 9)))
            try await engine.expect(pattern(200_000, seed: 9), at: "later")
        }
        let store = try RocksDBStore(path: bed.path("restored/kv"), families: KeySchema.families)
        defer { store.close() }
        #expect(try StateChecker.check(store.makeSnapshot()).problems == [])
    }

    @Test("A cluster's state comes back as a node of no cluster, which may be alone or found another one")
    func replicated() async throws {
        let bed = try BackupBed()
        let (file, cluster) = try await bed.withReplicated("source") { engine in
            try await retry { try await engine.makeBucket() }
            try await engine.put("inline", .inline(ByteBuffer(string: "inline")))
            try await engine.put("stored", .stored(try await engine.storeBody(300_000, seed: 1)))
            let file = try await engine.createSnapshot(to: bed.path("cluster.snap"), withData: true)
            #expect(file.header.index <= (engine.appliedIndex ?? 0))
            return (file, try #require(await engine.node.status().cluster))
        }
        let origin = try #require(file.header.cluster)
        #expect(origin.id == cluster && origin.term > 0 && (1...ClusterVersion.newest.rawValue).contains(origin.version))
        for name in ["alone", "founder"] { try await bed.restore(file.path, to: name) }
        try await bed.withLocal("alone") { engine in
            #expect(engine.status().appliedIndex == file.header.index)
            #expect(engine.status().digest != file.header.digest.hexadecimal)
            try await engine.expect(Array("inline".utf8), at: "inline")
            try await engine.expect(pattern(300_000, seed: 1), at: "stored")
        }
        let store = try RocksDBStore(path: bed.path("alone/kv"), families: KeySchema.families)
        let checked = try StateChecker.check(store.makeSnapshot())
        let state = try ReplicatedStateMachine(loading: store.makeSnapshot()).state
        store.close()
        #expect(checked.problems == [])
        #expect(state.genesis == nil && state.sessions.isEmpty && state.members.isEmpty)
        // Another id, another cluster.
        try await bed.withReplicated("founder", node: 5) { engine in
            try await retry { try await engine.put("later", .inline(ByteBuffer(string: "later"))) }
            for (key, content) in [("inline", "inline"), ("later", "later")] {
                try await engine.expect(Array(content.utf8), at: key)
            }
            try await engine.expect(pattern(300_000, seed: 1), at: "stored")
            let founded = try #require(await engine.node.status().cluster)
            #expect(founded != cluster)
        }
    }

    @Test("A file without data says so, and is restored only if no body is missing then")
    func withoutData() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile(withData: false)
        let file = try OpenedBackup(opening: path, fileSystem: POSIXFileSystem())
        try file.verify()
        #expect(!file.header.hasBodies && file.header.figures.bodies == 1)
        let error = await failure { () throws(BackupError) in try await bed.restore(path, to: "restored") }
        guard case .withoutBodies(_, bodies: 1, bytes: 300)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(bed.names(in: bed.path("restored")) == [])
        let inlineOnly = try await bed.withLocal("inline") { engine in
            try await engine.makeBucket()
            try await engine.put("inline", .inline(ByteBuffer(string: "inline")))
            return try await engine.createSnapshot(to: bed.path("inline.snap"), withData: false)
        }
        try await bed.restore(inlineOnly.path, to: "restored")
        try await bed.withLocal("restored") { engine in
            try await engine.expect(Array("inline".utf8), at: "inline")
        }
    }

    @Test("What is deleted while a backup is written is in it, with its body")
    func deletedMeanwhile() async throws {
        let bed = try BackupBed()
        let path = bed.path("slow.snap")
        let bodyCount = try await bed.withLocal("source") { engine in
            try await engine.fill(bodyByteCount: 300_000)
            for number in 0..<4 {
                try await engine.put("more-\(number)", .stored(try await engine.storeBody(300_000, seed: number)))
            }
            let exporter = BackupExporter(engine.backupSource)
            var request = BackupRequest(path: path, withData: true)
            request.bytesPerSecond = 1 << 20
            let task = try await exporter.start(request)
            // The state is taken; its bodies are not written.
            while exporter.progress?.index == nil { try await Task.sleep(for: .milliseconds(1)) }
            for key in ["inline", "stored"] + (0..<4).map({ "more-\($0)" }) {
                _ = try await engine.deleteObject(
                    DeleteObject(bucket: BackupBed.bucket, key: try ObjectKey(Array(key.utf8)), owner: BackupBed.owner))
            }
            let file = try await task.value.get()
            guard case .done(let id)? = exporter.progress?.state else {
                Issue.record("\(String(describing: exporter.progress))")
                return UInt64(0)
            }
            #expect(id == file.end.id)
            await exporter.close()
            // Nothing holds them any more.
            while bodyFileCount(bed.path("source/mx"), bed) > 0 { try await Task.sleep(for: .milliseconds(2)) }
            return file.header.figures.bodies
        }
        #expect(bodyCount == 5)
        try await bed.restore(path, to: "restored")
        try await bed.withLocal("restored") { engine in
            try await engine.expect(pattern(300_000, seed: 1), at: "stored")
            for number in 0..<4 { try await engine.expect(pattern(300_000, seed: number), at: "more-\(number)") }
        }
    }

    private func bodyFileCount(_ path: String, _ bed: BackupBed) -> Int {
        bed.names(in: path).filter { $0.count == 2 }.reduce(0) { sum, parent in
            bed.names(in: "\(path)/\(parent)").reduce(sum) { $0 + bed.names(in: "\(path)/\(parent)/\($1)").count }
        }
    }
}
