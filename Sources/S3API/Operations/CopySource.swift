package import Metadata
import NIOHTTP1

/// The value of `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded.
package struct CopySource: Sendable, Equatable {
    package var bucket: String
    package var key: [UInt8]
    package var versionID: VersionID?

    /// - Throws: `InvalidArgument` for a source that cannot be one.
    package init(header: String) throws(S3Error) {
        var path = Substring(header)
        var versionText: Substring?
        if let separator = Self.versionSeparator(in: path) {
            versionText = path[separator.upperBound...]
            path = path[..<separator.lowerBound]
        }
        guard let decoded = Self.percentDecoded(path) else {
            throw .invalidArgument("Invalid copy source encoding.", name: "x-amz-copy-source", value: header)
        }
        let bytes = decoded.first == UInt8(ascii: "/") ? decoded.dropFirst() : decoded[...]
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")), slash + 1 < bytes.endIndex else {
            throw .invalidArgument("Invalid copy source object key", name: "x-amz-copy-source", value: header)
        }
        bucket = String(decoding: bytes[..<slash], as: UTF8.self)
        guard BucketName.isValid(bucket) else {
            throw .invalidArgument("Invalid copy source bucket name", name: "x-amz-copy-source", value: header)
        }
        key = Array(bytes[(slash + 1)...])
        versionID = nil
        if let versionText {
            let text = Self.percentDecoded(versionText).map { String(decoding: $0, as: UTF8.self) } ?? ""
            versionID = try S3Request.versionID(text)
        }
    }

    /// The last `?versionId=`: a question mark of the key itself comes as `%3F`.
    private static func versionSeparator(in path: Substring) -> Range<Substring.Index>? {
        guard let mark = path.lastIndex(of: "?"), path[mark...].hasPrefix("?versionId=") else { return nil }
        return mark..<path.index(mark, offsetBy: 11)
    }

    private static func percentDecoded(_ text: Substring) -> [UInt8]? {
        do throws(S3Error) { return try S3Target.percentDecoded(Array(text.utf8)[...]) } catch { return nil }
    }
}
