package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// ListObjects, the first version of the listing: paged by the last key seen.
    package func listObjects(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let parameters = try ListingParameters(request.query)
        let marker = try ListingParameters.text("marker", request.query)
        let page = try await request.answering { () async throws(MetadataError) in
            try await engine.listObjects(
                ListObjects(
                    bucket: bucket, prefix: parameters.prefix, delimiter: parameters.delimiter, startAfter: marker,
                    maxKeys: parameters.maxKeys, read: request.read))
        }
        let encodesURL = parameters.encodesURL
        var document = XMLWriter(root: "ListBucketResult", byteCountEstimate: page.byteCountEstimate)
        document.element("Name", request.bucket)
        document.element("Prefix", key: parameters.prefix, encodesURL: encodesURL)
        document.element("Marker", key: marker, encodesURL: encodesURL)
        // AWS names the next marker only where the last key of the page might not be it: with a delimiter.
        if let next = page.nextStartAfter, !parameters.delimiter.isEmpty {
            document.element("NextMarker", key: next, encodesURL: encodesURL)
        }
        document.limits(parameters, isTruncated: page.nextStartAfter != nil)
        for object in page.objects { document.contents(object, encodesURL: encodesURL, showsOwner: true) }
        document.commonPrefixes(page.commonPrefixes, encodesURL: encodesURL)
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListBucketResult")))
    }

    /// ListObjectsV2: paged by an opaque token.
    package func listObjectsV2(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let parameters = try ListingParameters(request.query)
        let startAfter = try ListingParameters.text("start-after", request.query)
        let token = request.query.string("continuation-token")
        var position = startAfter
        // An empty token asks for the first page, as on AWS.
        if let token, !token.isEmpty { position = try ContinuationToken.decode(token) }
        let page = try await request.answering { () async throws(MetadataError) in
            try await engine.listObjects(
                ListObjects(
                    bucket: bucket, prefix: parameters.prefix, delimiter: parameters.delimiter, startAfter: position,
                    maxKeys: parameters.maxKeys, read: request.read))
        }
        let encodesURL = parameters.encodesURL
        let showsOwner = request.query.string("fetch-owner")?.lowercased() == "true"
        var document = XMLWriter(root: "ListBucketResult", byteCountEstimate: page.byteCountEstimate)
        document.element("Name", request.bucket)
        document.element("Prefix", key: parameters.prefix, encodesURL: encodesURL)
        if let token { document.element("ContinuationToken", token) }
        if !startAfter.isEmpty { document.element("StartAfter", key: startAfter, encodesURL: encodesURL) }
        if let next = page.nextStartAfter { document.element("NextContinuationToken", ContinuationToken.encode(next)) }
        document.element("KeyCount", page.objects.count + page.commonPrefixes.count)
        document.limits(parameters, isTruncated: page.nextStartAfter != nil)
        for object in page.objects { document.contents(object, encodesURL: encodesURL, showsOwner: showsOwner) }
        document.commonPrefixes(page.commonPrefixes, encodesURL: encodesURL)
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListBucketResult")))
    }
}

extension ListObjectsPage {
    /// Bytes that the document will take, roughly, so that it is written without being moved.
    fileprivate var byteCountEstimate: Int {
        let keyByteCount = objects.reduce(0) { $0 + $1.key.bytes.count } + commonPrefixes.reduce(0) { $0 + $1.count }
        return 1024 + keyByteCount + 420 * objects.count + 60 * commonPrefixes.count
    }
}

extension XMLWriter {
    /// What all listings of keys echo.
    mutating func limits(_ parameters: ListingParameters, isTruncated: Bool) {
        element("MaxKeys", parameters.maxKeys)
        if !parameters.delimiter.isEmpty {
            element("Delimiter", key: parameters.delimiter, encodesURL: parameters.encodesURL)
        }
        if parameters.encodesURL { raw("<EncodingType>url</EncodingType>") }
        element("IsTruncated", isTruncated)
    }

    /// A key of ListObjects. The elements between two values are one static string each: this runs 1,000 times a page.
    mutating func contents(_ object: ListedObject, encodesURL: Bool, showsOwner: Bool) {
        raw("<Contents><Key>")
        if encodesURL { urlEncoded(object.key.bytes) } else { text(object.key.bytes) }
        raw("</Key><LastModified>")
        date(milliseconds: object.lastModifiedMilliseconds)
        raw("</LastModified><ETag>")
        etag(object.etag)
        raw("</ETag>")
        checksum(object.checksumAlgorithm, object.checksumKind)
        raw("<Size>")
        number(object.size)
        raw("</Size>")
        if showsOwner { owner(object.owner) }
        storageClass(object.storageClass)
        raw("</Contents>")
    }

    mutating func checksum(_ algorithm: ChecksumAlgorithm?, _ kind: ObjectChecksum.Kind?) {
        if let algorithm { element("ChecksumAlgorithm", algorithm.name) }
        if let kind { element("ChecksumType", kind.name) }
    }

    mutating func storageClass(_ storageClass: String?) {
        if let storageClass {
            element("StorageClass", storageClass)
        } else {
            raw("<StorageClass>STANDARD</StorageClass>")
        }
    }
}
