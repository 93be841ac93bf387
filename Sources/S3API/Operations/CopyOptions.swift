import Metadata
import NIOHTTP1

/// What a CopyObject changes on the way.
struct CopyOptions: Sendable {
    /// `nil`: those of the source.
    private var replacement: ObjectAttributes?
    /// Neither is copied: without its header the copy is `STANDARD` and redirects nowhere, as on AWS.
    private var storageClass: String?
    private var redirectLocation: String?
    private var namesStorageClass: Bool
    /// `nil`: those of the source.
    private var tags: [ResourceTag]?
    /// Asked for by `x-amz-checksum-algorithm`; otherwise the source's.
    var checksumAlgorithm: ChecksumAlgorithm?

    init(_ headers: HTTPHeaders) throws(S3Error) {
        storageClass = try ObjectAttributes.storageClass(headers)
        namesStorageClass = headers.contains(name: "x-amz-storage-class")
        redirectLocation = try ObjectAttributes.redirectLocation(headers)
        switch headers.first(name: "x-amz-metadata-directive") {
        case nil, "COPY": replacement = nil
        case "REPLACE": replacement = try ObjectAttributes(headers)
        case let directive?:
            throw .invalidArgument("Unknown metadata directive.", name: "x-amz-metadata-directive", value: directive)
        }
        switch headers.first(name: "x-amz-tagging-directive") {
        case nil, "COPY": tags = nil
        case "REPLACE": tags = try ObjectAttributes.tags(headers.first(name: "x-amz-tagging"))
        case let directive?:
            throw .invalidArgument("Unknown tagging directive.", name: "x-amz-tagging-directive", value: directive)
        }
        if let name = headers.first(name: "x-amz-checksum-algorithm") { checksumAlgorithm = try .named(name) }
    }

    func attributes(of source: ObjectInfo) -> ObjectAttributes {
        var attributes = replacement ?? source.attributes
        attributes.storageClass = storageClass
        attributes.websiteRedirectLocation = redirectLocation
        attributes.tags = tags ?? source.attributes.tags
        return attributes
    }

    var keepsTags: Bool { tags == nil }

    /// A copy onto itself must change something besides the bytes. (Tags do not count on AWS: PutObjectTagging is for them.)
    func changes(_ source: ObjectInfo) -> Bool {
        replacement != nil || redirectLocation != nil || (namesStorageClass && storageClass != source.attributes.storageClass)
            || (checksumAlgorithm != nil && checksumAlgorithm != source.checksum?.algorithm)
    }

    /// The source's checksum, where it can be the copy's as it stands: over all bytes, and of the algorithm wanted.
    func carriedChecksum(of source: ObjectInfo) -> ObjectChecksum? {
        guard let checksum = source.checksum, checksum.kind == .fullObject,
            checksumAlgorithm == nil || checksumAlgorithm == checksum.algorithm
        else { return nil }
        return checksum
    }

    /// The algorithm that must be computed over the bytes; `nil`: none, or the checksum is carried.
    func computedAlgorithm(of source: ObjectInfo) -> ChecksumAlgorithm? {
        carriedChecksum(of: source) == nil ? checksumAlgorithm ?? source.checksum?.algorithm : nil
    }
}
