/// Why a metadata call did not do what was asked. "Not there" and "could not read" are different codes.
public struct MetadataError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable, Hashable {
        case noSuchBucket
        /// Somebody else owns a bucket of that name.
        case bucketAlreadyExists
        case bucketAlreadyOwnedByYou
        case bucketNotEmpty
        case noSuchKey
        case noSuchVersion
        /// The version asked for, or the newest one, is a delete marker. See `deleteMarker` on the error.
        case deleteMarker
        case noSuchUpload
        case accessDenied
        case preconditionFailed
        /// A part named in a completion is missing or its ETag or checksum differs.
        case invalidPart
        case invalidPartOrder
        /// A part other than the last is under 5 MiB.
        case entityTooSmall
        /// A checksum given with a completion does not match what the parts add up to.
        case checksumMismatch
        case invalidArgument
        case keyTooLong
        case invalidKey
        /// The request is beyond a limit of the service (parts, metadata size).
        case limitExceeded
        /// The stored bytes are damaged or could not be read. Never reported as absence.
        case corruption
        case ioError
        /// The disk is full; nothing was stored.
        case noSpace
        /// The engine is stopping or its store has failed; nothing was stored.
        case unavailable
        /// The reply was lost: the write may or may not have happened.
        case unknownOutcome
        /// A read could not be served within the staleness or time that it allows.
        case staleRead
        /// No quorum has answered in time; nothing was changed.
        case timeout
        /// No quorum has answered in time: the write may or may not have happened, or may still.
        case unknownTimeout
        /// This engine cannot do it.
        case notImplemented
    }

    public var code: Code
    /// For the operator and, where it is safe, the client. Never a user's data.
    public var detail: String
    /// With `.noSuchKey` or `.deleteMarker`: the delete marker that hides the object, where there is one.
    public var deleteMarker: VersionID?
    /// With `.deleteMarker`, `.noSuchKey`: when that marker was written (milliseconds UTC).
    public var lastModifiedMilliseconds: UInt64?

    /// Nobody can say whether the write was made.
    public var isOutcomeUnknown: Bool { code == .unknownOutcome || code == .unknownTimeout }

    public init(
        _ code: Code, _ detail: String = "", deleteMarker: VersionID? = nil, lastModifiedMilliseconds: UInt64? = nil
    ) {
        self.code = code
        self.detail = detail
        self.deleteMarker = deleteMarker
        self.lastModifiedMilliseconds = lastModifiedMilliseconds
    }

    public var description: String { detail.isEmpty ? "\(code)" : "\(code): \(detail)" }
}

extension MetadataError {
    /// The node was removed from its cluster: nothing that it holds may be shown any more.
    package static let removedNode = MetadataError(.unavailable, "this node was removed from the cluster")
}
