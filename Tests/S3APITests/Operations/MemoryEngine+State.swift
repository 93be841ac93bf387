import Metadata
import NIOCore
import ObjectDataStore

extension MemoryEngine.State {
    mutating func tick() -> UInt64 {
        position += 1
        now += 1000
        return now
    }

    func bucket(_ reference: BucketReference) throws(MetadataError) -> MemoryEngine.Bucket {
        guard let bucket = buckets[reference.name] else { throw MetadataError(.noSuchBucket) }
        if let owner = reference.requiredOwner, owner != bucket.info.owner.canonicalID { throw MetadataError(.accessDenied) }
        return bucket
    }

    func find(
        _ reference: BucketReference, _ key: ObjectKey, _ versionID: VersionID?
    ) throws(MetadataError) -> MemoryEngine.Version {
        let versions = try bucket(reference).keys[key] ?? []
        if let versionID {
            guard let version = versions.first(where: { $0.id == versionID }) else { throw MetadataError(.noSuchVersion) }
            if version.put == nil {
                throw MetadataError(.deleteMarker, deleteMarker: version.id, lastModifiedMilliseconds: version.modified)
            }
            return version
        }
        guard let newest = versions.first else { throw MetadataError(.noSuchKey) }
        if newest.put == nil {
            throw MetadataError(.noSuchKey, deleteMarker: newest.id, lastModifiedMilliseconds: newest.modified)
        }
        return newest
    }

    func info(of version: MemoryEngine.Version, _ request: GetObject) throws(MetadataError) -> ObjectInfo {
        let bucket = try bucket(request.bucket)
        guard let put = version.put else { throw MetadataError(.deleteMarker) }
        return ObjectInfo(
            versionID: version.id, isLatest: bucket.keys[request.key]?.first?.id == version.id, etag: put.etag,
            size: reportedSize ?? UInt64(version.content.readableBytes), lastModifiedMilliseconds: version.modified,
            attributes: put.attributes, checksum: put.checksum, owner: version.owner,
            bucketVersioning: bucket.info.versioning, parts: version.parts)
    }

    func result(
        of version: MemoryEngine.Version, in reference: BucketReference
    ) throws(MetadataError) -> PutObjectResult {
        guard let put = version.put else { throw MetadataError(.deleteMarker) }
        return PutObjectResult(
            versionID: version.id, etag: put.etag, size: UInt64(version.content.readableBytes),
            lastModifiedMilliseconds: version.modified, checksum: put.checksum,
            bucketVersioning: try bucket(reference).info.versioning)
    }

    mutating func put(
        _ request: PutObject, parts: [ObjectPart], content: ByteBuffer?
    ) throws(MetadataError) -> PutObjectResult {
        do throws(MetadataError) {
            if let failure { throw failure }
            let versioning = try bucket(request.bucket).info.versioning
            let newest = try bucket(request.bucket).keys[request.key]?.first
            try check(request.conditions, newest)
            let bytes: ByteBuffer
            switch request.body {
            case .inline(let inline): bytes = content ?? inline
            case .stored(let stored): bytes = bodies[stored.id] ?? ByteBuffer()
            }
            let modified = tick()
            let version = MemoryEngine.Version(
                id: versioning == .enabled ? .version(CommitPosition(index: position, offset: 0)) : .null, modified: modified,
                put: request, content: bytes, owner: request.owner, parts: parts)
            replace(version, request.bucket.name, request.key)
            return try result(of: version, in: request.bucket)
        } catch {
            if case .stored(let stored) = request.body { bodies[stored.id] = nil }
            throw error
        }
    }

    /// A null version takes the place of the one before.
    private mutating func replace(_ version: MemoryEngine.Version, _ bucket: String, _ key: ObjectKey) {
        if version.id == .null { remove(.null, bucket, key) }
        buckets[bucket]?.keys[key, default: []].insert(version, at: 0)
    }

    private mutating func remove(_ id: VersionID, _ bucket: String, _ key: ObjectKey) {
        guard let position = buckets[bucket]?.keys[key]?.firstIndex(where: { $0.id == id }) else { return }
        let version = buckets[bucket]?.keys[key]?.remove(at: position)
        if case .stored(let stored) = version?.put?.body { bodies[stored.id] = nil }
        if buckets[bucket]?.keys[key]?.isEmpty == true { buckets[bucket]?.keys[key] = nil }
    }

    private func check(_ conditions: WriteConditions, _ newest: MemoryEngine.Version?) throws(MetadataError) {
        let etag = newest?.put?.etag
        if !conditions.ifMatch.isEmpty {
            guard let etag else { throw MetadataError(.noSuchKey) }
            guard conditions.ifMatch.contains(where: { matches($0, etag) }) else { throw MetadataError(.preconditionFailed) }
        }
        if let etag, conditions.ifNoneMatch.contains(where: { matches($0, etag) }) { throw MetadataError(.preconditionFailed) }
        if let size = conditions.ifMatchSize, size != UInt64(newest?.content.readableBytes ?? -1) {
            throw MetadataError(.preconditionFailed)
        }
        if let modified = conditions.ifMatchLastModifiedMilliseconds, modified / 1000 != (newest?.modified ?? 0) / 1000 {
            throw MetadataError(.preconditionFailed)
        }
    }

    private func matches(_ match: ETagMatch, _ etag: ETag) -> Bool {
        switch match {
        case .any: true
        case .tag(let tag): tag == etag
        case .foreign: false
        }
    }

    mutating func delete(_ request: DeleteObject) throws(MetadataError) -> DeleteObjectResult {
        let bucket = try bucket(request.bucket)
        let versions = bucket.keys[request.key] ?? []
        if let id = request.versionID {
            let version = versions.first { $0.id == id }
            if !request.conditions.isEmpty { try check(request.conditions, version) }
            remove(id, request.bucket.name, request.key)
            return DeleteObjectResult(versionID: id, isDeleteMarker: version.map { $0.put == nil } ?? false)
        }
        if !request.conditions.isEmpty { try check(request.conditions, versions.first) }
        switch bucket.info.versioning {
        case .unversioned:
            remove(.null, request.bucket.name, request.key)
            return DeleteObjectResult(versionID: nil, isDeleteMarker: false)
        case .enabled, .suspended:
            let modified = tick()
            let marker = MemoryEngine.Version(
                id: bucket.info.versioning == .enabled ? .version(CommitPosition(index: position, offset: 0)) : .null,
                modified: modified, put: nil, owner: request.owner)
            replace(marker, request.bucket.name, request.key)
            return DeleteObjectResult(versionID: marker.id, isDeleteMarker: true)
        }
    }
}
