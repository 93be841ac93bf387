package import NIOHTTP1

/// The headers that authentication reads, found in one walk: a lookup by name costs a walk each. Of a repeated header the first.
package struct AuthenticationHeaders: Sendable {
    package private(set) var authorization: String?
    package private(set) var amazonDate: String?
    package private(set) var date: String?
    package private(set) var contentHash: String?
    package private(set) var hasSecurityToken = false

    package init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            // The length rules most headers out.
            switch name.utf8.count {
            case 4 where date == nil && ASCIICase.equal(name, "date"): date = value
            case 10 where amazonDate == nil && ASCIICase.equal(name, "x-amz-date"): amazonDate = value
            case 13 where authorization == nil && ASCIICase.equal(name, "authorization"): authorization = value
            case 20 where contentHash == nil && ASCIICase.equal(name, "x-amz-content-sha256"): contentHash = value
            case 20 where ASCIICase.equal(name, "x-amz-security-token"): hasSecurityToken = true
            default: break
            }
        }
    }
}

/// A Signature Version 4 as a request presents it, taken apart but not yet verified.
package struct PresentedSignature: Sendable, Equatable {
    /// Where it stood, which decides the code of the errors about it.
    package enum Place: Sendable, Equatable {
        case header
        /// A presigned URL, good for that many seconds.
        case query(expiresSeconds: Int64)
    }

    package var place: Place
    package var scope: SigningScope
    /// Names in the order given.
    package var signedHeaders: [String]
    /// Hexadecimal, as given.
    package var signature: String
    package var timestamp: S3Timestamp
    /// The timestamp as it goes into the string to sign.
    package var timestampText: String

    /// - Returns: `nil` for an anonymous request.
    /// - Throws: `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`, `InvalidArgument` (two mechanisms, an
    ///   unknown one), `InvalidRequest` (Signature Version 2), `NotImplemented` (Signature Version 4A), `AccessDenied` (no date).
    package init?(
        headers: AuthenticationHeaders, query: S3Query, presignedSecondsMax: Int64
    ) throws(S3Error) {
        let authorization = headers.authorization
        let isPresigned = query.items.contains { $0.name == "X-Amz-Algorithm" || $0.name == "X-Amz-Signature" }
        let isVersion2 = query.contains("AWSAccessKeyId") && query.contains("Signature")
        switch (authorization, isPresigned || isVersion2) {
        case (nil, false): return nil
        case (let value?, true): throw .twoMechanisms(value)
        case (let value?, false): try self.init(authorization: value, headers: headers)
        case (nil, true):
            if !isPresigned { throw .unsupportedMechanism }
            try self.init(presigned: query, secondsMax: presignedSecondsMax)
        }
    }

    // MARK: Authorization header

    private init(authorization: String, headers: AuthenticationHeaders) throws(S3Error) {
        let text = Array(authorization.utf8)
        let algorithmEnd = text.firstIndex(of: UInt8(ascii: " ")) ?? text.endIndex
        switch String(decoding: text[..<algorithmEnd], as: UTF8.self) {
        case "AWS4-HMAC-SHA256": break
        case "AWS": throw .unsupportedMechanism
        case "AWS4-ECDSA-P256-SHA256": throw .notImplemented(header: "Authorization", value: "AWS4-ECDSA-P256-SHA256")
        default: throw .invalidArgument("Unsupported Authorization Type", name: "Authorization", value: authorization)
        }

        var credential, signedHeaders, signature: ArraySlice<UInt8>?
        for field in text[algorithmEnd...].split(separator: UInt8(ascii: ",")) {
            let pair = Self.trimmed(field)
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else {
                throw .authorizationHeaderMalformed("a field has no equal-sign")
            }
            let value = pair[(equals + 1)...]
            switch String(decoding: pair[..<equals], as: UTF8.self) {
            case "Credential" where credential == nil: credential = value
            case "SignedHeaders" where signedHeaders == nil: signedHeaders = value
            case "Signature" where signature == nil: signature = value
            default: throw .authorizationHeaderMalformed("a field is unknown or repeated")
            }
        }
        guard let credential, let signedHeaders, let signature else {
            throw .authorizationHeaderMalformed("it needs Credential, SignedHeaders and Signature")
        }
        guard let scope = SigningScope(credential: credential) else {
            throw .authorizationHeaderMalformed(
                "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"")
        }
        guard let names = Self.headerNames(signedHeaders) else {
            throw .authorizationHeaderMalformed("SignedHeaders is mal-formed")
        }
        self.place = .header
        self.scope = scope
        self.signedHeaders = names
        self.signature = String(decoding: signature, as: UTF8.self)
        (self.timestamp, self.timestampText) = try Self.timestamp(of: headers)
    }

    /// `x-amz-date` goes before `Date`, which may be in either form.
    private static func timestamp(of headers: AuthenticationHeaders) throws(S3Error) -> (S3Timestamp, String) {
        if let text = headers.amazonDate {
            guard let timestamp = S3Timestamp(basicISO8601: text.utf8) else { throw .dateMissing }
            return (timestamp, text)
        }
        guard let text = headers.date,
            let timestamp = S3Timestamp(httpDate: text) ?? S3Timestamp(basicISO8601: text.utf8)
        else { throw .dateMissing }
        return (timestamp, timestamp.basicISO8601)
    }

    // MARK: Presigned URL

    private init(presigned query: S3Query, secondsMax: Int64) throws(S3Error) {
        func parameter(_ name: String) throws(S3Error) -> String {
            let values = query.items.lazy.filter { $0.name == name }
            guard let item = values.first, values.dropFirst().first == nil else {
                throw .authorizationQueryParameters(
                    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
                        + "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters, each once.")
            }
            return String(decoding: item.value ?? [], as: UTF8.self)
        }
        let algorithm = try parameter("X-Amz-Algorithm")
        if algorithm == "AWS4-ECDSA-P256-SHA256" { throw .notImplemented(header: "X-Amz-Algorithm", value: algorithm) }
        guard algorithm == "AWS4-HMAC-SHA256" else {
            throw .authorizationQueryParameters("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        let (credential, date) = (try parameter("X-Amz-Credential"), try parameter("X-Amz-Date"))
        let (expires, signedHeaders) = (try parameter("X-Amz-Expires"), try parameter("X-Amz-SignedHeaders"))
        self.signature = try parameter("X-Amz-Signature")
        guard let scope = SigningScope(credential: Array(credential.utf8)[...]) else {
            throw .authorizationQueryParameters(
                "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                    + "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
        }
        guard let timestamp = S3Timestamp(basicISO8601: date.utf8) else {
            throw .authorizationQueryParameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        guard let seconds = Int64(expires) else {
            throw .authorizationQueryParameters("X-Amz-Expires should be a number")
        }
        guard (1...secondsMax).contains(seconds) else {
            throw .authorizationQueryParameters("X-Amz-Expires must be between 1 and \(secondsMax) seconds")
        }
        guard let names = Self.headerNames(Array(signedHeaders.utf8)[...]) else {
            throw .authorizationQueryParameters("X-Amz-SignedHeaders is mal-formed")
        }
        self.place = .query(expiresSeconds: seconds)
        self.scope = scope
        self.signedHeaders = names
        self.timestamp = timestamp
        self.timestampText = date
    }

    // MARK: Lexical

    /// `host;x-amz-date` → names; `nil` when one is empty.
    private static func headerNames(_ text: ArraySlice<UInt8>) -> [String]? {
        let names = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard names.allSatisfy({ !$0.isEmpty }) else { return nil }
        return names.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop { $0 == UInt8(ascii: " ") }
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        return text
    }
}
