import KeyValueStore
import NIOCore
import ObjectDataStore

/// A version that was looked up.
package struct FoundVersion: Hashable, Sendable {
    /// Its key in `objects`, `manifests` and `inline`.
    package var storeKey: [UInt8]
    package var position: CommitPosition
    package var record: VersionRecord
    package var isLatest: Bool

    package var id: VersionID { record.flags.versionID(at: position) }
}

extension MetadataReader {
    /// Manifests of more parts than this are read only where blocking is allowed: decoding one of 10,000 parts takes a millisecond.
    private static var manifestPartCountMaxInMemory: Int { 64 }

    // MARK: Looking up a version

    /// The version that a GET or HEAD of `key` means.
    /// - Parameter versionID: `nil`: the newest.
    /// - Throws: `.noSuchKey` (with the delete marker that hides it), `.noSuchVersion`, `.deleteMarker` when the named version is one.
    package func version(
        of key: ObjectKey, id versionID: VersionID?, in bucket: BucketRecord
    ) throws(MetadataReadError) -> FoundVersion {
        let found =
            switch versionID {
            case nil: try newest(of: key, in: bucket)
            case .null: try nullVersion(of: key, in: bucket)
            case .version(let position): try version(of: key, at: position, in: bucket)
            }
        guard let found else { throw .failed(versionID == nil ? .noSuchKey : .noSuchVersion) }
        guard found.record.flags.contains(.isDeleteMarker) else { return found }
        throw .failed(
            MetadataError(
                versionID == nil ? .noSuchKey : .deleteMarker, deleteMarker: found.id,
                lastModifiedMilliseconds: found.record.modifiedMilliseconds))
    }

    /// The newest version or delete marker.
    package func newest(of key: ObjectKey, in bucket: BucketRecord) throws(MetadataReadError) -> FoundVersion? {
        if bucket.versioning == .unversioned {
            return try version(of: key, storedAt: CommitPosition(index: 0, offset: 0), in: bucket, isLatest: true)
        }
        let cursor = try cursor(
            in: KeySchema.objects, from: KeySchema.allOf(bucket.id, key.bytes), to: KeySchema.past(bucket.id, key.bytes))
        guard cursor.isValid else { return nil }
        let (storeKey, position) = cursor.withKey { bytes in
            (bytes.copy(0..<bytes.byteCount), KeySchema.versionPosition(in: bytes))
        }
        guard let position else { throw .failed(.corruption, "a version's key is malformed") }
        let record = try cursor.decodeValue(VersionRecord.decode)
        return FoundVersion(storeKey: storeKey, position: position, record: record, isLatest: true)
    }

    /// The null version: the newest one, or the one that the index of null versions names.
    package func nullVersion(of key: ObjectKey, in bucket: BucketRecord) throws(MetadataReadError) -> FoundVersion? {
        guard let newest = try newest(of: key, in: bucket) else { return nil }
        if newest.record.flags.contains(.isNull) { return newest }
        let position = try record(
            KeySchema.nullIndex(bucket.id, key.bytes), in: KeySchema.system, NullIndexRecord.decode)?.position
        guard let position else { return nil }
        guard let found = try version(of: key, storedAt: position, in: bucket, isLatest: false) else {
            throw .failed(.corruption, "the index of null versions names a version that is not there")
        }
        return found
    }

    private func version(
        of key: ObjectKey, at position: CommitPosition, in bucket: BucketRecord
    ) throws(MetadataReadError) -> FoundVersion? {
        guard bucket.versioning != .unversioned else { return nil }
        let found = try version(of: key, storedAt: position, in: bucket, isLatest: false)
        // A null version has a position too, but not as its id.
        guard var found, !found.record.flags.contains(.isNull) else { return nil }
        let newest = try cursor(
            in: KeySchema.objects, from: KeySchema.allOf(bucket.id, key.bytes), to: KeySchema.past(bucket.id, key.bytes))
        found.isLatest = newest.isValid && newest.withKey { KeySchema.versionPosition(in: $0) == position }
        return found
    }

    private func version(
        of key: ObjectKey, storedAt position: CommitPosition, in bucket: BucketRecord, isLatest: Bool
    ) throws(MetadataReadError) -> FoundVersion? {
        let storeKey = KeySchema.version(bucket.id, key.bytes, position)
        let record = try record(storeKey, in: KeySchema.objects, VersionRecord.decode)
        return record.map { FoundVersion(storeKey: storeKey, position: position, record: $0, isLatest: isLatest) }
    }

    // MARK: What it is made of

    /// The parts and where their bytes are; `nil` unless the version was made by a multipart upload.
    package func manifest(of version: FoundVersion) throws(MetadataReadError) -> ManifestRecord? {
        guard version.record.flags.contains(.hasManifest) else { return nil }
        if tier == .memory, version.record.etag.partCount > Self.manifestPartCountMaxInMemory { throw .needsDisk }
        guard let manifest = try record(version.storeKey, in: KeySchema.manifests, ManifestRecord.decode) else {
            throw .failed(.corruption, "a multipart object has no manifest")
        }
        return manifest
    }

    package func info(
        _ version: FoundVersion, manifest: ManifestRecord?, in bucket: BucketRecord
    ) -> ObjectInfo {
        let record = version.record
        return ObjectInfo(
            versionID: version.id, isLatest: version.isLatest, etag: record.etag, size: record.size,
            lastModifiedMilliseconds: record.modifiedMilliseconds, attributes: record.attributes, checksum: record.checksum,
            owner: record.owner, bucketVersioning: bucket.versioning,
            parts: manifest.map {
                $0.parts.map { ObjectPart(number: $0.number, size: $0.record.size, checksum: $0.record.checksum) }
            }
                ?? [])
    }

    /// Where the bytes of a version are; those kept inline are read.
    package func content(
        of version: FoundVersion, manifest: ManifestRecord?
    ) throws(MetadataReadError) -> ObjectContent {
        let flags = version.record.flags
        let inline = flags.contains(.hasInline) ? try inlineBytes(of: version) : ByteBuffer()
        let content: ObjectContent
        if let manifest {
            content = ObjectContent(manifest, inline: inline)
        } else if let bodyID = version.record.bodyID {
            content = ObjectContent(body: StoredBody(id: bodyID, length: version.record.size))
        } else {
            content = ObjectContent(inline: inline)
        }
        guard content.byteCount == version.record.size, content.isConsistent else {
            throw .failed(.corruption, "an object's bytes are not as many as its record says")
        }
        return content
    }

    private func inlineBytes(of version: FoundVersion) throws(MetadataReadError) -> ByteBuffer {
        let bytes: ByteBuffer?
        do throws(KeyValueStoreError) {
            bytes = try reader.withValue(version.storeKey, in: KeySchema.inline, tier: tier) { bytes in
                bytes.withUnsafeBytes { ByteBuffer(bytes: $0) }
            }
        } catch { throw MetadataReadError(error) }
        guard let bytes else { throw .failed(.corruption, "an object's inline bytes are not there") }
        return bytes
    }
}
