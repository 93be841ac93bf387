package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// S3's limit on the source of one copy.
    private static var sourceByteCountMax: UInt64 { 5 << 30 }

    /// CopyObject: a version's bytes under another key, or other metadata on the same one.
    package func copyObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try await retryingLookup(request) { request throws(S3Error) in try await copy(request) }
    }

    private func copy(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let key = try request.objectKey()
        let source = try CopySource(header: request.headers.first(name: "x-amz-copy-source") ?? "")
        let options = try CopyOptions(request.headers)
        let conditions = try WriteConditions(writeHeaders: request.headers)

        let (info, reader) = try await openSource(source, request)
        try Self.checkSource(info, request)
        let isItself = source.bucket == request.bucket && source.key == key.bytes && source.versionID == nil
        if isItself {
            guard options.changes(info) else { throw Self.illegalSelfCopy }
            let update = UpdateObjectMetadata(
                bucket: bucket, key: key, expectedETag: info.etag, attributes: options.attributes(of: info),
                keepsTags: options.keepsTags, conditions: conditions)
            if Self.updatesInPlace(info, options), let result = try await updateInPlace(update, request) {
                return Self.answer(result, source: info)
            }
        }
        let content = try await copyContent(of: info, reader, options, into: bucket, request)
        let result = try await request.answering { () async throws(MetadataError) in
            try await engine.putObject(
                PutObject(
                    bucket: bucket, key: key, body: content.body, etag: content.etag, checksum: content.checksum,
                    attributes: options.attributes(of: info), owner: request.identity.owner, conditions: conditions))
        }
        return Self.answer(result, source: info)
    }

    // MARK: The source

    private static func checkSource(_ info: ObjectInfo, _ request: S3Request) throws(S3Error) {
        try checkSourceConditions(info, request)
        guard info.size <= sourceByteCountMax else {
            throw .invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy source: \(sourceByteCountMax)")
        }
    }

    // MARK: The same object

    private static var illegalSelfCopy: S3Error {
        .invalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
                + "metadata, storage class, website redirect location or encryption attributes.")
    }

    /// No byte need move: the copy would replace this very version, and no digest changes.
    private static func updatesInPlace(_ info: ObjectInfo, _ options: CopyOptions) -> Bool {
        guard options.computedAlgorithm(of: info) == nil, info.isLatest else { return false }
        switch info.bucketVersioning {
        case .unversioned: return true
        case .suspended: return info.versionID == .null
        case .enabled: return false
        }
    }

    /// `nil`: versioning has been enabled meanwhile, so that a copy is what is meant.
    private func updateInPlace(
        _ update: UpdateObjectMetadata, _ request: S3Request
    ) async throws(S3Error) -> PutObjectResult? {
        do throws(MetadataError) {
            return try await engine.updateObjectMetadata(update)
        } catch {
            if error.code == .invalidArgument { return nil }
            // Without a condition of the client's it is the tag seen above that no longer holds.
            if error.code == .preconditionFailed, update.conditions.isEmpty { throw .operationAborted }
            throw S3Error(error, for: request)
        }
    }

    // MARK: The bytes

    private func copyContent(
        of info: ObjectInfo, _ reader: Engine.BodyReader, _ options: CopyOptions, into bucket: BucketReference,
        _ request: S3Request
    ) async throws(S3Error) -> (body: ObjectBody, etag: ETag, checksum: ObjectChecksum?) {
        // A tag that is an MD5 of all bytes is the copy's too; the reads are verified by the store's own checksums.
        let wanted = ContentHasher(md5: info.etag.partCount > 0, checksum: options.computedAlgorithm(of: info))
        let (body, hasher) = try await copyBytes(0..<info.size, from: reader, wanted, request) { () throws(S3Error) in
            try await checkBucket(bucket, request)
        }
        let checksum = options.carriedChecksum(of: info) ?? hasher.objectChecksum
        return (body, hasher.etag ?? info.etag, checksum)
    }

    // MARK: The answer

    private static func answer(_ result: PutObjectResult, source: ObjectInfo) -> HTTPResponse {
        var headers = HTTPHeaders.xml
        headers.addVersion(result.versionID, result.bucketVersioning)
        headers.addCopySource(source)
        var document = XMLWriter(root: "CopyObjectResult")
        document.element("LastModified", milliseconds: result.lastModifiedMilliseconds)
        document.open("ETag")
        document.etag(result.etag)
        document.close("ETag")
        document.checksum(result.checksum, partCount: Int(result.etag.partCount))
        return HTTPResponse(status: .ok, headers: headers, body: .bytes(document.finish(root: "CopyObjectResult")))
    }
}

extension XMLWriter {
    /// The value and its kind.
    mutating func checksum(_ checksum: ObjectChecksum?, partCount: Int) {
        guard let checksum else { return }
        element(checksum.algorithm.elementName, checksum.text(partCount: partCount))
        element("ChecksumType", checksum.kind.name)
    }
}
