import Crypto
import Metadata
import NIOCore
import ObjectDataStore

extension MemoryEngine {
    func createMultipartUpload(_ request: CreateMultipartUpload) async throws(MetadataError) -> UploadID {
        try with { state throws(MetadataError) in
            _ = try state.bucket(request.bucket)
            let started = state.tick()
            let id = UploadID(position: CommitPosition(index: state.position, offset: 0))
            state.buckets[request.bucket.name]?.uploads[id] = Upload(request: request, started: started)
            return id
        }
    }

    func getMultipartUpload(
        _ upload: MultipartUploadReference, read: ReadOptions
    ) async throws(MetadataError) -> MultipartUploadInfo {
        try with { state throws(MetadataError) in Self.info(upload.uploadID, try Self.find(upload, state)) }
    }

    func putPart(_ request: PutPart) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            _ = try Self.find(request.upload, state)
            let content: ByteBuffer
            switch request.body {
            case .inline(let bytes): content = bytes
            case .stored(let stored): content = state.bodies[stored.id] ?? ByteBuffer()
            }
            let now = state.tick()
            state.buckets[request.upload.bucket.name]?.uploads[request.upload.uploadID]?.parts[request.number] =
                (request, content, now)
        }
    }

    func completeMultipartUpload(_ request: CompleteMultipartUpload) async throws(MetadataError) -> PutObjectResult {
        try with { state throws(MetadataError) in
            let upload = try Self.find(request.upload, state)
            var content = ByteBuffer()
            var parts: [ObjectPart] = []
            var md5 = Insecure.MD5()
            for (position, named) in request.parts.enumerated() {
                if position > 0, request.parts[position - 1].number >= named.number { throw MetadataError(.invalidPartOrder) }
                guard let part = upload.parts[named.number], named.etag == .tag(part.part.etag) else {
                    throw MetadataError(.invalidPart)
                }
                if position + 1 < request.parts.count, part.content.readableBytes < 5 << 20 {
                    throw MetadataError(.entityTooSmall)
                }
                content.writeImmutableBuffer(part.content)
                md5.update(data: Insecure.MD5.hash(data: Array(part.content.readableBytesView)).map { $0 })
                parts.append(
                    ObjectPart(number: named.number, size: UInt64(part.content.readableBytes), checksum: part.part.checksum))
            }
            if let size = request.expectedSize, size != UInt64(content.readableBytes) { throw MetadataError(.invalidArgument) }
            let put = PutObject(
                bucket: request.upload.bucket, key: request.upload.key, body: .inline(ByteBuffer()),
                etag: ETag(md5: md5.finalize(), partCount: UInt16(parts.count)), checksum: request.checksum,
                attributes: upload.request.attributes, owner: upload.request.owner, conditions: request.conditions)
            let result = try state.put(put, parts: parts, content: content)
            state.buckets[request.upload.bucket.name]?.uploads[request.upload.uploadID] = nil
            return result
        }
    }

    func abortMultipartUpload(_ upload: MultipartUploadReference) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            for part in try Self.find(upload, state).parts.values {
                if case .stored(let stored) = part.part.body { state.bodies[stored.id] = nil }
            }
            state.buckets[upload.bucket.name]?.uploads[upload.uploadID] = nil
        }
    }

    func listParts(_ request: ListParts) async throws(MetadataError) -> ListPartsPage {
        try with { state throws(MetadataError) in
            let upload = try Self.find(request.upload, state)
            let all = upload.parts.filter { $0.key > request.partNumberMarker }.sorted { $0.key < $1.key }
            let page = all.prefix(request.maxParts).map { number, part in
                ListedPart(
                    number: number, etag: part.part.etag, size: UInt64(part.content.readableBytes),
                    lastModifiedMilliseconds: part.modified, checksum: part.part.checksum)
            }
            return ListPartsPage(
                upload: Self.info(request.upload.uploadID, upload), parts: page,
                nextPartNumberMarker: page.count < all.count ? page.last?.number : nil)
        }
    }

    func listMultipartUploads(_ request: ListMultipartUploads) async throws(MetadataError) -> ListMultipartUploadsPage {
        try with { state throws(MetadataError) in
            let all = try state.bucket(request.bucket).uploads.map { Self.info($0.key, $0.value) }.filter {
                guard $0.key.bytes.starts(with: request.prefix) else { return false }
                if $0.key.bytes == request.keyMarker, let marker = request.uploadIDMarker {
                    return marker.position < $0.uploadID.position
                }
                return request.keyMarker.lexicographicallyPrecedes($0.key.bytes)
            }.sorted { ($0.key, $0.uploadID.position) < ($1.key, $1.uploadID.position) }
            let page = Array(all.prefix(request.maxUploads))
            return ListMultipartUploadsPage(
                uploads: page, commonPrefixes: [],
                next: page.count < all.count
                    ? page.last.map { .init(key: $0.key.bytes, uploadID: $0.uploadID) } : nil)
        }
    }

    private static func find(_ upload: MultipartUploadReference, _ state: State) throws(MetadataError) -> Upload {
        guard let found = try state.bucket(upload.bucket).uploads[upload.uploadID], found.request.key == upload.key else {
            throw MetadataError(.noSuchUpload)
        }
        return found
    }

    private static func info(_ id: UploadID, _ upload: Upload) -> MultipartUploadInfo {
        MultipartUploadInfo(
            uploadID: id, key: upload.request.key, initiatedMilliseconds: upload.started, owner: upload.request.owner,
            storageClass: upload.request.attributes.storageClass, checksumAlgorithm: upload.request.checksumAlgorithm,
            checksumKind: upload.request.checksumKind)
    }
}
