package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// ListParts: what has been uploaded so far, by number.
    package func listParts(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let upload = try request.uploadReference()
        let maxParts = try ListingParameters.limit("max-parts", request.query, max: 1000)
        let marker = try ListingParameters.limit("part-number-marker", request.query, max: 10_000)
        let partNumberMarker = request.query.string("part-number-marker").map { $0.isEmpty ? 0 : UInt16(marker) } ?? 0
        let encodesURL = try ListingParameters.encodesURL(request.query)
        let page = try await request.answering { () async throws(MetadataError) in
            try await engine.listParts(
                ListParts(
                    upload: upload, partNumberMarker: partNumberMarker, maxParts: maxParts, read: request.read))
        }
        var document = XMLWriter(root: "ListPartsResult", byteCountEstimate: 2048 + 320 * page.parts.count)
        document.element("Bucket", request.bucket)
        document.element("Key", key: request.key, encodesURL: encodesURL)
        document.element("UploadId", upload.uploadID.text)
        document.owner(page.upload.owner, as: "Initiator")
        document.owner(page.upload.owner)
        document.storageClass(page.upload.storageClass)
        document.element("PartNumberMarker", partNumberMarker)
        document.element(
            "NextPartNumberMarker", page.nextPartNumberMarker ?? page.parts.last?.number ?? 0)
        document.element("MaxParts", maxParts)
        if encodesURL { document.element("EncodingType", "url") }
        document.element("IsTruncated", page.nextPartNumberMarker != nil)
        document.checksum(page.upload.checksumAlgorithm, page.upload.checksumKind)
        for part in page.parts {
            document.open("Part")
            document.element("PartNumber", part.number)
            document.element("LastModified", milliseconds: part.lastModifiedMilliseconds)
            document.open("ETag")
            document.etag(part.etag)
            document.close("ETag")
            document.element("Size", part.size)
            if let checksum = part.checksum {
                document.element(checksum.algorithm.elementName, checksum.text(partCount: 1))
            }
            document.close("Part")
        }
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListPartsResult")))
    }
}
