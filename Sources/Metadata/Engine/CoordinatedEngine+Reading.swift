import KeyValueStore
import NIOCore
import NIOPosix
import ObjectDataStore

/// Where a read runs.
package enum ReadPlace {
    /// On the caller's executor if the store can answer from memory, else on the pool.
    case callerFirst
    /// On the pool: it reads many records.
    case pool
}

extension CoordinatedEngine {
    /// Reads one view, metadata and bytes alike.
    func read<Value: Sendable>(
        _ options: ReadOptions, _ place: ReadPlace,
        _ body: @escaping @Sendable (EngineReader<Snapshot>) throws(MetadataReadError) -> Value
    ) async throws(MetadataError) -> Value {
        if !mayRead(options) { try await waitToRead(options) }
        let view = try publication.view()
        if case .callerFirst = place {
            do throws(MetadataReadError) {
                return try body(EngineReader(view, tier: .memory))
            } catch {
                switch error {
                case .needsDisk: break
                case .failed(let error): throw error
                }
            }
        }
        let outcome = await readThreads.runBlocking {
            Result { () throws(MetadataReadError) in try body(EngineReader(view, tier: .all)) }
        }
        guard let outcome else { throw MetadataError(.unavailable, "the engine is stopping") }
        do throws(MetadataReadError) { return try outcome.get() } catch { throw error.onDisk }
    }

    // MARK: Buckets

    package func getBucket(
        _ bucket: BucketReference, read options: ReadOptions
    ) async throws(MetadataError) -> BucketInfo {
        try await read(options, .callerFirst) { reader throws(MetadataReadError) in
            try reader.bucket(bucket).info(name: bucket.name)
        }
    }

    package func bucketUsage(
        _ bucket: BucketReference, read options: ReadOptions
    ) async throws(MetadataError) -> BucketUsage {
        try await read(options, .callerFirst) { reader throws(MetadataReadError) in
            try reader.metadata.usage(of: try reader.bucket(bucket))
        }
    }

    package func getBucketTags(
        _ bucket: BucketReference, read options: ReadOptions
    ) async throws(MetadataError) -> [ResourceTag] {
        try await read(options, .callerFirst) { reader throws(MetadataReadError) in
            try reader.metadata.tags(of: try reader.bucket(bucket))
        }
    }

    package func listBuckets(
        _ request: ListBuckets, read options: ReadOptions
    ) async throws(MetadataError) -> ListBucketsPage {
        try await read(options, .pool) { reader throws(MetadataReadError) in try reader.metadata.listBuckets(request) }
    }

    // MARK: Objects

    package func headObject(_ request: GetObject) async throws(MetadataError) -> ObjectInfo {
        try await read(request.read, .callerFirst) { reader throws(MetadataReadError) in
            let bucket = try reader.bucket(request.bucket)
            let version = try reader.metadata.version(of: request.key, id: request.versionID, in: bucket)
            return reader.metadata.info(version, manifest: try reader.metadata.manifest(of: version), in: bucket)
        }
    }

    /// No lookup is announced to `lifetimes`: bytes kept inline are copied out of the view.
    package func objectAtHand(_ request: GetObject, withBytes: Bool) throws(MetadataError) -> ObjectAtHand? {
        guard mayRead(request.read) else { return nil }
        let reader = EngineReader(try publication.view(), tier: .memory)
        do throws(MetadataReadError) {
            let bucket = try reader.bucket(request.bucket)
            let version = try reader.metadata.version(of: request.key, id: request.versionID, in: bucket)
            let manifest = try reader.metadata.manifest(of: version)
            let info = reader.metadata.info(version, manifest: manifest, in: bucket)
            guard withBytes else { return ObjectAtHand(info: info, bytes: ByteBuffer()) }
            guard manifest == nil, version.record.bodyID == nil else { return nil }
            return ObjectAtHand(info: info, bytes: try reader.metadata.content(of: version, manifest: nil).inline)
        } catch {
            switch error {
            case .needsDisk: return nil
            case .failed(let error): throw error
            }
        }
    }

    package func getObjectReader(
        _ request: GetObject
    ) async throws(MetadataError) -> (info: ObjectInfo, body: LocalObjectBodyReader) {
        // Before the view is taken: see `BodyLifetimes`.
        let lookup = lifetimes.beginLookup()
        let found: (info: ObjectInfo, content: ObjectContent)
        do throws(MetadataError) {
            found = try await read(request.read, .callerFirst) { reader throws(MetadataReadError) in
                let bucket = try reader.bucket(request.bucket)
                let version = try reader.metadata.version(of: request.key, id: request.versionID, in: bucket)
                let manifest = try reader.metadata.manifest(of: version)
                let content = try reader.metadata.content(of: version, manifest: manifest)
                return (reader.metadata.info(version, manifest: manifest, in: bucket), content)
            }
        } catch {
            lifetimes.endLookup(lookup, pinning: [])
            throw error
        }
        let pinned = found.content.storedBodies
        lifetimes.endLookup(lookup, pinning: pinned)
        let body = LocalObjectBodyReader(
            found.content, store: bodies, lifetimes: lifetimes, pinned: pinned, fallback: bodyFallback)
        return (found.info, body)
    }

    // MARK: Listing

    package func listObjects(_ request: ListObjects) async throws(MetadataError) -> ListObjectsPage {
        try await read(request.read, .pool) { reader throws(MetadataReadError) in
            try reader.metadata.listObjects(request, in: try reader.bucket(request.bucket))
        }
    }

    package func listObjectVersions(
        _ request: ListObjectVersions
    ) async throws(MetadataError) -> ListObjectVersionsPage {
        try await read(request.read, .pool) { reader throws(MetadataReadError) in
            try reader.metadata.listObjectVersions(request, in: try reader.bucket(request.bucket))
        }
    }

    // MARK: Multipart uploads

    package func getMultipartUpload(
        _ upload: MultipartUploadReference, read options: ReadOptions
    ) async throws(MetadataError) -> MultipartUploadInfo {
        try await read(options, .callerFirst) { reader throws(MetadataReadError) in
            try reader.metadata.upload(upload.uploadID, of: upload.key, in: try reader.bucket(upload.bucket))
        }
    }

    package func listParts(_ request: ListParts) async throws(MetadataError) -> ListPartsPage {
        try await read(request.read, .pool) { reader throws(MetadataReadError) in
            try reader.metadata.listParts(request, in: try reader.bucket(request.upload.bucket))
        }
    }

    package func listMultipartUploads(
        _ request: ListMultipartUploads
    ) async throws(MetadataError) -> ListMultipartUploadsPage {
        try await read(request.read, .pool) { reader throws(MetadataReadError) in
            try reader.metadata.listMultipartUploads(request, in: try reader.bucket(request.bucket))
        }
    }
}

/// One view, read at one tier.
struct EngineReader<Snapshot: KeyValueSnapshot> {
    let view: EngineView<Snapshot>
    let metadata: MetadataReader<Snapshot>

    init(_ view: EngineView<Snapshot>, tier: ReadTier) {
        self.view = view
        metadata = MetadataReader(view.snapshot, tier: tier)
    }

    /// - Throws: `.noSuchBucket`, `.accessDenied`.
    func bucket(_ reference: BucketReference) throws(MetadataReadError) -> BucketRecord {
        try view.buckets.bucket(reference, metadata)
    }
}

extension MetadataReadError {
    /// As it is where the disk was allowed.
    var onDisk: MetadataError {
        switch self {
        case .failed(let error): error
        case .needsDisk: MetadataError(.ioError, "the store could not answer although it was allowed to read the disk")
        }
    }
}
