import KeyValueStore
import NIOCore
import ObjectDataStore

/// A version as it stands in the store: what is needed to judge, replace or remove it.
struct StoredVersion {
    /// Its key in `objects`, `manifests` and `inline`.
    let key: [UInt8]
    let position: CommitPosition
    let head: VersionRecordHead
    let bodyID: BodyID?
    let contribution: StateDigest
}

/// One key of a bucket, and its newest version before the change.
struct KeyState {
    let bucket: BucketView
    let objectKey: [UInt8]
    let newest: StoredVersion?

    /// The object that conditions and readers see: none under a delete marker.
    var object: StoredVersion? { newest.flatMap { $0.head.isDeleteMarker ? nil : $0 } }
}

/// The bytes of a version to be written, besides what its record says.
struct NewContent {
    /// Under the version's key in `inline`; `nil`: nothing there.
    var inlineBytes: ObjectBody?
    var manifest: ManifestRecord?
}

// How versions of a key are ordered and found.
//
//     bucket      new version's position   its id    what it replaces
//     unversioned (0, 0)                   null      the version at (0, 0): the same record
//     enabled     the change's             position  nothing
//     suspended   the change's             null      the null version, wherever it is
//
// The null version of a key is its newest version, or the null index names it: an entry is made when a version is put above a
// newest null version, and goes with the null version or when that becomes the newest again.
extension MetadataStateMachine {
    static var unversionedPosition: CommitPosition { CommitPosition(index: 0, offset: 0) }

    // MARK: Finding

    func keyState(
        _ bucket: BucketView, _ objectKey: ObjectKey, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> KeyState {
        KeyState(bucket: bucket, objectKey: objectKey.bytes, newest: try newest(bucket, objectKey.bytes, writer))
    }

    private func newest(
        _ bucket: BucketView, _ objectKey: [UInt8], _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> StoredVersion? {
        if bucket.versioning == .unversioned {
            return try version(bucket, objectKey, at: Self.unversionedPosition, writer)
        }
        var found: StoredVersion?
        try writer.scan(
            KeySchema.objects, from: KeySchema.allOf(bucket.id, objectKey), to: KeySchema.past(bucket.id, objectKey),
            Self.decodeHead
        ) { (key, stored) throws(ApplyStop) in
            guard let position = KeySchema.versionPosition(in: key.span.bytes) else {
                throw .damaged("VersionRecord", "its key is malformed")
            }
            found = Self.storedVersion(key, position, stored)
            return false
        }
        return found
    }

    func version(
        _ bucket: BucketView, _ objectKey: [UInt8], at position: CommitPosition,
        _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> StoredVersion? {
        let key = KeySchema.version(bucket.id, objectKey, position)
        guard let stored = try writer.read(key, in: KeySchema.objects, Self.decodeHead) else { return nil }
        return Self.storedVersion(key, position, stored)
    }

    /// The version that S3 calls `null`.
    func nullVersion(
        _ state: KeyState, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> StoredVersion? {
        if let newest = state.newest, newest.head.isNull { return newest }
        guard state.newest != nil, state.bucket.versioning != .unversioned else { return nil }
        let indexKey = KeySchema.nullIndex(state.bucket.id, state.objectKey)
        guard let entry = try writer.read(indexKey, in: KeySchema.system, NullIndexRecord.decode) else { return nil }
        guard let version = try version(state.bucket, state.objectKey, at: entry.record.position, writer), version.head.isNull
        else { throw .damaged("NullIndexRecord", "it names a version that is not there") }
        return version
    }

    /// The version that a client names.
    func version(
        _ id: VersionID, _ state: KeyState, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> StoredVersion? {
        switch id {
        case .null: return try nullVersion(state, writer)
        case .version(let position):
            // A null version at that place is not called by its position.
            let found = try version(state.bucket, state.objectKey, at: position, writer)
            return found.flatMap { $0.head.isNull ? nil : $0 }
        }
    }

    private static func decodeHead(
        _ bytes: RawSpan
    ) throws(RecordDamage) -> (head: VersionRecordHead, bodyID: BodyID?) {
        let head = try VersionRecordHead.decode(bytes)
        return (head, head.bodyID(in: bytes))
    }

    private static func storedVersion(
        _ key: [UInt8], _ position: CommitPosition, _ stored: Stored<(head: VersionRecordHead, bodyID: BodyID?)>
    ) -> StoredVersion {
        StoredVersion(
            key: key, position: position, head: stored.record.head, bodyID: stored.record.bodyID,
            contribution: stored.contribution)
    }

    // MARK: Placing

    /// Writes a version as the key's newest one, and removes the one that it replaces. Nothing is refused from here on.
    ///
    /// - Parameter record: all but whether it is the null version.
    /// - Returns: the id that the version has.
    mutating func place(
        _ record: VersionRecord, _ content: NewContent, over state: KeyState, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> VersionID {
        let isUnversioned = state.bucket.versioning == .unversioned
        let position = isUnversioned ? Self.unversionedPosition : context.position
        let key = KeySchema.version(state.bucket.id, state.objectKey, position)
        var record = record
        var change = CounterChange()
        var replaced: StoredVersion?
        switch state.bucket.versioning {
        case .unversioned:
            record.flags.insert(.isNull)
            replaced = state.newest
        case .suspended:
            record.flags.insert(.isNull)
            replaced = try nullVersion(state, writer)
            if let replaced, replaced.position != state.newest?.position { deleteNullIndex(state, replaced, &writer) }
        case .enabled:
            if let newest = state.newest, newest.head.isNull { putNullIndex(state, newest, &writer) }
        }
        change.objects = (record.flags.contains(.isDeleteMarker) ? 0 : 1) - (state.object == nil ? 0 : 1)
        change.addVersion(size: record.size)

        let isSameKey = isUnversioned && replaced != nil
        if let replaced {
            change.removeVersion(size: replaced.head.size)
            let keepsInline = isSameKey && record.flags.contains(.hasInline)
            try releaseContent(of: replaced, keepsInline: keepsInline, &writer, &effects)
            if !isSameKey { writer.delete(replaced.key, in: KeySchema.objects, removing: replaced.contribution) }
        }
        writer.put(
            record.encode(), for: key, in: KeySchema.objects, replacing: isSameKey ? replaced?.contribution : nil)
        putContent(content, record, key, &writer)
        bucketCache.change(state.bucket.name, change)
        return record.flags.versionID(at: position)
    }

    private func putContent(
        _ content: NewContent, _ record: VersionRecord, _ key: [UInt8],
        _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        if case .inline(let bytes)? = content.inlineBytes, record.flags.contains(.hasInline) {
            bytes.withUnsafeReadableBytes { writer.putInline($0, for: key) }
        }
        if let bodyID = record.bodyID {
            putReference(bodyID, BodyReference(.version(key: key), length: record.size), &writer)
        }
        guard let manifest = content.manifest else { return }
        writer.put(manifest.encode(), for: key, in: KeySchema.manifests, replacing: nil)
        writer.put(
            CompletedRecord(versionKey: key).encode(), for: KeySchema.completed(manifest.upload), in: KeySchema.system,
            replacing: nil)
        for part in manifest.parts {
            if case .stored(let id) = part.record.location {
                putReference(id, BodyReference(.version(key: key), length: part.record.size), &writer)
            }
        }
    }

    // MARK: Removing

    /// Removes a version for good.
    mutating func remove(
        _ version: StoredVersion, from state: KeyState,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) {
        var change = CounterChange()
        change.removeVersion(size: version.head.size)
        writer.delete(version.key, in: KeySchema.objects, removing: version.contribution)
        try releaseContent(of: version, keepsInline: false, &writer, &effects)
        if version.position == state.newest?.position {
            // In a bucket that was never versioned nothing can be below.
            let below = state.bucket.versioning == .unversioned ? nil : try newest(state.bucket, state.objectKey, writer)
            let isObjectBelow = below.map { !$0.head.isDeleteMarker } ?? false
            change.objects = (isObjectBelow ? 1 : 0) - (version.head.isDeleteMarker ? 0 : 1)
            if let below, below.head.isNull { deleteNullIndex(state, below, &writer) }
        } else if version.head.isNull {
            deleteNullIndex(state, version, &writer)
        }
        bucketCache.change(state.bucket.name, change)
    }

    /// Gives up the bytes of a version whose record goes or is overwritten.
    /// - Parameter keepsInline: the next version's inline bytes are about to be written over this one's.
    private func releaseContent(
        of version: StoredVersion, keepsInline: Bool,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) {
        if version.head.flags.contains(.hasInline), !keepsInline { writer.deleteInline(version.key) }
        if let bodyID = version.bodyID {
            release(bodyID, BodyReference(.version(key: version.key), length: version.head.size), &writer, &effects)
        }
        guard version.head.flags.contains(.hasManifest) else { return }
        guard let manifest = try writer.read(version.key, in: KeySchema.manifests, ManifestRecord.decode) else {
            throw .damaged("ManifestRecord", "a multipart object has none")
        }
        for part in manifest.record.parts {
            if case .stored(let id) = part.record.location {
                release(id, BodyReference(.version(key: version.key), length: part.record.size), &writer, &effects)
            }
        }
        writer.delete(version.key, in: KeySchema.manifests, removing: manifest.contribution)
        writer.delete(
            KeySchema.completed(manifest.record.upload), in: KeySchema.system,
            holding: CompletedRecord(versionKey: version.key).encode())
    }

    // MARK: Null index

    private func putNullIndex(
        _ state: KeyState, _ version: StoredVersion, _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        writer.put(
            NullIndexRecord(position: version.position).encode(),
            for: KeySchema.nullIndex(state.bucket.id, state.objectKey), in: KeySchema.system, replacing: nil)
    }

    private func deleteNullIndex(
        _ state: KeyState, _ version: StoredVersion, _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        writer.delete(
            KeySchema.nullIndex(state.bucket.id, state.objectKey), in: KeySchema.system,
            holding: NullIndexRecord(position: version.position).encode())
    }
}
