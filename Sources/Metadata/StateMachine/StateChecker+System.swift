import KeyValueStore
import ObjectDataStore

extension StateChecker {
    /// Entries of `system` that say something of records elsewhere. (That no entry is missing is checked from there.)
    mutating func checkSystem() throws(MetadataStoreFailure) {
        if let format = try read(KeySchema.format, in: KeySchema.system, FormatRecord.decode),
            format.schemaVersion != KeySchema.schemaVersion
        {
            report.add("system: the schema version is \(format.schemaVersion)")
        }
        if let applied = try read(KeySchema.applied, in: KeySchema.system, AppliedRecord.decode) {
            report.appliedIndex = applied.index
            report.storedDigest = applied.digest
        }
        try forEach(in: KeySchema.system, { $0.copy(0..<$0.byteCount) }) {
            (checker, key, value) throws(MetadataStoreFailure) in
            if key.starts(with: KeySchema.nullIndexPrefix) {
                try checker.checkNullIndex(key)
            } else if key.starts(with: KeySchema.completedPrefix) {
                try checker.checkCompleted(key)
            } else if key.starts(with: KeySchema.bucketTagsPrefix) {
                _ = try checker.read(key, in: KeySchema.system, BucketTagsRecord.decode)
            } else if key.starts(with: KeySchema.abandonedPrefix) {
                _ = try checker.read(key, in: KeySchema.system, AbandonedRecord.decode)
            } else if !key.starts(with: KeySchema.countersPrefix), key != KeySchema.applied, key != KeySchema.format,
                key != KeySchema.nextBucketID, !key.starts(with: KeySchema.replicationPrefix)
            {
                checker.report.add("system \(Self.hex(key)): it is of no known kind")
            }
        }
    }

    private mutating func checkNullIndex(_ key: [UInt8]) throws(MetadataStoreFailure) {
        guard let entry = try read(key, in: KeySchema.system, NullIndexRecord.decode) else { return }
        var versionKey = Array(key.dropFirst(KeySchema.nullIndexPrefix.count))
        versionKey.appendBigEndian(~entry.position.index)
        versionKey.appendBigEndian(~entry.position.offset)
        let version = try read(versionKey, in: KeySchema.objects, VersionRecord.decode)
        if version?.flags.contains(.isNull) != true { report.add("system \(Self.hex(key)): it names no null version") }
    }

    private mutating func checkCompleted(_ key: [UInt8]) throws(MetadataStoreFailure) {
        guard let entry = try read(key, in: KeySchema.system, CompletedRecord.decode) else { return }
        let manifest = try read(entry.versionKey, in: KeySchema.manifests, ManifestRecord.decode)
        guard let manifest, KeySchema.completed(manifest.upload) == key else {
            return report.add("system \(Self.hex(key)): it names no version of its upload")
        }
    }

    /// Every bucket has counters, and a number of its own below the next one; counters, tags, versions and uploads have a bucket.
    mutating func checkBuckets() throws(MetadataStoreFailure) {
        let next = try read(KeySchema.nextBucketID, in: KeySchema.system, NextBucketRecord.decode)?.id ?? BucketID(1)
        var bucketIDs: Set<BucketID> = []
        try forEach(in: KeySchema.buckets, BucketRecord.decode) { (checker, key, record) throws(MetadataStoreFailure) in
            checker.report.bucketCount += 1
            if !bucketIDs.insert(record.id).inserted || record.id >= next {
                checker.report.add("buckets \(Self.hex(key)): its number is not its own")
            }
            guard let counters = try checker.read(KeySchema.counters(record.id), in: KeySchema.system, BucketCounters.decode)
            else { return checker.report.add("buckets \(Self.hex(key)): it has no counters") }
            if counters.versions == 0, counters != BucketCounters() {
                checker.report.add("buckets \(Self.hex(key)): its counters contradict each other")
            }
            let first = try checker.firstBucketID(in: KeySchema.objects, from: KeySchema.lowerBound(record.id, prefix: []))
            if (first == record.id) != (counters.versions > 0) {
                checker.report.add("buckets \(Self.hex(key)): its counters are not those of the versions")
            }
        }
        for family in [KeySchema.objects, KeySchema.uploads] { try expectBuckets(bucketIDs, in: family) }
        let countersUpperBound = KeySchema.countersPrefix + [UInt8](repeating: 0xFF, count: 9)
        var countersCount = 0
        try scanKeys(KeySchema.system, from: KeySchema.countersPrefix, to: countersUpperBound) { _ in countersCount += 1 }
        if countersCount != bucketIDs.count { report.add("system: there are counters of buckets that are gone") }
        let tagsUpperBound = KeySchema.bucketTagsPrefix + [UInt8](repeating: 0xFF, count: 9)
        var strayKey: [UInt8]?
        try scanKeys(KeySchema.system, from: KeySchema.bucketTagsPrefix, to: tagsUpperBound) { key in
            let id = Array(key.dropFirst(KeySchema.bucketTagsPrefix.count))
            let isOfBucket = KeySchema.bucketID(in: id.span.bytes).map { bucketIDs.contains($0) } ?? false
            if !isOfBucket || id.count != KeySchema.bucketIDByteCount { strayKey = key }
        }
        if let strayKey { report.add("system \(Self.hex(strayKey)): they are the tags of no bucket") }
    }

    /// Hops from bucket to bucket.
    private mutating func expectBuckets(_ bucketIDs: Set<BucketID>, in family: ColumnFamily) throws(MetadataStoreFailure) {
        var from: [UInt8] = []
        while let id = try firstBucketID(in: family, from: from) {
            if !bucketIDs.contains(id) { report.add("\(family.name): records of a bucket that is gone (\(id.value))") }
            from = KeySchema.upperBound(id, prefix: [])
        }
    }

    private func firstBucketID(in family: ColumnFamily, from: [UInt8]) throws(MetadataStoreFailure) -> BucketID? {
        do {
            var cursor = try reader.makeCursor(in: family, from: from, to: nil, tier: .all)
            try cursor.seekToFirst()
            return cursor.isValid ? cursor.withKey { KeySchema.bucketID(in: $0) } : nil
        } catch { throw .store(error) }
    }

    private func scanKeys(
        _ family: ColumnFamily, from: [UInt8], to: [UInt8], _ visit: ([UInt8]) -> Void
    ) throws(MetadataStoreFailure) {
        do {
            var cursor = try reader.makeCursor(in: family, from: from, to: to, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                visit(cursor.withKey { $0.copy(0..<$0.byteCount) })
                try cursor.next()
            }
        } catch { throw .store(error) }
    }

    // MARK: Uploads, parts, bodies

    mutating func checkUploads() throws(MetadataStoreFailure) {
        try forEach(in: KeySchema.uploads, UploadRecord.decode) { (checker, key, _) throws(MetadataStoreFailure) in
            if KeySchema.uploadID(in: key.span.bytes) == nil {
                checker.report.add("uploads \(Self.hex(key)): its key is malformed")
            }
        }
    }

    /// Every part has its bytes. (An upload's key holds the object's key, so that a part alone cannot find it: uploads are gathered.)
    mutating func checkParts() throws(MetadataStoreFailure) {
        var uploads: Set<UploadID> = []
        try scanKeys(KeySchema.uploads, from: [], to: [UInt8](repeating: 0xFF, count: 8)) { key in
            if let id = KeySchema.uploadID(in: key.span.bytes) { uploads.insert(id) }
        }
        try forEach(in: KeySchema.parts, PartRecord.decode) { (checker, key, record) throws(MetadataStoreFailure) in
            func problem(_ text: String) { checker.report.add("parts \(Self.hex(key)): \(text)") }
            guard let (upload, number) = KeySchema.part(in: key.span.bytes) else { return problem("its key is malformed") }
            if !uploads.contains(upload) { problem("its upload is gone") }
            let inline = try checker.read(KeySchema.inlinePart(upload, number), in: KeySchema.inline) { bytes in
                bytes.withUnsafeBytes { (byteCount: $0.count, hash: BodyHash.hash($0)) }
            }
            switch record.location {
            case .empty:
                if record.size != 0 || inline != nil { problem("an empty part has bytes") }
            case .inline(let hash):
                if inline?.hash != hash || UInt64(inline?.byteCount ?? 0) != record.size {
                    problem("its inline bytes are not those that it vouches for")
                }
            case .stored(let id):
                if inline != nil { problem("it has content twice") }
                try checker.expectReference(id, BodyReference(.part(key: key), length: record.size))
            }
        }
    }

    /// Every body named is needed by what it names: true if as many are named as are needed, since each that is needed was found to
    /// be named rightly. Only if not, each is asked (which may read a large manifest once for each of its bodies).
    mutating func checkBodies() throws(MetadataStoreFailure) {
        var bodyCount = 0
        try forEach(in: KeySchema.bodies, BodyReference.decode) { (_, _, _) throws(MetadataStoreFailure) in bodyCount += 1 }
        guard bodyCount != neededBodyCount else { return }
        report.add("bodies: \(bodyCount) are named, \(neededBodyCount) are needed")
        var suspects: [BodyID] = []
        try scanKeys(KeySchema.bodies, from: [], to: [UInt8](repeating: 0xFF, count: 17)) { key in
            if let id = KeySchema.bodyID(in: key.span.bytes), suspects.count < StateCheckLimits.problemCountMax {
                suspects.append(id)
            }
        }
        for id in suspects {
            guard let reference = try read(KeySchema.body(id), in: KeySchema.bodies, BodyReference.decode) else { continue }
            if try !needs(id, reference) { report.add("bodies \(id): what it names does not need it") }
        }
    }

    private mutating func needs(_ id: BodyID, _ reference: BodyReference) throws(MetadataStoreFailure) -> Bool {
        switch reference.owner {
        case .part(let key):
            return try read(key, in: KeySchema.parts, PartRecord.decode)?.location == .stored(id)
        case .version(let key):
            guard let version = try read(key, in: KeySchema.objects, VersionRecord.decode) else { return false }
            if version.bodyID == id { return true }
            guard version.flags.contains(.hasManifest) else { return false }
            let manifest = try read(key, in: KeySchema.manifests, ManifestRecord.decode)
            return manifest?.parts.contains { $0.record.location == .stored(id) } ?? false
        }
    }
}
