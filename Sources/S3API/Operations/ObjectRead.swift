package import Metadata
package import NIOHTTP1

/// What GetObject and HeadObject were asked for, and the decision on it once the version is known. No I/O.
package struct ObjectRead: Sendable {
    package let target: GetObject
    private let headers: HTTPHeaders
    private let query: S3Query
    private let partNumber: UInt16?

    package enum Plan: Sendable {
        case notModified(HTTPHeaders)
        /// 200 or 206 with these bytes of the object.
        case send(HTTPResponseStatus, HTTPHeaders, Range<UInt64>)
    }

    package init(_ request: S3Request) throws(S3Error) {
        target = GetObject(
            bucket: try request.bucketReference(), key: try request.objectKey(), versionID: try request.versionID(),
            read: request.read)
        partNumber = try request.partNumber()
        headers = request.headers
        query = request.query
        if partNumber != nil, headers.contains(name: "range") {
            throw .invalidRequest("Cannot specify both Range header and partNumber query parameter")
        }
    }

    /// - Throws: `PreconditionFailed`, `InvalidRange`, `InvalidPartNumber`, `InvalidArgument` (a `response-*` value).
    package func plan(_ info: ObjectInfo) throws(S3Error) -> Plan {
        switch ReadConditions(headers).evaluate(etag: info.etag, lastModifiedMilliseconds: info.lastModifiedMilliseconds) {
        case .proceed: break
        case .failed(let condition): throw .preconditionFailed(condition)
        case .notModified:
            var response = HTTPHeaders()
            response.addValidators(info)
            return .notModified(response)
        }
        let range = try requestedRange(info)
        let isChecksumWanted = range == nil && headers.first(name: "x-amz-checksum-mode")?.uppercased() == "ENABLED"
        var response = HTTPHeaders(whole: info, withChecksum: isChecksumWanted)
        if partNumber != nil, !info.parts.isEmpty {
            response.add(name: "x-amz-mp-parts-count", value: String(info.parts.count))
        }
        if let range {
            response.add(name: "Content-Range", value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(info.size)")
        }
        try ResponseOverrides.apply(query, to: &response)
        return .send(range == nil ? .ok : .partialContent, response, range ?? 0..<info.size)
    }

    /// `nil`: the whole object, as 200.
    private func requestedRange(_ info: ObjectInfo) throws(S3Error) -> Range<UInt64>? {
        if let partNumber { return try range(ofPart: partNumber, info) }
        guard let header = headers.first(name: "range"), let range = ByteRange(header: header), ifRangeHolds(info) else {
            return nil
        }
        guard let resolved = range.resolved(size: info.size) else {
            throw S3Error(
                "InvalidRange", .rangeNotSatisfiable, "The requested range is not satisfiable",
                details: [
                    S3Error.Detail("RangeRequested", header), S3Error.Detail("ActualObjectSize", String(info.size)),
                ],
                headers: [S3Error.Detail("Content-Range", "bytes */\(info.size)")])
        }
        return resolved
    }

    /// An object of one piece is its own first part.
    private func range(ofPart number: UInt16, _ info: ObjectInfo) throws(S3Error) -> Range<UInt64>? {
        if info.parts.isEmpty {
            guard number == 1 else { throw invalidPartNumber(number, partCount: 1) }
            return info.size == 0 ? nil : 0..<info.size
        }
        var offset: UInt64 = 0
        for part in info.parts {
            // The sum of the parts is the object's size, which fits in 64 bits; a record where it does not is damage.
            let (end, overflow) = offset.addingReportingOverflow(part.size)
            guard !overflow, end <= info.size else { throw .internalError }
            if part.number == number { return part.size == 0 ? nil : offset..<end }
            offset = end
        }
        throw invalidPartNumber(number, partCount: info.parts.count)
    }

    private func invalidPartNumber(_ number: UInt16, partCount: Int) -> S3Error {
        S3Error(
            "InvalidPartNumber", .rangeNotSatisfiable, "The requested partnumber is not satisfiable",
            details: [
                S3Error.Detail("PartNumberRequested", String(number)), S3Error.Detail("ActualPartCount", String(partCount)),
            ])
    }

    /// RFC 9110, section 13.1.5: the range counts only while the version is the one the client has; otherwise the whole is sent.
    private func ifRangeHolds(_ info: ObjectInfo) -> Bool {
        guard let value = headers.first(name: "if-range") else { return true }
        if let date = HTTPDate.milliseconds(value) { return date / 1000 == info.lastModifiedMilliseconds / 1000 }
        return ETagMatch.list([value], weak: false).contains { $0 != .any && $0.matches(info.etag) }
    }
}
