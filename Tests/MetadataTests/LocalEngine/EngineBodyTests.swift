import FileSystem
import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Testing

@Suite("Stored bodies of the local engine", .timeLimit(.minutes(2)))
struct EngineBodyTests {
    @Test("An overwrite removes the old body's file, after its commit")
    func overwrite() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            for seed in 1...3 as ClosedRange<UInt8> {
                try await engine.put("key", .stored(try await engine.storeBody(200_000, seed: seed)))
                try await bed.waitForBodyFiles(1)
            }
            #expect(try await engine.get("key") == EngineBed.pattern(0, 200_000, seed: 3))
            try await engine.put("key", "inline")
            try await bed.waitForBodyFiles(0)
        }
    }

    @Test("A body that a reader holds is read to its end after its deletion, and goes with the reader")
    func deletionUnderReader() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            try await engine.put("key", .stored(try await engine.storeBody(600_000, seed: 9)))
            var reader: LocalObjectBodyReader? = try await engine.reader("key").body
            var other: LocalObjectBodyReader? = try await engine.reader("key").body
            try await engine.delete("key")
            // A body that nobody reads goes at once; it shows that deletions have been carried out.
            try await engine.put("other", .stored(try await engine.storeBody(10, seed: 0)))
            try await engine.delete("other")
            try await bed.waitForBodyFiles(1)
            #expect(try await reader?.readAll(600_000) == EngineBed.pattern(0, 600_000, seed: 9))
            reader = nil
            #expect(try bed.bodyFileCount() == 1)
            #expect(try await other?.read(at: 599_999, maxByteCount: 10) == EngineBed.pattern(599_999, 1, seed: 9))
            other = nil
            try await bed.waitForBodyFiles(0)
        }
    }

    @Test("What is at hand is what the other reads find; stored bodies are not")
    func atHand() async throws {
        let bed = try EngineBed()
        try await bed.withBucket(versioning: .enabled) { engine async throws in
            let small = GetObject(bucket: EngineBed.bucket, key: try ObjectKey(Array("small".utf8)))
            let large = GetObject(bucket: EngineBed.bucket, key: try ObjectKey(Array("large".utf8)))
            let first = try await engine.put("small", "first").versionID
            try await engine.put("small", "second")
            try await engine.put("large", .stored(try await engine.storeBody(200_000, seed: 4)))

            for withBytes in [true, false] {
                let newest = try #require(try engine.objectAtHand(small, withBytes: withBytes))
                #expect(newest.info == (try await engine.headObject(small)))
                #expect(String(buffer: newest.bytes) == (withBytes ? "second" : ""))
                var older = small
                older.versionID = first
                #expect(try engine.objectAtHand(older, withBytes: withBytes)?.info == (try await engine.headObject(older)))
            }
            #expect(try engine.objectAtHand(large, withBytes: true) == nil)
            #expect(try engine.objectAtHand(large, withBytes: false)?.info == (try await engine.headObject(large)))

            try await engine.delete("small")
            let refusal = #expect(throws: MetadataError.self) { try engine.objectAtHand(small, withBytes: true) }
            #expect(refusal?.code == .noSuchKey && refusal?.deleteMarker != nil)
        }
    }

    @Test("A refused write, an aborted upload and a discarded body leave no file")
    func failedWrites() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            try await engine.put("key", "there")
            let body = try await engine.storeBody(200_000, seed: 1)
            let refusal = await #expect(throws: MetadataError.self) {
                try await engine.put("key", .stored(body), conditions: WriteConditions(ifNoneMatch: [.any]))
            }
            #expect(refusal?.code == .preconditionFailed)
            let writer = try await engine.makeBodyWriter()
            try await writer.write(EngineBed.pattern(0, 300_000, seed: 2))
            await writer.abort()
            await engine.discardBody(try await engine.storeBody(200_000, seed: 3))
            try await bed.waitForBodyFiles(0)
        }
    }

    @Test("A body that an object names is not discarded, nor taken by a second object")
    func bodyInUse() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            let body = try await engine.storeBody(200_000, seed: 1)
            try await engine.put("key", .stored(body))
            await engine.discardBody(body)
            let refusal = await #expect(throws: MetadataError.self) { try await engine.put("second", .stored(body)) }
            #expect(refusal?.code == .invalidArgument)
            #expect(try await engine.get("key") == EngineBed.pattern(0, 200_000, seed: 1))
        }
    }

    @Test("The sweep at the start removes what no record names, and nothing else")
    func sweep() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            try await engine.put("kept", .stored(try await engine.storeBody(200_000, seed: 1)))
            // Finished and never named: what a crash between the body and its record leaves.
            for seed in 2...4 as ClosedRange<UInt8> { _ = try await engine.storeBody(150_000, seed: seed) }
            #expect(try bed.bodyFileCount() == 4)
        }
        try await bed.withEngine { engine async throws in
            try await bed.waitForBodyFiles(1)
            #expect(try await engine.get("kept") == EngineBed.pattern(0, 200_000, seed: 1))
        }
    }

    @Test("A multipart object is read across its parts, from any offset")
    func multipart() async throws {
        let bed = try EngineBed()
        let sizes = [5 << 20, 5 << 20, 777]
        let total = sizes.reduce(0, +)
        try await bed.withBucket { engine async throws in
            let key = try ObjectKey(Array("multipart".utf8))
            let id = try await engine.createMultipartUpload(
                CreateMultipartUpload(
                    bucket: EngineBed.bucket, key: key, attributes: ObjectAttributes(), owner: EngineBed.owner))
            let upload = MultipartUploadReference(bucket: EngineBed.bucket, key: key, uploadID: id)
            var parts: [CompletedPart] = []
            for (position, size) in sizes.enumerated() {
                let seed = UInt8(position)
                let body: ObjectBody =
                    size > ObjectBody.inlineByteCountMax
                    ? .stored(try await engine.storeBody(size, seed: seed)) : .inline(EngineBed.pattern(0, size, seed: seed))
                let etag = ETag(high: UInt64(position), low: 1)
                let number = UInt16(position * 2 + 1)
                try await engine.putPart(PutPart(upload: upload, number: number, body: body, etag: etag, checksum: nil))
                parts.append(CompletedPart(number: number, etag: .tag(etag), checksum: nil))
            }
            let listed = try await engine.listParts(ListParts(upload: upload, partNumberMarker: 1, maxParts: 1))
            #expect(listed.parts.map(\.number) == [3] && listed.nextPartNumberMarker == 3)
            _ = try await engine.completeMultipartUpload(CompleteMultipartUpload(upload: upload, parts: parts))

            let (info, body) = try await engine.reader("multipart")
            #expect(info.parts.map(\.number) == [1, 3, 5] && info.size == UInt64(total))
            var expected = ByteBuffer()
            for (position, size) in sizes.enumerated() {
                var part = EngineBed.pattern(0, size, seed: UInt8(position))
                expected.writeBuffer(&part)
            }
            #expect(try await body.readAll(info.size) == expected)
            for offset in [0, (5 << 20) - 1, 5 << 20, (10 << 20) - 1, 10 << 20, total - 1] {
                let bytes = try await body.read(at: UInt64(offset), maxByteCount: 100)
                #expect(bytes == expected.getSlice(at: offset, length: bytes.readableBytes) && bytes.readableBytes > 0)
            }
            try await engine.delete("multipart")
            #expect(try bed.bodyFileCount() == 2)
            #expect(try await body.readAll(info.size) == expected)
        }
    }
}
