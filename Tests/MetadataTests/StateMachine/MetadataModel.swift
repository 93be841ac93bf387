import Crypto
import Metadata
import ObjectDataStore

/// What S3 says happens, with dictionaries and arrays: the measure of `MetadataStateMachine`. A value, so that a batch can be taken back.
struct MetadataModel: Equatable {
    struct Version: Equatable {
        var id: VersionID
        var isDeleteMarker: Bool
        var etag: ETag
        var size: UInt64
        var modified: UInt64
        var contentType: String?
        var tags: [ResourceTag] = []
        var bodies: [BodyID]
        /// For a multipart object: the upload, and its parts as the client named them.
        var upload: UploadID?
        var parts: [CompletedPart]
    }

    struct Part: Equatable {
        var etag: ETag
        var size: UInt64
        var body: BodyID?
    }

    struct Upload: Equatable {
        var key: ObjectKey
        var contentType: String?
        var tags: [ResourceTag]
        var parts: [UInt16: Part] = [:]
    }

    struct Bucket: Equatable {
        var owner: String
        var versioning = BucketVersioning.unversioned
        var tags: [ResourceTag] = []
        /// Newest first.
        var versions: [ObjectKey: [Version]] = [:]
        var uploads: [UploadID: Upload] = [:]
    }

    var buckets: [String: Bucket] = [:]
    /// Released by the changes so far, in order.
    var released: [BodyID] = []
    var abandoned: Set<BodyID> = []

    var bodiesInUse: Set<BodyID> {
        var bodies: Set<BodyID> = []
        for bucket in buckets.values {
            for version in bucket.versions.values.joined() { bodies.formUnion(version.bodies) }
            for upload in bucket.uploads.values { bodies.formUnion(upload.parts.values.compactMap(\.body)) }
        }
        return bodies
    }

    // MARK: Changes

    mutating func make(
        _ change: MetadataChange, at position: CommitPosition, timestamp: UInt64
    ) -> Result<MetadataReply, MetadataError> {
        let before = self
        do throws(MetadataError) {
            switch change {
            case .createBucket(let request): return .success(try createBucket(request))
            case .deleteBucket(let request): return .success(try deleteBucket(request))
            case .setBucketVersioning(let request):
                try self.change(request.bucket) { (bucket, _) throws(MetadataError) in
                    if request.versioning == .unversioned { throw MetadataError(.invalidArgument) }
                    bucket.versioning = request.versioning
                }
                return .success(.done)
            case .putObject(let request): return .success(try put(request, position, timestamp))
            case .deleteObject(let request): return .success(try delete(request, position, timestamp))
            case .updateMetadata(let request): return .success(try update(request, timestamp))
            case .createMultipartUpload(let request):
                let id = UploadID(position: position)
                try self.change(request.bucket) { (bucket, _) throws(MetadataError) in
                    bucket.uploads[id] = Upload(
                        key: request.key, contentType: request.attributes.contentType, tags: request.attributes.tags)
                }
                return .success(.uploadCreated(id))
            case .putPart(let request): return .success(try putPart(request))
            case .completeMultipartUpload(let request): return .success(try complete(request, position, timestamp))
            case .abortMultipartUpload(let request): return .success(try abort(request))
            case .setObjectTagging(let request): return .success(try tag(request))
            case .setBucketTagging(let request):
                try self.change(request.bucket) { (bucket, _) throws(MetadataError) in bucket.tags = request.tags }
                return .success(.done)
            case .abandonBodies(let ids):
                let unneeded = ids.filter { !bodiesInUse.contains($0) }
                abandoned.formUnion(unneeded)
                released += unneeded
                return .success(.done)
            }
        } catch {
            self = before
            releaseBody(ofRefused: change)
            return .failure(error)
        }
    }

    private mutating func releaseBody(ofRefused change: MetadataChange) {
        let body: ObjectBody
        switch change {
        case .putObject(let request): body = request.body
        case .putPart(let request): body = request.body
        default: return
        }
        if case .stored(let stored) = body, !bodiesInUse.contains(stored.id) { released.append(stored.id) }
    }

    private mutating func change<Value>(
        _ reference: BucketReference,
        _ body: (inout Bucket, inout [BodyID]) throws(MetadataError) -> Value
    ) throws(MetadataError) -> Value {
        guard var bucket = buckets[reference.name] else { throw MetadataError(.noSuchBucket) }
        if let owner = reference.requiredOwner, owner != bucket.owner { throw MetadataError(.accessDenied) }
        let value = try body(&bucket, &released)
        buckets[reference.name] = bucket
        return value
    }

    // MARK: Buckets

    private mutating func createBucket(_ request: CreateBucket) throws(MetadataError) -> MetadataReply {
        if let existing = buckets[request.name] {
            throw MetadataError(existing.owner == request.owner.canonicalID ? .bucketAlreadyOwnedByYou : .bucketAlreadyExists)
        }
        buckets[request.name] = Bucket(owner: request.owner.canonicalID)
        return .done
    }

    private mutating func deleteBucket(_ request: DeleteBucket) throws(MetadataError) -> MetadataReply {
        try change(request.bucket) { (bucket, released) throws(MetadataError) in
            guard bucket.versions.values.allSatisfy(\.isEmpty) else { throw MetadataError(.bucketNotEmpty) }
            for upload in bucket.uploads.values { released += upload.parts.values.compactMap(\.body) }
        }
        buckets[request.bucket.name] = nil
        return .done
    }

    // MARK: Objects

    private static func require(_ conditions: WriteConditions, _ version: Version?) throws(MetadataError) {
        let mustExist =
            !conditions.ifMatch.isEmpty || conditions.ifMatchSize != nil || conditions.ifMatchLastModifiedMilliseconds != nil
        guard let version, !version.isDeleteMarker else {
            if mustExist { throw MetadataError(.noSuchKey, deleteMarker: version?.id) }
            return
        }
        func holds(_ match: ETagMatch) -> Bool { match == .any || match == .tag(version.etag) }
        let isMatch = conditions.ifMatch.isEmpty || conditions.ifMatch.contains(where: holds)
        let isNoneMatch = !conditions.ifNoneMatch.contains(where: holds)
        let isSize = conditions.ifMatchSize.map { $0 == version.size } ?? true
        let isTime = conditions.ifMatchLastModifiedMilliseconds.map { $0 / 1000 == version.modified / 1000 } ?? true
        guard isMatch, isNoneMatch, isSize, isTime else { throw MetadataError(.preconditionFailed) }
    }

    /// Puts a version on top, and takes away the null version where it becomes that.
    private static func place(
        _ version: Version, _ key: ObjectKey, _ position: CommitPosition, _ bucket: inout Bucket, _ released: inout [BodyID]
    ) -> Version {
        var version = version
        var versions = bucket.versions[key] ?? []
        if bucket.versioning == .enabled {
            version.id = .version(position)
        } else {
            version.id = .null
            for old in versions where old.id == .null { released += old.bodies }
            versions.removeAll { $0.id == .null }
        }
        versions.insert(version, at: 0)
        bucket.versions[key] = versions
        return version
    }

    private static func reply(_ version: Version, _ bucket: Bucket) -> MetadataReply {
        .put(
            PutObjectResult(
                versionID: version.id, etag: version.etag, size: version.size, lastModifiedMilliseconds: version.modified,
                checksum: nil, bucketVersioning: bucket.versioning))
    }

    private mutating func put(
        _ request: PutObject, _ position: CommitPosition, _ timestamp: UInt64
    ) throws(MetadataError) -> MetadataReply {
        let (inUse, abandoned) = (bodiesInUse, abandoned)
        return try change(request.bucket) { (bucket, released) throws(MetadataError) in
            try Self.require(request.conditions, bucket.versions[request.key]?.first)
            var bodies: [BodyID] = []
            if case .stored(let stored) = request.body {
                if inUse.contains(stored.id) { throw MetadataError(.invalidArgument) }
                if abandoned.contains(stored.id) { throw MetadataError(.unavailable) }
                bodies = [stored.id]
            }
            let version = Version(
                id: .null, isDeleteMarker: false, etag: request.etag, size: request.body.byteCount, modified: timestamp,
                contentType: request.attributes.contentType, tags: request.attributes.tags, bodies: bodies, upload: nil,
                parts: [])
            return Self.reply(Self.place(version, request.key, position, &bucket, &released), bucket)
        }
    }

    private mutating func delete(
        _ request: DeleteObject, _ position: CommitPosition, _ timestamp: UInt64
    ) throws(MetadataError) -> MetadataReply {
        try change(request.bucket) { (bucket, released) throws(MetadataError) in
            let versions = bucket.versions[request.key] ?? []
            if request.versionID != nil || bucket.versioning == .unversioned {
                let named = versions.first { $0.id == request.versionID ?? .null }
                try Self.require(request.conditions, named)
                released += named?.bodies ?? []
                bucket.versions[request.key] = versions.filter { $0.id != named?.id }
                return .deleted(
                    DeleteObjectResult(
                        versionID: bucket.versioning == .unversioned ? nil : request.versionID,
                        isDeleteMarker: named?.isDeleteMarker ?? false))
            }
            try Self.require(request.conditions, versions.first)
            let marker = Version(
                id: .null, isDeleteMarker: true, etag: ETag(high: 0, low: 0), size: 0, modified: timestamp, contentType: nil,
                bodies: [], upload: nil, parts: [])
            let placed = Self.place(marker, request.key, position, &bucket, &released)
            return .deleted(DeleteObjectResult(versionID: placed.id, isDeleteMarker: true))
        }
    }

    private mutating func update(_ request: UpdateObjectMetadata, _ timestamp: UInt64) throws(MetadataError) -> MetadataReply {
        try change(request.bucket) { (bucket, _) throws(MetadataError) in
            if bucket.versioning == .enabled { throw MetadataError(.invalidArgument) }
            let newest = bucket.versions[request.key]?.first
            try Self.require(request.conditions, newest)
            guard var version = newest, !version.isDeleteMarker else {
                throw MetadataError(.noSuchKey, deleteMarker: newest?.id)
            }
            if version.id != .null { throw MetadataError(.invalidArgument) }
            if version.etag != request.expectedETag { throw MetadataError(.preconditionFailed) }
            version.contentType = request.attributes.contentType
            if !request.keepsTags { version.tags = request.attributes.tags }
            version.modified = timestamp
            bucket.versions[request.key]?[0] = version
            return Self.reply(version, bucket)
        }
    }

    private mutating func tag(_ request: SetObjectTagging) throws(MetadataError) -> MetadataReply {
        try change(request.bucket) { (bucket, _) throws(MetadataError) in
            let versions = bucket.versions[request.key] ?? []
            let position = request.versionID.map { id in versions.firstIndex { $0.id == id } } ?? versions.indices.first
            guard let position else { throw MetadataError(request.versionID == nil ? .noSuchKey : .noSuchVersion) }
            var version = versions[position]
            if version.isDeleteMarker {
                throw MetadataError(request.versionID == nil ? .noSuchKey : .deleteMarker, deleteMarker: version.id)
            }
            version.tags = request.tags
            bucket.versions[request.key]?[position] = version
            return Self.reply(version, bucket)
        }
    }

    // MARK: Multipart

    private mutating func putPart(_ request: PutPart) throws(MetadataError) -> MetadataReply {
        let (inUse, abandoned) = (bodiesInUse, abandoned)
        return try change(request.upload.bucket) { (bucket, released) throws(MetadataError) in
            guard (1...10_000).contains(request.number) else { throw MetadataError(.invalidArgument) }
            guard var upload = bucket.uploads[request.upload.uploadID], upload.key == request.upload.key else {
                throw MetadataError(.noSuchUpload)
            }
            var body: BodyID?
            if case .stored(let stored) = request.body { body = stored.id }
            if let body, inUse.contains(body) { throw MetadataError(.invalidArgument) }
            if let body, abandoned.contains(body) { throw MetadataError(.unavailable) }
            if let old = upload.parts[request.number]?.body { released.append(old) }
            upload.parts[request.number] = Part(etag: request.etag, size: request.body.byteCount, body: body)
            bucket.uploads[request.upload.uploadID] = upload
            return .done
        }
    }

    private mutating func abort(_ request: MultipartUploadReference) throws(MetadataError) -> MetadataReply {
        try change(request.bucket) { (bucket, released) throws(MetadataError) in
            guard let upload = bucket.uploads[request.uploadID], upload.key == request.key else {
                throw MetadataError(.noSuchUpload)
            }
            bucket.uploads[request.uploadID] = nil
            released += upload.parts.values.compactMap(\.body)
            return .done
        }
    }

    private mutating func complete(
        _ request: CompleteMultipartUpload, _ position: CommitPosition, _ timestamp: UInt64
    ) throws(MetadataError) -> MetadataReply {
        try change(request.upload.bucket) { (bucket, released) throws(MetadataError) in
            let numbers = request.parts.map(\.number)
            if numbers.isEmpty { throw MetadataError(.invalidArgument) }
            if numbers != Set(numbers).sorted() { throw MetadataError(.invalidPartOrder) }
            guard let upload = bucket.uploads[request.upload.uploadID], upload.key == request.upload.key else {
                let made = bucket.versions[request.upload.key]?.first { $0.upload == request.upload.uploadID }
                guard let made, made.parts == request.parts else { throw MetadataError(.noSuchUpload) }
                return Self.reply(made, bucket)
            }
            var parts: [Part] = []
            for named in request.parts {
                guard let part = upload.parts[named.number], named.etag == .tag(part.etag) else {
                    throw MetadataError(.invalidPart)
                }
                parts.append(part)
            }
            if parts.dropLast().contains(where: { $0.size < 5 * 1024 * 1024 }) { throw MetadataError(.entityTooSmall) }
            let size = parts.reduce(0) { $0 + $1.size }
            if let expected = request.expectedSize, expected != size { throw MetadataError(.invalidArgument) }
            try Self.require(request.conditions, bucket.versions[request.upload.key]?.first)
            bucket.uploads[request.upload.uploadID] = nil
            released += upload.parts.filter { !numbers.contains($0.key) }.values.compactMap(\.body)
            let version = Version(
                id: .null, isDeleteMarker: false, etag: Self.etag(parts), size: size, modified: timestamp,
                contentType: upload.contentType, tags: upload.tags, bodies: parts.compactMap(\.body),
                upload: request.upload.uploadID,
                parts: request.parts)
            return Self.reply(Self.place(version, request.upload.key, position, &bucket, &released), bucket)
        }
    }

    private static func etag(_ parts: [Part]) -> ETag {
        var hash = Insecure.MD5()
        for part in parts {
            for word in [part.etag.high, part.etag.low] {
                withUnsafeBytes(of: word.bigEndian) { hash.update(bufferPointer: $0) }
            }
        }
        return ETag(md5: hash.finalize(), partCount: UInt16(parts.count))
    }
}
