package import Metadata
import NIOHTTP1

/// What a request names, checked.
extension S3Request {
    /// The request's bucket; it must be the caller's own (the front has compared `x-amz-expected-bucket-owner` with the caller).
    /// - Throws: `InvalidBucketName`.
    package func bucketReference() throws(S3Error) -> BucketReference {
        try BucketName.validate(bucket)
        return BucketReference(name: bucket, requiredOwner: identity.owner.canonicalID)
    }

    /// - Throws: `KeyTooLongError`, `InvalidURI` (not UTF-8).
    package func objectKey() throws(S3Error) -> ObjectKey {
        do throws(MetadataError) { return try ObjectKey(key) } catch { throw S3Error(error, for: self) }
    }

    /// The `versionId` parameter.
    /// - Throws: `InvalidArgument` for text that is no version id.
    package func versionID() throws(S3Error) -> VersionID? {
        guard let text = query.string("versionId") else { return nil }
        return try Self.versionID(text)
    }

    static func versionID(_ text: String) throws(S3Error) -> VersionID {
        guard let versionID = VersionID(text: text) else {
            throw .invalidArgument(
                text.isEmpty ? "Version id cannot be the empty string" : "Invalid version id specified",
                name: "versionId", value: text)
        }
        return versionID
    }

    /// The upload that `uploadId` names.
    /// - Throws: `NoSuchUpload` for text that is no upload id.
    package func uploadReference() throws(S3Error) -> MultipartUploadReference {
        let bucket = try bucketReference()
        let key = try objectKey()
        let text = query.string("uploadId") ?? ""
        guard let uploadID = UploadID(text: text) else { throw .noSuchUpload(text) }
        return MultipartUploadReference(bucket: bucket, key: key, uploadID: uploadID)
    }

    /// The `partNumber` parameter, 1…10,000.
    package func partNumber() throws(S3Error) -> UInt16? {
        guard let text = query.string("partNumber") else { return nil }
        guard let number = UInt16(text), (1...10_000).contains(number) else {
            throw .invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber", value: text)
        }
        return number
    }

    /// As `partNumber`, where there must be one.
    package func requiredPartNumber() throws(S3Error) -> UInt16 {
        guard let number = try partNumber() else {
            throw .invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber", value: "")
        }
        return number
    }

    /// Turns the engine's error into the request's answer.
    func answering<Value>(
        _ body: () async throws(MetadataError) -> Value
    ) async throws(S3Error) -> Value {
        do throws(MetadataError) { return try await body() } catch { throw S3Error(error, for: self) }
    }
}

/// The parameters that the listings share.
struct ListingParameters {
    static let keyCountMax = 1000

    var prefix: [UInt8]
    var delimiter: [UInt8]
    /// As asked, at most 1,000.
    var maxKeys: Int
    /// `encoding-type=url`.
    var encodesURL: Bool

    /// - Parameter limitName: `max-keys`, `max-uploads`.
    init(_ query: S3Query, limitName: String = "max-keys") throws(S3Error) {
        prefix = try Self.text("prefix", query)
        delimiter = try Self.text("delimiter", query)
        maxKeys = try Self.limit(limitName, query, max: Self.keyCountMax)
        encodesURL = try Self.encodesURL(query)
    }

    /// Absent: empty.
    /// - Throws: `InvalidArgument` for bytes that are not UTF-8: no key could begin with them, and no reply could echo them.
    static func text(_ name: String, _ query: S3Query) throws(S3Error) -> [UInt8] {
        guard let bytes = query.bytes(name) else { return [] }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .invalidArgument("\(name) is not valid UTF-8", name: name, value: String(decoding: bytes, as: UTF8.self))
        }
        return bytes
    }

    static func limit(_ name: String, _ query: S3Query, max limit: Int) throws(S3Error) -> Int {
        guard let text = query.string(name), !text.isEmpty else { return limit }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = Int32(text) else {
            throw .invalidArgument(
                Int(text) == nil
                    ? "Provided \(name) not an integer or within integer range"
                    : "Argument \(name) must be an integer between 0 and 2147483647", name: name, value: text)
        }
        return min(Int(value), limit)
    }

    static func encodesURL(_ query: S3Query) throws(S3Error) -> Bool {
        guard let text = query.string("encoding-type") else { return false }
        guard text == "url" else {
            throw .invalidArgument("Invalid Encoding Method specified in Request", name: "encoding-type", value: text)
        }
        return true
    }
}

extension XMLWriter {
    /// A key, prefix or marker, in the encoding that the listing was asked for.
    mutating func element(_ name: StaticString, key: [UInt8], encodesURL: Bool) {
        open(name)
        if encodesURL { urlEncoded(key) } else { text(key) }
        close(name)
    }

    mutating func owner(_ owner: Owner, as name: StaticString = "Owner") {
        open(name)
        element("ID", owner.canonicalID)
        element("DisplayName", owner.displayName)
        close(name)
    }

    mutating func commonPrefixes(_ prefixes: [[UInt8]], encodesURL: Bool) {
        for prefix in prefixes {
            raw("<CommonPrefixes>")
            element("Prefix", key: prefix, encodesURL: encodesURL)
            raw("</CommonPrefixes>")
        }
    }
}

extension HTTPHeaders {
    mutating func add(_ name: String, ifPresent value: String?) {
        if let value { add(name: name, value: value) }
    }

    static let xml: HTTPHeaders = ["Content-Type": "application/xml"]
}
