package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// GetObjectAttributes: what is known of a version besides its bytes and headers, as far as it was asked for.
    package func getObjectAttributes(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let target = GetObject(
            bucket: try request.bucketReference(), key: try request.objectKey(), versionID: try request.versionID(),
            read: request.read)
        let wanted = try ObjectAttributeNames(request.headers)
        let page = try ObjectPartsPage(request.headers)
        let info = try await request.answering { () async throws(MetadataError) in try await engine.headObject(target) }

        var headers = HTTPHeaders.xml
        headers.add(name: "Last-Modified", value: HTTPDate.text(milliseconds: info.lastModifiedMilliseconds))
        headers.addVersion(info.versionID, info.bucketVersioning)
        var document = XMLWriter(root: "GetObjectAttributesResponse")
        if wanted.contains(.etag) { document.element("ETag", unquoted: info.etag) }
        if wanted.contains(.checksum), let checksum = info.checksum {
            document.open("Checksum")
            // Unlike in headers, a composite checksum stands without the number of its parts: ObjectParts has that.
            document.element(checksum.algorithm.elementName, Base64.encode(checksum.digest))
            document.element("ChecksumType", checksum.kind.name)
            document.close("Checksum")
        }
        if wanted.contains(.objectParts), !info.parts.isEmpty { document.objectParts(info, page) }
        if wanted.contains(.storageClass) { document.storageClass(info.attributes.storageClass) }
        if wanted.contains(.objectSize) { document.element("ObjectSize", info.size) }
        return HTTPResponse(
            status: .ok, headers: headers, body: .bytes(document.finish(root: "GetObjectAttributesResponse")))
    }
}

/// The values of `x-amz-object-attributes`.
private struct ObjectAttributeNames: OptionSet {
    let rawValue: UInt8

    static let etag = ObjectAttributeNames(rawValue: 1)
    static let checksum = ObjectAttributeNames(rawValue: 2)
    static let objectParts = ObjectAttributeNames(rawValue: 4)
    static let storageClass = ObjectAttributeNames(rawValue: 8)
    static let objectSize = ObjectAttributeNames(rawValue: 16)
}

extension ObjectAttributeNames {
    /// - Throws: `InvalidArgument` for a name that S3 does not know, and for none.
    fileprivate init(_ headers: HTTPHeaders) throws(S3Error) {
        self = []
        for name in headers[canonicalForm: "x-amz-object-attributes"] where !name.isEmpty {
            switch name {
            case "ETag": insert(.etag)
            case "Checksum": insert(.checksum)
            case "ObjectParts": insert(.objectParts)
            case "StorageClass": insert(.storageClass)
            case "ObjectSize": insert(.objectSize)
            default: throw Self.invalid(String(name))
            }
        }
        if isEmpty { throw Self.invalid("") }
    }

    private static func invalid(_ name: String) -> S3Error {
        .invalidArgument("Invalid attribute name specified.", name: "x-amz-object-attributes", value: name)
    }
}

/// Which of an object's parts are shown.
private struct ObjectPartsPage {
    static let partCountMax = 1000

    /// As asked, at most 1,000.
    let maxParts: Int
    /// Parts with a greater number.
    let marker: UInt16

    /// - Throws: `InvalidArgument` for a value that is no number.
    init(_ headers: HTTPHeaders) throws(S3Error) {
        maxParts = try Self.number("x-amz-max-parts", headers, max: Self.partCountMax) ?? Self.partCountMax
        marker = UInt16(try Self.number("x-amz-part-number-marker", headers, max: Int(UInt16.max)) ?? 0)
    }

    private static func number(_ name: String, _ headers: HTTPHeaders, max limit: Int) throws(S3Error) -> Int? {
        guard let text = headers.first(name: name) else { return nil }
        guard let number = Int32(text), number >= 0 else {
            throw .invalidArgument("The value must be an integer between 0 and 2147483647.", name: name, value: text)
        }
        return min(Int(number), limit)
    }
}

extension XMLWriter {
    /// The parts of a multipart object. Those without a checksum are only counted, as on AWS.
    fileprivate mutating func objectParts(_ info: ObjectInfo, _ page: ObjectPartsPage) {
        let following = info.parts.drop { $0.number <= page.marker }
        let shown = following.prefix(page.maxParts)
        open("ObjectParts")
        element("PartsCount", info.parts.count)
        element("PartNumberMarker", page.marker)
        element("NextPartNumberMarker", shown.last?.number ?? 0)
        element("MaxParts", page.maxParts)
        element("IsTruncated", page.maxParts > 0 && shown.count < following.count)
        for part in shown {
            guard let checksum = part.checksum else { continue }
            open("Part")
            element("PartNumber", part.number)
            element("Size", part.size)
            element(checksum.algorithm.elementName, checksum.text(partCount: 1))
            close("Part")
        }
        close("ObjectParts")
    }
}
