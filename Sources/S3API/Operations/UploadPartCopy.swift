package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// UploadPartCopy: bytes of a version become a part, without passing through the client.
    package func uploadPartCopy(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try await retryingLookup(request) { request throws(S3Error) in try await copyPart(request) }
    }

    private func copyPart(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let number = try request.requiredPartNumber()
        let upload = try request.uploadReference()
        let source = try CopySource(header: request.headers.first(name: "x-amz-copy-source") ?? "")
        let wantedRange = try CopySourceRange(request.headers)
        let started = try await request.answering { () async throws(MetadataError) in
            try await engine.getMultipartUpload(upload, read: request.read)
        }

        let (info, reader) = try await openSource(source, request)
        try Self.checkSourceConditions(info, request)
        let range = try wantedRange?.resolved(size: info.size) ?? 0..<info.size
        let byteCount = range.upperBound - range.lowerBound
        guard byteCount <= Self.copiedPartByteCountMax else {
            throw .entityTooLarge(proposed: byteCount, byteCountMax: Self.copiedPartByteCountMax)
        }
        let digests = PartDigests(of: info, range, algorithm: started.checksumAlgorithm)
        let (body, hasher) = try await copyBytes(range, from: reader, digests.hasher, request) {}
        let part = PutPart(
            upload: upload, number: number, body: body, etag: hasher.etag ?? info.etag,
            checksum: digests.carriedChecksum ?? hasher.objectChecksum)
        try await request.answering { () async throws(MetadataError) in try await engine.putPart(part) }
        return Self.answer(part, modifiedMilliseconds: await lastModified(of: part, request), source: info)
    }

    /// S3's limit on one part.
    private static var copiedPartByteCountMax: UInt64 { 5 << 30 }

    /// As ListParts shows it. The write is in this node's state, so that no peer is asked. Where the part has been replaced, or has
    /// become an object meanwhile, the request's own time must do.
    private func lastModified(of part: PutPart, _ request: S3Request) async -> UInt64 {
        let query = ListParts(upload: part.upload, partNumberMarker: part.number - 1, maxParts: 1, read: .eventual)
        let found = try? await engine.listParts(query).parts.first
        guard let found, found.number == part.number, found.etag == part.etag else { return request.nowMilliseconds }
        return found.lastModifiedMilliseconds
    }

    private static func answer(_ part: PutPart, modifiedMilliseconds: UInt64, source: ObjectInfo) -> HTTPResponse {
        var headers = HTTPHeaders.xml
        headers.addCopySource(source)
        var document = XMLWriter(root: "CopyPartResult")
        document.element("LastModified", milliseconds: modifiedMilliseconds)
        document.open("ETag")
        document.etag(part.etag)
        document.close("ETag")
        if let checksum = part.checksum {
            document.element(checksum.algorithm.elementName, checksum.text(partCount: 1))
        }
        return HTTPResponse(status: .ok, headers: headers, body: .bytes(document.finish(root: "CopyPartResult")))
    }
}

/// What has to be computed about a copied part, and what its source tells.
private struct PartDigests {
    /// The source's checksum, where the part is all of the source and the algorithm is the upload's.
    let carriedChecksum: ObjectChecksum?
    let hasher: ContentHasher

    init(of source: ObjectInfo, _ range: Range<UInt64>, algorithm: ChecksumAlgorithm?) {
        let isWhole = range == 0..<source.size
        if isWhole, let checksum = source.checksum, checksum.kind == .fullObject, checksum.algorithm == algorithm {
            carriedChecksum = checksum
        } else {
            carriedChecksum = nil
        }
        // A tag that is an MD5 of all bytes is the part's too.
        hasher = ContentHasher(
            md5: !isWhole || source.etag.partCount > 0, checksum: carriedChecksum == nil ? algorithm : nil)
    }
}

/// The value of `x-amz-copy-source-range`. Unlike the range of a read it is closed, and must lie within the source.
struct CopySourceRange: Sendable, Equatable {
    private static let name = "x-amz-copy-source-range"

    private let header: String
    private let first: UInt64
    private let last: UInt64

    /// `nil`: no such header, all of the source.
    /// - Throws: `InvalidArgument` for anything but `bytes=first-last`.
    init?(_ headers: HTTPHeaders) throws(S3Error) {
        guard let header = headers.first(name: Self.name) else { return nil }
        guard header.hasPrefix("bytes="), case .span(let first, let last?)? = ByteRange(header: header) else {
            throw .invalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based "
                    + "offsets of the first and last bytes to copy", name: Self.name, value: header)
        }
        (self.header, self.first, self.last) = (header, first, last)
    }

    /// - Throws: `InvalidArgument` where the source ends before the range does.
    func resolved(size: UInt64) throws(S3Error) -> Range<UInt64> {
        guard last < size else {
            throw .invalidArgument(
                "Range specified is not valid for source object of size: \(size)", name: Self.name, value: header)
        }
        return first..<(last + 1)
    }
}
