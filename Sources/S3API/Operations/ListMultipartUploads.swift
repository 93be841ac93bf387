package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// ListMultipartUploads: uploads in progress, by key, then by their start.
    package func listMultipartUploads(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let parameters = try ListingParameters(request.query, limitName: "max-uploads")
        let keyMarker = try ListingParameters.text("key-marker", request.query)
        let uploadIDMarker = try Self.uploadIDMarker(request.query, hasKeyMarker: !keyMarker.isEmpty)
        let page = try await request.answering { () async throws(MetadataError) in
            try await engine.listMultipartUploads(
                ListMultipartUploads(
                    bucket: bucket, prefix: parameters.prefix, delimiter: parameters.delimiter, keyMarker: keyMarker,
                    uploadIDMarker: uploadIDMarker, maxUploads: parameters.maxKeys, read: request.read))
        }
        let encodesURL = parameters.encodesURL
        var document = XMLWriter(root: "ListMultipartUploadsResult", byteCountEstimate: 1024 + 700 * page.uploads.count)
        document.element("Bucket", request.bucket)
        document.element("KeyMarker", key: keyMarker, encodesURL: encodesURL)
        document.element("UploadIdMarker", uploadIDMarker?.text ?? "")
        if let next = page.next {
            document.element("NextKeyMarker", key: next.key, encodesURL: encodesURL)
            document.element("NextUploadIdMarker", next.uploadID?.text ?? "")
        }
        document.element("Prefix", key: parameters.prefix, encodesURL: encodesURL)
        if !parameters.delimiter.isEmpty {
            document.element("Delimiter", key: parameters.delimiter, encodesURL: encodesURL)
        }
        if encodesURL { document.element("EncodingType", "url") }
        document.element("MaxUploads", parameters.maxKeys)
        document.element("IsTruncated", page.next != nil)
        for upload in page.uploads {
            document.open("Upload")
            document.element("Key", key: upload.key.bytes, encodesURL: encodesURL)
            document.element("UploadId", upload.uploadID.text)
            document.owner(upload.owner, as: "Initiator")
            document.owner(upload.owner)
            document.storageClass(upload.storageClass)
            document.element("Initiated", milliseconds: upload.initiatedMilliseconds)
            document.checksum(upload.checksumAlgorithm, upload.checksumKind)
            document.close("Upload")
        }
        document.commonPrefixes(page.commonPrefixes, encodesURL: encodesURL)
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListMultipartUploadsResult")))
    }

    /// Without a key marker it is ignored, as S3 says.
    private static func uploadIDMarker(_ query: S3Query, hasKeyMarker: Bool) throws(S3Error) -> UploadID? {
        guard hasKeyMarker, let text = query.string("upload-id-marker"), !text.isEmpty else { return nil }
        guard let marker = UploadID(text: text) else {
            throw .invalidArgument("Invalid uploadId marker", name: "upload-id-marker", value: text)
        }
        return marker
    }
}
