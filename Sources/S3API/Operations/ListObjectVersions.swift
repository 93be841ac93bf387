package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// ListObjectVersions: every version and delete marker, by key, then newest first.
    package func listObjectVersions(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let parameters = try ListingParameters(request.query)
        let keyMarker = try ListingParameters.text("key-marker", request.query)
        let versionMarker = try Self.versionMarker(request.query, hasKeyMarker: !keyMarker.isEmpty)
        let page = try await request.answering { () async throws(MetadataError) in
            try await engine.listObjectVersions(
                ListObjectVersions(
                    bucket: bucket, prefix: parameters.prefix, delimiter: parameters.delimiter, keyMarker: keyMarker,
                    versionMarker: versionMarker, maxKeys: parameters.maxKeys, read: request.read))
        }
        let encodesURL = parameters.encodesURL
        let keyByteCount = page.versions.reduce(0) { $0 + $1.object.key.bytes.count }
        var document = XMLWriter(
            root: "ListVersionsResult", byteCountEstimate: 1024 + keyByteCount + 560 * page.versions.count)
        document.element("Name", request.bucket)
        document.element("Prefix", key: parameters.prefix, encodesURL: encodesURL)
        document.element("KeyMarker", key: keyMarker, encodesURL: encodesURL)
        document.element("VersionIdMarker", versionMarker?.text ?? "")
        if let next = page.next {
            document.element("NextKeyMarker", key: next.key, encodesURL: encodesURL)
            if let versionID = next.versionID { document.element("NextVersionIdMarker", versionID.text) }
        }
        document.limits(parameters, isTruncated: page.next != nil)
        for version in page.versions { document.version(version, encodesURL: encodesURL) }
        document.commonPrefixes(page.commonPrefixes, encodesURL: encodesURL)
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListVersionsResult")))
    }

    private static func versionMarker(_ query: S3Query, hasKeyMarker: Bool) throws(S3Error) -> VersionID? {
        guard let text = query.string("version-id-marker") else { return nil }
        // The CLI sends an empty marker along with an empty key marker on the first page of some loops.
        if text.isEmpty && !hasKeyMarker { return nil }
        guard !text.isEmpty else {
            throw .invalidArgument("A version-id marker cannot be empty.", name: "version-id-marker", value: text)
        }
        guard hasKeyMarker else {
            throw .invalidArgument(
                "A version-id marker cannot be specified without a key marker.", name: "version-id-marker", value: text)
        }
        guard let marker = VersionID(text: text) else {
            throw .invalidArgument("Invalid version id specified", name: "version-id-marker", value: text)
        }
        return marker
    }
}

extension XMLWriter {
    fileprivate mutating func version(_ version: ListedVersion, encodesURL: Bool) {
        let object = version.object
        raw(version.isDeleteMarker ? "<DeleteMarker><Key>" : "<Version><Key>")
        if encodesURL { urlEncoded(object.key.bytes) } else { text(object.key.bytes) }
        raw("</Key><VersionId>")
        text(version.versionID.text)
        raw(version.isLatest ? "</VersionId><IsLatest>true</IsLatest>" : "</VersionId><IsLatest>false</IsLatest>")
        raw("<LastModified>")
        date(milliseconds: object.lastModifiedMilliseconds)
        raw("</LastModified>")
        if !version.isDeleteMarker {
            raw("<ETag>")
            etag(object.etag)
            raw("</ETag>")
            checksum(object.checksumAlgorithm, object.checksumKind)
            element("Size", object.size)
            storageClass(object.storageClass)
        }
        owner(object.owner)
        raw(version.isDeleteMarker ? "</DeleteMarker>" : "</Version>")
    }
}
