package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// CompleteMultipartUpload: the parts named become the object. Repeated after success it answers the same again.
    package func completeMultipartUpload(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let upload = try request.uploadReference()
        // 10,000 parts with a SHA-256 each are 1.9 MiB without white space.
        guard let document = try await xmlDocument(of: request, root: "CompleteMultipartUpload", byteCountMax: 3 << 20) else {
            throw .malformedXML
        }
        let completion = CompleteMultipartUpload(
            upload: upload, parts: try CompletionList.parts(document),
            checksum: try ObjectChecksum.value(in: request.headers), expectedSize: try Self.expectedSize(request.headers),
            conditions: try WriteConditions(writeHeaders: request.headers))
        try await checkChecksumKind(upload, request)
        let result: PutObjectResult
        do throws(MetadataError) {
            result = try await engine.completeMultipartUpload(completion)
        } catch {
            if error.code == .invalidArgument, completion.expectedSize != nil {
                throw .invalidRequest("The provided 'x-amz-mp-object-size' header value does not match what was computed.")
            }
            throw S3Error(error, for: request)
        }
        return Self.answer(result, partCount: completion.parts.count, request)
    }

    private static func answer(_ result: PutObjectResult, partCount: Int, _ request: S3Request) -> HTTPResponse {
        var headers = HTTPHeaders.xml
        headers.addVersion(result.versionID, result.bucketVersioning)
        var document = XMLWriter(root: "CompleteMultipartUploadResult")
        let authority = request.headers.first(name: "host").map { (request.isSecure ? "https://" : "http://") + $0 } ?? ""
        let bucketPath = request.isVirtualHosted ? "/" : "/" + request.bucket + "/"
        document.element("Location", authority + bucketPath + PathEscape.encode(request.key))
        document.element("Bucket", request.bucket)
        document.element("Key", request.key)
        document.open("ETag")
        document.etag(result.etag)
        document.close("ETag")
        document.checksum(result.checksum, partCount: partCount)
        return HTTPResponse(
            status: .ok, headers: headers, body: .bytes(document.finish(root: "CompleteMultipartUploadResult")))
    }

    private static func expectedSize(_ headers: HTTPHeaders) throws(S3Error) -> UInt64? {
        guard let text = headers.first(name: "x-amz-mp-object-size") else { return nil }
        guard let size = UInt64(text) else {
            throw .invalidRequest("Value for x-amz-mp-object-size header is invalid.")
        }
        return size
    }

    /// `x-amz-checksum-type` must be what the upload was started with. An upload that is gone is left to the completion to judge:
    /// it may be a repetition.
    private func checkChecksumKind(_ upload: MultipartUploadReference, _ request: S3Request) async throws(S3Error) {
        guard let name = request.headers.first(name: "x-amz-checksum-type") else { return }
        let kind = try ObjectChecksum.Kind(name: name)
        let info: MultipartUploadInfo
        do throws(MetadataError) {
            info = try await engine.getMultipartUpload(upload, read: request.read)
        } catch {
            if error.code == .noSuchUpload { return }
            throw S3Error(error, for: request)
        }
        guard let started = info.checksumKind, started != kind else { return }
        throw .invalidRequest(
            "The upload was created using the \(started.name) checksum mode. "
                + "The complete request must use the same checksum mode.")
    }
}

/// The document of CompleteMultipartUpload.
enum CompletionList {
    static let partCountMax = 10_000

    /// - Throws: `MalformedXML` for no part, more than 10,000, or a part without number or tag; `InvalidArgument` for a number out
    ///   of range; `InvalidRequest` for a checksum that is none.
    static func parts(_ document: XMLElement) throws(S3Error) -> [CompletedPart] {
        var parts: [CompletedPart] = []
        for element in document.children where element.name == "Part" {
            guard parts.count < partCountMax, let numberText = element.value("PartNumber"), let tag = element.value("ETag"),
                let number = Int(numberText)
            else { throw .malformedXML }
            guard (1...partCountMax).contains(number) else {
                throw .invalidArgument(
                    "Part number must be an integer between 1 and 10000, inclusive", name: "PartNumber", value: numberText)
            }
            parts.append(
                CompletedPart(number: UInt16(number), etag: ETagMatch(text: tag), checksum: try checksum(element)))
        }
        guard !parts.isEmpty else { throw .malformedXML }
        return parts
    }

    private static func checksum(_ element: XMLElement) throws(S3Error) -> ObjectChecksum? {
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = element.value(algorithm.elementName.description), !text.isEmpty else { continue }
            guard let checksum = ObjectChecksum(algorithm: algorithm, text: text), checksum.kind == .fullObject else {
                throw .invalidRequest("Value for \(algorithm.elementName) is invalid.")
            }
            return checksum
        }
        return nil
    }
}
