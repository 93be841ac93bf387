import NIOHTTP1

/// The errors that several operations answer, worded as AWS words them (S3 API reference, "List of error codes").
extension S3Error {
    package static let malformedXML = S3Error(
        "MalformedXML", .badRequest,
        "The XML you provided was not well-formed or did not validate against our published schema")

    package static func noSuchUpload(_ uploadID: String) -> S3Error {
        S3Error(
            "NoSuchUpload", .notFound,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            details: [Detail("UploadId", uploadID)])
    }

    /// - Parameter condition: the header whose condition failed.
    package static func preconditionFailed(_ condition: String) -> S3Error {
        S3Error(
            "PreconditionFailed", .preconditionFailed,
            "At least one of the pre-conditions you specified did not hold", details: [Detail("Condition", condition)])
    }

    /// Two requests for the same key met; the client may try again.
    package static let operationAborted = S3Error(
        "OperationAborted", .conflict,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.")
}
