package import NIOHTTP1

/// An error as S3 clients see it: `<Error><Code>…</Code><Message>…</Message>…</Error>` with an HTTP status.
/// Codes and statuses are those of the S3 API reference, "Error responses".
package struct S3Error: Error, Sendable, Equatable {
    package var code: String
    /// Something was not to be had that may be there when it is asked for again, or be needed no more.
    var isUnavailable = false
    package var status: HTTPResponseStatus
    package var message: String
    /// Further elements of the error document, in order (`BucketName`, `Key`, `ArgumentName`, `ArgumentValue`, `StringToSign` …).
    package var details: [Detail]
    /// Further headers of the reply (`x-amz-delete-marker`, `Retry-After`, `Allow` …).
    package var headers: [Detail]
    /// The connection cannot be used any more (the request's body was not read to its end).
    package var closesConnection: Bool

    package struct Detail: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        _ code: String, _ status: HTTPResponseStatus, _ message: String, details: [Detail] = [], headers: [Detail] = [],
        closesConnection: Bool = false
    ) {
        self.code = code
        self.status = status
        self.message = message
        self.details = details
        self.headers = headers
        self.closesConnection = closesConnection
    }
}
