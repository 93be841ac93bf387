package import Metadata
import NIOHTTP1

extension S3Error {
    /// The engine's error as the answer to this request: the general mapping, and what only the request knows.
    package init(_ error: MetadataError, for request: S3Request) {
        self.init(error, bucket: request.bucket, key: request.key)
        switch error.code {
        case .noSuchKey, .deleteMarker:
            if let marker = error.deleteMarker { headers.append(Detail("x-amz-version-id", marker.text)) }
            if error.code == .deleteMarker { details.insert(Detail("Method", request.method.rawValue), at: 0) }
        case .noSuchVersion:
            details.append(Detail("VersionId", request.query.string("versionId") ?? ""))
        case .noSuchUpload, .invalidPart, .invalidPartOrder:
            details.append(Detail("UploadId", request.query.string("uploadId") ?? ""))
        case .entityTooSmall:
            details.append(Detail("MinSizeAllowed", "5242880"))
        case .preconditionFailed:
            for condition in ["If-Match", "If-None-Match"] where request.headers.contains(name: condition) {
                details.append(Detail("Condition", condition))
            }
        case .noSuchBucket, .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .accessDenied,
            .checksumMismatch, .invalidArgument, .keyTooLong, .invalidKey, .limitExceeded, .corruption,
            .ioError, .noSpace, .unavailable, .unknownOutcome, .staleRead, .timeout, .unknownTimeout,
            .notImplemented:
            break
        }
    }
}
