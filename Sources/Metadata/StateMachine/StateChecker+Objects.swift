import KeyValueStore
import ObjectDataStore

extension StateChecker {
    /// The versions of one key as they pass by, newest first, and the bucket's figures so far.
    private struct Walk {
        var bucket: BucketID?
        var counters = BucketCounters()
        var objectKey: [UInt8] = []
        var isFirstVersion = true
        var nullPosition: CommitPosition?
        var newestIsNull = false
    }

    /// Every version: its content is there; counters and null index agree with what is there.
    mutating func checkVersions() throws(MetadataStoreFailure) {
        var walk = Walk()
        try forEach(in: KeySchema.objects, VersionRecord.decode) { (checker, key, record) throws(MetadataStoreFailure) in
            checker.report.versionCount += 1
            guard let bucket = KeySchema.bucketID(in: key.span.bytes), let objectKey = KeySchema.objectKey(in: key.span.bytes),
                let position = KeySchema.versionPosition(in: key.span.bytes)
            else { return checker.report.add("objects \(Self.hex(key)): its key is malformed") }
            if bucket != walk.bucket || objectKey != walk.objectKey {
                try checker.finishKey(walk)
                if bucket != walk.bucket { try checker.finishBucket(walk) }
                walk = Walk(
                    bucket: bucket, counters: bucket == walk.bucket ? walk.counters : BucketCounters(), objectKey: objectKey)
            }
            if walk.isFirstVersion {
                walk.isFirstVersion = false
                walk.newestIsNull = record.flags.contains(.isNull)
                if !record.flags.contains(.isDeleteMarker) { walk.counters.objects += 1 }
            }
            walk.counters.versions += 1
            walk.counters.bytes &+= record.size
            if record.flags.contains(.isNull) {
                if walk.nullPosition != nil { checker.report.add("objects \(Self.hex(key)): a second null version") }
                walk.nullPosition = position
            }
            try checker.checkContent(key, record)
        }
        try finishKey(walk)
        try finishBucket(walk)
    }

    /// The null index names the null version exactly when that is not the newest.
    private mutating func finishKey(_ walk: Walk) throws(MetadataStoreFailure) {
        guard let bucket = walk.bucket else { return }
        let indexKey = KeySchema.nullIndex(bucket, walk.objectKey)
        let entry = try read(indexKey, in: KeySchema.system, NullIndexRecord.decode)
        let expected = walk.newestIsNull ? nil : walk.nullPosition
        if entry?.position != expected { report.add("system \(Self.hex(indexKey)): the null index is wrong") }
    }

    private mutating func finishBucket(_ walk: Walk) throws(MetadataStoreFailure) {
        guard let bucket = walk.bucket else { return }
        let countersKey = KeySchema.counters(bucket)
        if try read(countersKey, in: KeySchema.system, BucketCounters.decode) != walk.counters {
            report.add("system \(Self.hex(countersKey)): the counters are not those of the versions")
        }
    }

    private mutating func checkContent(_ key: [UInt8], _ record: VersionRecord) throws(MetadataStoreFailure) {
        func problem(_ text: String) { report.add("objects \(Self.hex(key)): \(text)") }
        let flags = record.flags
        if flags.contains(.isDeleteMarker), flags.subtracting([.isDeleteMarker, .isNull]) != [] || record.size != 0 {
            problem("a delete marker has content")
        }
        if flags.contains(.hasSingleBody), flags.contains(.hasInline) || flags.contains(.hasManifest) {
            problem("it has content twice")
        }
        let hasContent = !flags.isDisjoint(with: [.hasInline, .hasSingleBody, .hasManifest])
        if !hasContent, record.size != 0 { problem("its content is nowhere") }

        let inline = try read(key, in: KeySchema.inline) { bytes in
            bytes.withUnsafeBytes { (byteCount: $0.count, hash: BodyHash.hash($0)) }
        }
        if (inline != nil) != flags.contains(.hasInline) { problem("inline bytes and its flag disagree") }
        if (inline?.hash ?? 0) != record.bodyHash { problem("its inline bytes are not those that it vouches for") }
        let manifest = try read(key, in: KeySchema.manifests, ManifestRecord.decode)
        if (manifest != nil) != flags.contains(.hasManifest) { problem("manifest and its flag disagree") }
        if let manifest {
            try checkManifest(manifest, key, record, inlineByteCount: inline?.byteCount ?? 0)
        } else if flags.contains(.hasInline), UInt64(inline?.byteCount ?? 0) != record.size {
            problem("it has another size than its inline bytes")
        }
        if let body = record.bodyID {
            try expectReference(body, BodyReference(.version(key: key), length: record.size))
        }
    }

    private mutating func checkManifest(
        _ manifest: ManifestRecord, _ key: [UInt8], _ record: VersionRecord, inlineByteCount: Int
    ) throws(MetadataStoreFailure) {
        var size: UInt64 = 0
        var inlineSize: UInt64 = 0
        for part in manifest.parts {
            size &+= part.record.size
            switch part.record.location {
            case .empty: break
            case .inline: inlineSize &+= part.record.size
            case .stored(let id): try expectReference(id, BodyReference(.version(key: key), length: part.record.size))
            }
        }
        if size != record.size || inlineSize != UInt64(inlineByteCount) || manifest.parts.count != Int(record.etag.partCount) {
            report.add("manifests \(Self.hex(key)): it does not add up to its version")
        }
        let completed = try read(KeySchema.completed(manifest.upload), in: KeySchema.system, CompletedRecord.decode)
        if completed?.versionKey != key { report.add("manifests \(Self.hex(key)): its upload's completion is not recorded") }
    }

    mutating func expectReference(_ id: BodyID, _ expected: BodyReference) throws(MetadataStoreFailure) {
        neededBodyCount += 1
        if try read(KeySchema.body(id), in: KeySchema.bodies, BodyReference.decode) != expected {
            report.add("bodies \(id): it does not name what needs it")
        }
        if try read(KeySchema.abandoned(id), in: KeySchema.system, AbandonedRecord.decode) != nil {
            report.add("bodies \(id): it was abandoned, and is needed")
        }
    }

    /// Every manifest belongs to a version (that version's check compares the two).
    mutating func checkManifests() throws(MetadataStoreFailure) {
        try forEach(in: KeySchema.manifests, ManifestRecord.decode) { (checker, key, _) throws(MetadataStoreFailure) in
            if try !checker.contains(key, in: KeySchema.objects) {
                checker.report.add("manifests \(Self.hex(key)): it belongs to no version")
            }
        }
    }

    /// All inline bytes belong to a version or a part (whose checks compare the bytes).
    mutating func checkInline() throws(MetadataStoreFailure) {
        let partPrefix = [UInt8](repeating: 0xFF, count: KeySchema.bucketIDByteCount)
        try forEach(in: KeySchema.inline, { _ in () }) { (checker, key, _) throws(MetadataStoreFailure) in
            let isOwned =
                key.starts(with: partPrefix)
                ? try checker.contains(Array(key.dropFirst(partPrefix.count)), in: KeySchema.parts)
                : try checker.contains(key, in: KeySchema.objects)
            if !isOwned { checker.report.add("inline \(Self.hex(key)): the bytes belong to nothing") }
        }
    }
}
