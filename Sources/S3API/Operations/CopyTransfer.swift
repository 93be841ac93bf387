import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1
import ObjectDataStore

/// What CopyObject and UploadPartCopy have in common: the source, its conditions, and the way of its bytes.
extension S3Operations {
    /// The version that `x-amz-copy-source` names, with its bytes.
    ///
    /// - Throws: `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `AccessDenied` about the source; `InvalidRequest` for a delete marker.
    func openSource(
        _ source: CopySource, _ request: S3Request
    ) async throws(S3Error) -> (ObjectInfo, Engine.BodyReader) {
        do throws(MetadataError) {
            let target = GetObject(
                bucket: BucketReference(name: source.bucket, requiredOwner: request.identity.owner.canonicalID),
                key: try ObjectKey(source.key), versionID: source.versionID, read: request.read)
            return try await engine.getObjectReader(target)
        } catch {
            if error.code == .deleteMarker {
                throw .invalidRequest(
                    "The source of a copy request may not specifically refer to a delete marker by version id.")
            }
            throw S3Error(error, bucket: source.bucket, key: source.key)
        }
    }

    /// - Throws: `PreconditionFailed`, naming the header of the condition that does not hold.
    static func checkSourceConditions(_ info: ObjectInfo, _ request: S3Request) throws(S3Error) {
        let conditions = ReadConditions(request.headers, prefix: "x-amz-copy-source-")
        switch conditions.evaluate(etag: info.etag, lastModifiedMilliseconds: info.lastModifiedMilliseconds) {
        case .proceed: break
        case .failed(let condition): throw .preconditionFailed("x-amz-copy-source-" + condition)
        // A copy has no "not modified": what a read answers with 304 is a failed condition here.
        case .notModified:
            throw .preconditionFailed(
                conditions.ifNoneMatch == nil ? "x-amz-copy-source-If-Modified-Since" : "x-amz-copy-source-If-None-Match")
        }
    }

    /// Copies bytes of the source: in memory up to the inline size, beyond it piece by piece into the body store.
    ///
    /// - Parameters:
    ///   - range: within the source.
    ///   - hasher: of what is to be known about the bytes.
    ///   - beforeStoring: asked once before a large body is copied, so that a request that must fail moves no gigabytes first.
    /// - Returns: the body, and the hasher after all of it.
    func copyBytes(
        _ range: Range<UInt64>, from reader: Engine.BodyReader, _ hasher: ContentHasher, _ request: S3Request,
        beforeStoring: () async throws(S3Error) -> Void
    ) async throws(S3Error) -> (body: ObjectBody, hasher: ContentHasher) {
        if range.upperBound - range.lowerBound <= UInt64(ObjectBody.inlineByteCountMax) {
            let bytes = try await wholeContent(range, reader, request)
            return (.inline(bytes), try await hashing(bytes, with: hasher, on: request.eventLoop))
        }
        try await beforeStoring()
        var hasher = hasher
        let stored = try await storing(request) { writer throws(S3Error) in
            hasher = try await transfer(range, from: reader, to: writer, hasher, request)
        }
        return (.stored(stored), hasher)
    }

    private func wholeContent(
        _ range: Range<UInt64>, _ reader: Engine.BodyReader, _ request: S3Request
    ) async throws(S3Error) -> ByteBuffer {
        if let bytes = reader.inlineBytes {
            let start = bytes.readerIndex + Int(range.lowerBound)
            guard let slice = bytes.getSlice(at: start, length: range.count) else { throw .internalError }
            return slice
        }
        return try await request.answering { () async throws(MetadataError) in
            var bytes = ByteBuffer()
            while bytes.readableBytes < range.count {
                var piece = try await reader.next(in: range, at: range.lowerBound + UInt64(bytes.readableBytes))
                bytes.writeBuffer(&piece)
            }
            return bytes
        }
    }

    /// While one piece is hashed and written, the next is read.
    private func transfer(
        _ range: Range<UInt64>, from reader: Engine.BodyReader, to writer: Engine.BodyWriter, _ initial: ContentHasher,
        _ request: S3Request
    ) async throws(S3Error) -> ContentHasher {
        let read = { @Sendable (offset: UInt64) async throws(S3Error) -> ByteBuffer in
            try await request.answering { () async throws(MetadataError) in try await reader.next(in: range, at: offset) }
        }
        var hasher = initial
        var offset = range.lowerBound
        var current = try await read(offset)
        while current.readableBytes > 0 {
            let piece = current
            let position = offset + UInt64(piece.readableBytes)
            async let following = read(position)
            hasher = try await hashing(piece, with: hasher, on: request.eventLoop)
            try await request.answering { () async throws(MetadataError) in try await writer.write(piece) }
            offset = position
            do { current = try await following } catch { throw (error as? S3Error) ?? .internalError }
        }
        return hasher
    }
}

extension HTTPHeaders {
    /// Which version was copied, where the source's bucket has ever been versioned.
    mutating func addCopySource(_ source: ObjectInfo) {
        if source.bucketVersioning != .unversioned {
            add(name: "x-amz-copy-source-version-id", value: source.versionID.text)
        }
    }
}
