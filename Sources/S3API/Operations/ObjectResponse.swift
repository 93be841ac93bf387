import Metadata
import NIOHTTP1

/// The headers of replies about one version of an object.
extension HTTPHeaders {
    /// What GetObject and HeadObject say of it, besides length, range and checksum.
    mutating func add(_ info: ObjectInfo) {
        add(name: "ETag", value: info.etag.quoted)
        add(name: "Last-Modified", value: HTTPDate.text(milliseconds: info.lastModifiedMilliseconds))
        addVersion(info.versionID, info.bucketVersioning)
        let attributes = info.attributes
        add(name: "Content-Type", value: attributes.contentType ?? "binary/octet-stream")
        add("Cache-Control", ifPresent: attributes.cacheControl)
        add("Content-Disposition", ifPresent: attributes.contentDisposition)
        add("Content-Encoding", ifPresent: attributes.contentEncoding)
        add("Content-Language", ifPresent: attributes.contentLanguage)
        add("Expires", ifPresent: attributes.expires)
        add("x-amz-website-redirect-location", ifPresent: attributes.websiteRedirectLocation)
        add("x-amz-storage-class", ifPresent: attributes.storageClass)
        if !attributes.tags.isEmpty { add(name: "x-amz-tagging-count", value: String(attributes.tags.count)) }
        for field in attributes.userMetadata {
            add(name: ObjectAttributes.userMetadataPrefix + field.name, value: field.value)
        }
    }

    /// The headers of a whole object.
    init(whole info: ObjectInfo, withChecksum: Bool) {
        self.init()
        // With those that the front and the HTTP server add.
        reserveCapacity(16)
        add(info)
        add(name: "Accept-Ranges", value: "bytes")
        if withChecksum { addChecksum(info.checksum, partCount: Swift.max(1, info.parts.count)) }
    }

    /// What a 304 repeats of them (RFC 9110, section 15.4.5).
    mutating func addValidators(_ info: ObjectInfo) {
        add(name: "ETag", value: info.etag.quoted)
        add(name: "Last-Modified", value: HTTPDate.text(milliseconds: info.lastModifiedMilliseconds))
        addVersion(info.versionID, info.bucketVersioning)
        add("Cache-Control", ifPresent: info.attributes.cacheControl)
        add("Expires", ifPresent: info.attributes.expires)
    }

    /// `x-amz-version-id` where the bucket has ever been versioned.
    mutating func addVersion(_ versionID: VersionID, _ versioning: BucketVersioning) {
        switch versioning {
        case .unversioned: break
        case .enabled, .suspended: add(name: "x-amz-version-id", value: versionID.text)
        }
    }

    /// - Parameter partCount: parts of the object, for the `-N` of a composite checksum.
    mutating func addChecksum(_ checksum: ObjectChecksum?, partCount: Int) {
        guard let checksum else { return }
        add(name: checksum.algorithm.headerName, value: checksum.text(partCount: partCount))
        add(name: "x-amz-checksum-type", value: checksum.kind.name)
    }

    /// What PutObject answers of the version it made.
    init(_ result: PutObjectResult) {
        self.init()
        // With those that the front adds.
        reserveCapacity(8)
        add(name: "ETag", value: result.etag.quoted)
        addVersion(result.versionID, result.bucketVersioning)
        addChecksum(result.checksum, partCount: Int(result.etag.partCount))
    }
}

/// The `response-*` parameters: headers that the client wants otherwise.
enum ResponseOverrides {
    private static let headers: [(parameter: String, header: String)] = [
        ("response-content-type", "Content-Type"), ("response-content-language", "Content-Language"),
        ("response-expires", "Expires"), ("response-cache-control", "Cache-Control"),
        ("response-content-disposition", "Content-Disposition"), ("response-content-encoding", "Content-Encoding"),
    ]

    /// - Throws: `InvalidArgument` for a value with control characters: it would end the header and begin another.
    static func apply(_ query: S3Query, to response: inout HTTPHeaders) throws(S3Error) {
        guard query.items.contains(where: { $0.name.hasPrefix("response-") }) else { return }
        for (parameter, header) in headers {
            guard let value = query.bytes(parameter) else { continue }
            guard value.allSatisfy({ ($0 >= 0x20 || $0 == 0x09) && $0 != 0x7F }),
                let text = String(validating: value, as: UTF8.self)
            else {
                throw .invalidArgument(
                    "The value of \(parameter) cannot stand in a header.", name: parameter, value: Base64URL.encode(value))
            }
            response.replaceOrAdd(name: header, value: text)
        }
    }
}
