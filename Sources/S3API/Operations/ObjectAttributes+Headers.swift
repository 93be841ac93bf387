package import Metadata
package import NIOHTTP1

/// What a client says about an object, from the headers of PutObject, CopyObject and CreateMultipartUpload. The front has taken
/// `aws-chunked` out of `Content-Encoding`.
extension ObjectAttributes {
    static let userMetadataPrefix = "x-amz-meta-"
    /// S3's limit on names (without their prefix) and values together.
    static let userMetadataByteCountMax = 2048

    /// Classes that S3 has. None changes how the object is kept: the class is echoed.
    private static let storageClasses: Set<String> = [
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
        "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE",
    ]

    /// - Throws: `MetadataTooLarge`, `InvalidStorageClass`, `InvalidRedirectLocation`, `InvalidTag`, `InvalidArgument` (tags that are
    ///   not encoded as they must be).
    package init(_ headers: HTTPHeaders) throws(S3Error) {
        let standard = StandardHeaders(headers)
        self.init(
            contentType: standard.contentType, cacheControl: standard.cacheControl,
            contentDisposition: standard.contentDisposition, contentEncoding: standard.contentEncoding,
            contentLanguage: standard.contentLanguage, expires: standard.expires,
            websiteRedirectLocation: try Self.redirectLocation(headers), storageClass: try Self.storageClass(headers),
            userMetadata: try Self.userMetadata(headers), tags: try Self.tags(standard.tagging))
    }

    /// Found in one walk, of a repeated header the first; an empty one is none.
    private struct StandardHeaders {
        var contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, tagging: String?

        init(_ headers: HTTPHeaders) {
            for (name, value) in headers.reversed() {
                let value = value.isEmpty ? nil : value
                // The length rules most headers out.
                switch name.utf8.count {
                case 7 where ASCIICase.equal(name, "expires"): expires = value
                case 12 where ASCIICase.equal(name, "content-type"): contentType = value
                case 13 where ASCIICase.equal(name, "cache-control"): cacheControl = value
                case 13 where ASCIICase.equal(name, "x-amz-tagging"): tagging = value
                case 16 where ASCIICase.equal(name, "content-encoding"): contentEncoding = value
                case 16 where ASCIICase.equal(name, "content-language"): contentLanguage = value
                case 19 where ASCIICase.equal(name, "content-disposition"): contentDisposition = value
                default: break
                }
            }
        }
    }

    /// - Parameter header: the value of `x-amz-tagging`.
    /// - Throws: `InvalidTag`, `InvalidArgument`.
    static func tags(_ header: String?) throws(S3Error) -> [ResourceTag] {
        guard let header else { return [] }
        return try TagSet(header: header).tags
    }

    private static func value(_ name: String, _ headers: HTTPHeaders) -> String? {
        headers.first(name: name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `nil` is `STANDARD`.
    package static func storageClass(_ headers: HTTPHeaders) throws(S3Error) -> String? {
        guard let value = headers.first(name: "x-amz-storage-class") else { return nil }
        guard storageClasses.contains(value) else {
            throw S3Error(
                "InvalidStorageClass", .badRequest, "The storage class you specified is not valid",
                details: [S3Error.Detail("StorageClassRequested", value)])
        }
        return value == "STANDARD" ? nil : value
    }

    package static func redirectLocation(_ headers: HTTPHeaders) throws(S3Error) -> String? {
        guard let value = value("x-amz-website-redirect-location", headers) else { return nil }
        guard value.hasPrefix("/") || value.hasPrefix("http://") || value.hasPrefix("https://") else {
            throw S3Error(
                "InvalidRedirectLocation", .badRequest,
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
        }
        guard value.utf8.count <= 2048 else {
            throw S3Error(
                "InvalidRedirectLocation", .badRequest, "The length of website redirect location cannot exceed 2048 characters."
            )
        }
        return value
    }

    /// Names in lower case; values of a repeated name are joined by a comma, as S3 does.
    private static func userMetadata(_ headers: HTTPHeaders) throws(S3Error) -> [MetadataField] {
        var fields: [MetadataField] = []
        var byteCount = 0
        for (name, value) in headers {
            guard name.utf8.count > userMetadataPrefix.utf8.count, ASCIICase.hasPrefix(name, userMetadataPrefix) else {
                continue
            }
            let short = String(name.lowercased().dropFirst(userMetadataPrefix.count))
            byteCount += value.utf8.count
            if let position = fields.firstIndex(where: { $0.name == short }) {
                fields[position].value += "," + value
                byteCount += 1
            } else {
                fields.append(MetadataField(name: short, value: value))
                byteCount += short.utf8.count
            }
        }
        guard byteCount <= userMetadataByteCountMax else {
            throw S3Error(
                "MetadataTooLarge", .badRequest, "Your metadata headers exceed the maximum allowed metadata size",
                details: [
                    S3Error.Detail("Size", String(byteCount)),
                    S3Error.Detail("MaxSizeAllowed", String(userMetadataByteCountMax)),
                ])
        }
        return fields
    }
}
