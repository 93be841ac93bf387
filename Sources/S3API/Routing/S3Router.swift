package import NIOHTTP1

/// Decides which operation a request asks for, from method, path, query and headers.
package enum S3Router {
    /// - Throws: `MethodNotAllowed` (405, with `Allow`) for a method that the resource does not have, `InvalidArgument` for a
    ///   part without its upload or an unknown `list-type`, `AccessForbidden` for a preflight (there is no CORS).
    package static func route(method: HTTPMethod, target: S3Target, headers: HTTPHeaders) throws(S3Error) -> S3Operation {
        let level = level(of: target)
        if method == .OPTIONS { throw .crossOriginForbidden(level) }
        for item in target.query.items {
            if let operation = try route(subresource: item.name, method: method, level: level, target: target, headers: headers)
            {
                return operation
            }
        }
        switch level {
        case .service: return try service(method: method)
        case .bucket: return try bucket(method: method, target: target, headers: headers)
        case .object: return try object(method: method, target: target, headers: headers)
        }
    }

    package static func level(of target: S3Target) -> S3ResourceLevel {
        if target.bucket.isEmpty { return .service }
        return target.key.isEmpty ? .bucket : .object
    }

    /// `nil`: the parameter is no sub-resource.
    private static func route(
        subresource: String, method: HTTPMethod, level: S3ResourceLevel, target: S3Target, headers: HTTPHeaders
    ) throws(S3Error) -> S3Operation? {
        guard let rows = rows[subresource] else { return nil }
        for row in rows where row.level == level && row.method == method {
            if let companion = row.companion, !target.query.contains(companion) { continue }
            if row.operation == .uploadPart, headers.contains(name: "x-amz-copy-source") {
                return .uploadPartCopy
            }
            return row.operation
        }
        if subresource == "uploadId", method == .PUT, level == .object { throw .partWithoutNumber }
        // A sub-resource on the wrong resource or with the wrong method must never fall back to the plain operation:
        // `DELETE /bucket/key?lifecycle` would delete the object.
        throw .methodNotAllowed(method, level, allow: rows.filter { $0.level == level }.map(\.method))
    }

    private static func service(method: HTTPMethod) throws(S3Error) -> S3Operation {
        guard method == .GET else { throw .methodNotAllowed(method, .service, allow: [.GET]) }
        return .listBuckets
    }

    private static func bucket(
        method: HTTPMethod, target: S3Target, headers: HTTPHeaders
    ) throws(S3Error) -> S3Operation {
        switch method {
        case .GET:
            guard let listType = target.query.string("list-type") else { return .listObjects }
            guard listType == "2" else {
                throw .invalidArgument("Invalid List Type specified in Request", name: "list-type", value: listType)
            }
            return .listObjectsV2
        case .HEAD: return .headBucket
        case .PUT: return .createBucket
        case .DELETE: return .deleteBucket
        case .POST:
            if headers.contains(name: "x-amz-request-route") { return .notImplemented("WriteGetObjectResponse") }
            if let type = headers.first(name: "content-type"), type.lowercased().hasPrefix("multipart/form-data") {
                return .notImplemented("PostObject")
            }
            throw .methodNotAllowed(method, .bucket, allow: [.GET, .HEAD, .PUT, .DELETE])
        default: throw .methodNotAllowed(method, .bucket, allow: [.GET, .HEAD, .PUT, .DELETE, .POST])
        }
    }

    private static func object(
        method: HTTPMethod, target: S3Target, headers: HTTPHeaders
    ) throws(S3Error) -> S3Operation {
        switch method {
        case .GET: return .getObject
        case .HEAD: return .headObject
        case .DELETE: return .deleteObject
        case .PUT:
            // A part that lost its upload id must not become an object.
            if target.query.contains("partNumber") { throw .partWithoutUpload }
            return headers.contains(name: "x-amz-copy-source") ? .copyObject : .putObject
        default: throw .methodNotAllowed(method, .object, allow: [.GET, .HEAD, .PUT, .DELETE])
        }
    }

    private static let rows: [String: [S3Route]] = Dictionary(grouping: S3Route.all, by: \.subresource)
}
