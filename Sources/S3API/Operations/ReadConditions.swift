package import Metadata
package import NIOHTTP1

/// The conditional headers of a read, and of the source of a copy.
package struct ReadConditions: Sendable, Equatable {
    package var ifMatch: [ETagMatch]?
    package var ifNoneMatch: [ETagMatch]?
    /// Milliseconds UTC, whole seconds.
    package var ifModifiedSince: UInt64?
    package var ifUnmodifiedSince: UInt64?

    package enum Outcome: Sendable, Equatable {
        case proceed
        case notModified
        /// The header whose condition did not hold, without prefix.
        case failed(String)
    }

    /// - Parameter prefix: `x-amz-copy-source-` for a copy's source. A date that is none is ignored (RFC 9110, 13.1.3).
    package init(_ headers: HTTPHeaders, prefix: String = "") {
        func tags(_ name: String, weak: Bool) -> [ETagMatch]? {
            let values = headers[prefix + name]
            return values.isEmpty ? nil : ETagMatch.list(values, weak: weak)
        }
        ifMatch = tags("if-match", weak: false)
        ifNoneMatch = tags("if-none-match", weak: true)
        ifModifiedSince = headers.first(name: prefix + "if-modified-since").flatMap { HTTPDate.milliseconds($0) }
        ifUnmodifiedSince = headers.first(name: prefix + "if-unmodified-since").flatMap { HTTPDate.milliseconds($0) }
    }

    /// RFC 9110, section 13.2.2, which is also what S3 documents: a tag that is there decides alone, and its date is not looked
    /// at. Dates compare in whole seconds, as the header that the client got showed them.
    package func evaluate(etag: ETag, lastModifiedMilliseconds: UInt64) -> Outcome {
        let modifiedSecond = lastModifiedMilliseconds / 1000
        if let ifMatch {
            guard ifMatch.contains(where: { $0.matches(etag) }) else { return .failed("If-Match") }
        } else if let ifUnmodifiedSince, modifiedSecond > ifUnmodifiedSince / 1000 {
            return .failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if ifNoneMatch.contains(where: { $0.matches(etag) }) { return .notModified }
        } else if let ifModifiedSince, modifiedSecond <= ifModifiedSince / 1000 {
            return .notModified
        }
        return .proceed
    }
}

extension WriteConditions {
    /// `If-Match` and `If-None-Match` of a write.
    /// - Throws: `InvalidRequest` when there are both, which no state could satisfy as meant.
    package init(writeHeaders headers: HTTPHeaders) throws(S3Error) {
        let match = headers["if-match"]
        let noneMatch = headers["if-none-match"]
        if match.isEmpty && noneMatch.isEmpty {
            self.init()
            return
        }
        self.init(ifMatch: ETagMatch.list(match, weak: false), ifNoneMatch: ETagMatch.list(noneMatch, weak: true))
        if !match.isEmpty && !noneMatch.isEmpty {
            throw .invalidRequest("If-Match and If-None-Match cannot be used together in one write.")
        }
        if (!match.isEmpty && ifMatch.isEmpty) || (!noneMatch.isEmpty && ifNoneMatch.isEmpty) {
            throw .invalidRequest("A conditional header names no entity tag.")
        }
    }

    /// The conditions of DeleteObject.
    package init(deleteHeaders headers: HTTPHeaders) throws(S3Error) {
        try self.init(writeHeaders: headers)
        if let text = headers.first(name: "x-amz-if-match-last-modified-time") {
            guard let milliseconds = HTTPDate.milliseconds(text) else {
                throw .invalidArgument("The date is not valid.", name: "x-amz-if-match-last-modified-time", value: text)
            }
            ifMatchLastModifiedMilliseconds = milliseconds
        }
        if let text = headers.first(name: "x-amz-if-match-size") {
            guard let size = UInt64(text.trimmed) else {
                throw .invalidArgument("The size is not valid.", name: "x-amz-if-match-size", value: text)
            }
            ifMatchSize = size
        }
    }
}
