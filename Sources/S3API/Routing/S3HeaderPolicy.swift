import Metadata
package import NIOHTTP1

/// What becomes of headers that ask for things this service does not have.
///
/// A header is refused by name where ignoring it would break what it promises (encryption, locks, grants to others), and
/// ignored where nothing is lost. docs/s3-compatibility.md has the list.
package enum S3HeaderPolicy {
    /// - Throws: `NotImplemented` naming the header, `InvalidArgument` for an unknown canned ACL, `AccessDenied` when the bucket
    ///   is expected to be somebody else's.
    package static func check(_ headers: HTTPHeaders, of identity: S3Identity) throws(S3Error) {
        for (name, value) in headers where ASCIICase.hasPrefix(name, "x-amz-") {
            let name = name.lowercased()
            switch name {
            case "x-amz-date", "x-amz-content-sha256": break
            case "x-amz-acl": try checkACL(value)
            case "x-amz-bucket-object-lock-enabled":
                if !ASCIICase.equal(value, "false") { throw .notImplemented(header: name, value: value) }
            case "x-amz-object-lock-legal-hold":
                if value != "OFF" { throw .notImplemented(header: name, value: value) }
            case "x-amz-object-ownership":
                // The owner of the bucket owns every object in it: the one rule that there is.
                if value != "BucketOwnerEnforced" { throw .notImplemented(header: name, value: value) }
            case "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner":
                // Only one's own buckets can be reached, so that the owner expected must be oneself.
                guard value == identity.owner.canonicalID else { throw .accessDenied() }
            case "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-write-offset-bytes":
                throw .notImplemented(header: name, value: value)
            default:
                if refusedPrefixes.contains(where: { name.hasPrefix($0) }) { throw .notImplemented(header: name) }
            }
        }
    }

    private static let refusedPrefixes = [
        "x-amz-server-side-encryption", "x-amz-copy-source-server-side-encryption", "x-amz-grant-",
    ]

    private static let cannedACLs: Set<String> = [
        "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "log-delivery-write",
    ]

    private static func checkACL(_ value: String) throws(S3Error) {
        switch value {
        case "private", "bucket-owner-full-control", "": return
        case _ where cannedACLs.contains(value): throw .notImplemented(header: "x-amz-acl", value: value)
        default: throw .invalidArgument("The canned ACL is not valid.", name: "x-amz-acl", value: value)
        }
    }

    /// Removes `aws-chunked` from `Content-Encoding`: it says how the body travels, not what is stored.
    package static func removeTransferCoding(from headers: inout HTTPHeaders) {
        guard headers.contains(name: "content-encoding") else { return }
        let codings = headers["content-encoding"].flatMap { $0.split(separator: ",") }.map { $0.trimmingSpaces() }
        let kept = codings.filter { !ASCIICase.equal($0, "aws-chunked") }
        guard kept.count < codings.count else { return }
        headers.remove(name: "content-encoding")
        if !kept.isEmpty { headers.add(name: "content-encoding", value: kept.joined(separator: ",")) }
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        var text = utf8.drop { $0 == UInt8(ascii: " ") }
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        return String(Substring(text))
    }
}
