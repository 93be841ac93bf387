package import Metadata
import NIOHTTP1

extension S3Error {
    /// What a client is told about a failure of the engine. The detail that the engine gives is for the log, not for clients.
    ///
    /// A full disk is 507: the SDKs do not repeat it (a retry cannot help before an operator acts), and an operator of MinIO
    /// knows the status. What may pass by itself (`unavailable`, `staleRead`, `timeout`) is 503 with `Retry-After`, which the
    /// SDKs do repeat. Damage is 500 and never bytes.
    package init(_ error: MetadataError, bucket: String = "", key: [UInt8] = []) {
        let named: [Detail] = bucket.isEmpty ? [] : [Detail("BucketName", bucket)]
        let keyed: [Detail] = key.isEmpty ? [] : [Detail("Key", String(decoding: key, as: UTF8.self))]
        switch error.code {
        case .noSuchBucket:
            self.init("NoSuchBucket", .notFound, "The specified bucket does not exist", details: named)
        case .bucketAlreadyExists:
            self.init(
                "BucketAlreadyExists", .conflict,
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
                    + "Please select a different name and try again.", details: named)
        case .bucketAlreadyOwnedByYou:
            self.init(
                "BucketAlreadyOwnedByYou", .conflict,
                "Your previous request to create the named bucket succeeded and you already own it.", details: named)
        case .bucketNotEmpty:
            self.init("BucketNotEmpty", .conflict, "The bucket you tried to delete is not empty", details: named)
        case .noSuchKey:
            self.init(
                "NoSuchKey", .notFound, "The specified key does not exist.", details: keyed,
                headers: error.deleteMarker == nil ? [] : [Detail("x-amz-delete-marker", "true")])
        case .noSuchVersion:
            self.init("NoSuchVersion", .notFound, "The specified version does not exist.", details: keyed)
        case .deleteMarker:
            var headers = [Detail("x-amz-delete-marker", "true"), Detail("Allow", "DELETE")]
            if let written = error.lastModifiedMilliseconds {
                headers.append(Detail("Last-Modified", S3Timestamp(milliseconds: written).httpDate))
            }
            self.init(
                "MethodNotAllowed", .methodNotAllowed, "The specified method is not allowed against this resource.",
                details: [Detail("ResourceType", "DeleteMarker")], headers: headers)
        case .noSuchUpload:
            self.init(
                "NoSuchUpload", .notFound,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
                    + "or completed.")
        case .accessDenied:
            self = .accessDenied()
        case .preconditionFailed:
            self.init(
                "PreconditionFailed", .preconditionFailed,
                "At least one of the pre-conditions you specified did not hold")
        case .invalidPart:
            self.init(
                "InvalidPart", .badRequest,
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
                    + "specified entity tag may not match the part's entity tag.")
        case .invalidPartOrder:
            self.init(
                "InvalidPartOrder", .badRequest,
                "The list of parts was not in ascending order. The parts list must be specified in order by part number.")
        case .entityTooSmall:
            self.init(
                "EntityTooSmall", .badRequest, "Your proposed upload is smaller than the minimum allowed size")
        case .checksumMismatch:
            self.init(
                "BadDigest", .badRequest, "The checksum you specified did not match the calculated checksum.")
        case .invalidArgument:
            self.init("InvalidArgument", .badRequest, error.detail.isEmpty ? "Invalid Argument" : error.detail)
        case .keyTooLong:
            self.init(
                "KeyTooLongError", .badRequest, "Your key is too long",
                details: [Detail("Size", "\(key.count)"), Detail("MaxSizeAllowed", "\(ObjectKey.byteCountMax)")])
        case .invalidKey:
            self = .invalidURI
        case .limitExceeded:
            self.init(
                "InvalidRequest", .badRequest,
                error.detail.isEmpty ? "The request is beyond a limit of the service." : error.detail)
        case .corruption, .ioError:
            self = .internalError
        case .unknownOutcome:
            self.init(
                "InternalError", .internalServerError,
                "The outcome of the request is not known: it may have taken effect. Please try again.")
        case .noSpace:
            self.init("StorageFull", .insufficientStorage, "The storage is full; nothing was stored.")
        case .timeout:
            self.init(
                "SlowDown", .serviceUnavailable, "No quorum of the cluster has answered in time. Please try again.",
                headers: [Detail("Retry-After", "1")])
        case .unknownTimeout:
            self.init(
                "SlowDown", .serviceUnavailable,
                "No quorum of the cluster has answered in time: the request may have taken effect. Please try again.",
                headers: [Detail("Retry-After", "1")])
        case .notImplemented:
            self.init("NotImplemented", .notImplemented, error.detail)
        case .unavailable where error == .removedNode:
            self.init(
                "ServiceUnavailable", .serviceUnavailable,
                "This node was removed from the cluster, and serves nothing any more. Please ask another node.")
        case .unavailable:
            self.init(
                "ServiceUnavailable", .serviceUnavailable, "Service is unable to handle request. Please try again.",
                headers: [Detail("Retry-After", "1")])
            isUnavailable = true
        case .staleRead:
            self.init(
                "ServiceUnavailable", .serviceUnavailable,
                "The read could not be served within the staleness that it allows. Please try again.",
                headers: [Detail("Retry-After", "1")])
        }
    }
}
