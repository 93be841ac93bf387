package import NIOHTTP1

/// What `x-amz-content-sha256` says about the body.
package enum PayloadHash: Sendable, Equatable {
    case unsigned
    /// The SHA-256 of the whole body, 32 bytes.
    case sha256([UInt8])
    /// `aws-chunked` framing.
    case chunked(isSigned: Bool, hasTrailers: Bool)

    /// - Throws: `InvalidArgument`; `NotImplemented` for the elliptic-curve variants.
    package init(_ value: String) throws(S3Error) {
        switch value {
        case "UNSIGNED-PAYLOAD": self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .chunked(isSigned: true, hasTrailers: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .chunked(isSigned: true, hasTrailers: true)
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .chunked(isSigned: false, hasTrailers: true)
        case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER":
            throw .notImplemented(header: "x-amz-content-sha256", value: value)
        default:
            guard value.utf8.count == 64, let hash = Hexadecimal.decode(value.utf8) else { throw .contentHashInvalid(value) }
            self = .sha256(hash)
        }
    }
}

/// What a chunk's signature is made with, once the request's own has been verified.
package struct ChunkSigningContext: Sendable {
    package var key: SigningKey
    package var scope: SigningScope
    package var timestamp: String
    /// Hexadecimal; what the first chunk's signature follows.
    package var seedSignature: [UInt8]

    package init(key: SigningKey, scope: SigningScope, timestamp: String, seedSignature: [UInt8]) {
        self.key = key
        self.scope = scope
        self.timestamp = timestamp
        self.seedSignature = seedSignature
    }
}

/// A request whose signature is right.
package struct VerifiedSignature: Sendable {
    package var identity: S3Identity
    package var payloadHash: PayloadHash
    package var chunkSigning: ChunkSigningContext
}

/// Verifies Signature Version 4, in the `Authorization` header or a presigned URL
/// (S3 API reference, "Authenticating Requests (AWS Signature Version 4)").
package struct SignatureVerifier: Sendable {
    private let region: String
    private let credentials: S3CredentialStore
    private let limits: S3Limits
    private let keys: SigningKeyCache
    private let profiles = SigningProfileCache()

    package init(region: String, credentials: S3CredentialStore, limits: S3Limits = S3Limits()) {
        self.region = region
        self.credentials = credentials
        self.limits = limits
        self.keys = SigningKeyCache(countMax: limits.signingKeyCountMax)
    }

    /// - Throws: `AccessDenied` for an anonymous request; otherwise the error that S3 has for what is wrong. Nothing about the
    ///   body has been looked at yet.
    package func verify(
        method: HTTPMethod, target: S3Target, headers: HTTPHeaders, nowMilliseconds: UInt64
    ) throws(S3Error) -> VerifiedSignature {
        if let signature = verifyAtOnce(method: method, target: target, headers: headers, nowMilliseconds: nowMilliseconds) {
            return signature
        }
        let authentication = AuthenticationHeaders(headers)
        guard
            let presented = try PresentedSignature(
                headers: authentication, query: target.query, presignedSecondsMax: limits.presignedSecondsMax)
        else { throw .accessDenied() }
        try checkScope(presented)
        try checkTime(presented, now: S3Timestamp(milliseconds: nowMilliseconds))
        if authentication.hasSecurityToken || target.query.contains("X-Amz-Security-Token") {
            throw .tokenInvalid
        }
        guard let credential = credentials.credential(accessKey: presented.scope.accessKey) else {
            throw .accessKeyUnknown(presented.scope.accessKey)
        }
        let payload = try payload(presented, headers: authentication, query: target.query)
        let signedHeaders = SignedHeaders(names: presented.signedHeaders, in: headers)
        try checkNothingIsUnsigned(signedHeaders)

        let key = keys.key(for: presented.scope, secretKey: credential.secretKey)
        try checkSignature(
            presented, key: key, method: method, target: target, headers: signedHeaders, payload: payload.text)
        let identity = S3Identity(accessKey: credential.accessKey, owner: credential.owner)
        if let authorization = authentication.authorization,
            let profile = SigningProfile(presented, authorization: authorization, identity: identity, key: key)
        {
            profiles.insert(profile)
        }
        return VerifiedSignature(
            identity: identity, payloadHash: payload.hash,
            chunkSigning: ChunkSigningContext(
                key: key, scope: presented.scope, timestamp: presented.timestampText,
                seedSignature: Array(presented.signature.utf8)))
    }

    /// As `verify` for the most frequent form: without a query, and signed as an earlier request over the path as sent.
    ///
    /// - Returns: `nil` when in doubt.
    private func verifyAtOnce(
        method: HTTPMethod, target: S3Target, headers: HTTPHeaders, nowMilliseconds: UInt64
    ) -> VerifiedSignature? {
        guard target.query.items.isEmpty, let fields = RequestFields(headers),
            let payloadHash = try? PayloadHash(fields.contentHash),
            let profile = profile(
                method: method.rawValue, path: String(decoding: target.rawPath, as: UTF8.self), fields: fields,
                nowMilliseconds: nowMilliseconds)
        else { return nil }
        return VerifiedSignature(
            identity: profile.identity, payloadHash: payloadHash,
            chunkSigning: ChunkSigningContext(
                key: profile.key, scope: profile.scope, timestamp: fields.amazonDate,
                seedSignature: Array(fields.authorization.utf8.suffix(SigningProfile.signatureDigitCount))))
    }

    /// Who signed a plain request without a body, if that can be told at once: a signature like it has been verified before.
    ///
    /// - Parameter path: in canonical form, without a query.
    /// - Returns: `nil` when in doubt: `verify` knows, and says what is wrong.
    func signer(
        method: String, path: String, fields: RequestFields, nowMilliseconds: UInt64
    ) -> S3Identity? {
        guard fields.isPlain, fields.contentHash == StringToSign.emptyHash || fields.contentHash == "UNSIGNED-PAYLOAD" else {
            return nil
        }
        return profile(method: method, path: path, fields: fields, nowMilliseconds: nowMilliseconds)?.identity
    }

    /// The profile by which the request is signed, now.
    private func profile(
        method: String, path: String, fields: RequestFields, nowMilliseconds: UInt64
    ) -> SigningProfile? {
        guard let profile = profiles.profile(for: fields.authorization),
            let timestamp = S3Timestamp(basicISO8601: fields.amazonDate.utf8),
            abs(timestamp.seconds - S3Timestamp(milliseconds: nowMilliseconds).seconds) <= limits.clockSkewSecondsMax,
            profile.signs(
                method: method, path: path, fields: fields,
                signature: fields.authorization.utf8.suffix(SigningProfile.signatureDigitCount))
        else { return nil }
        return profile
    }

    private func checkScope(_ presented: PresentedSignature) throws(S3Error) {
        let day = presented.timestampText.prefix(8)
        switch presented.place {
        case .header:
            guard presented.scope.region == region else {
                throw .authorizationHeaderMalformed(
                    "the region '\(presented.scope.region)' is wrong; expecting '\(region)'", region: region)
            }
            guard presented.scope.service == "s3" else {
                throw .authorizationHeaderMalformed(
                    "incorrect service \"\(presented.scope.service)\"; this endpoint belongs to \"s3\"")
            }
            guard presented.scope.date == day else {
                throw .authorizationHeaderMalformed(
                    "invalid credential date \"\(presented.scope.date)\"; it is not the day of X-Amz-Date: \"\(day)\"")
            }
        case .query:
            let start = "Error parsing the X-Amz-Credential parameter; "
            guard presented.scope.region == region else {
                throw .authorizationQueryParameters(
                    start + "the region '\(presented.scope.region)' is wrong; expecting '\(region)'", region: region)
            }
            guard presented.scope.service == "s3" else {
                throw .authorizationQueryParameters(
                    start + "incorrect service \"\(presented.scope.service)\". This endpoint belongs to \"s3\".")
            }
            guard presented.scope.date == day else {
                throw .authorizationQueryParameters(
                    start + "Invalid credential date \"\(presented.scope.date)\". "
                        + "This date is not the same as X-Amz-Date: \"\(day)\".")
            }
        }
    }

    private func checkTime(_ presented: PresentedSignature, now: S3Timestamp) throws(S3Error) {
        let skew = limits.clockSkewSecondsMax
        switch presented.place {
        case .header:
            guard abs(presented.timestamp.seconds - now.seconds) <= skew else {
                throw .timeTooSkewed(request: presented.timestampText, server: now, secondsMax: skew)
            }
        case .query(let expiresSeconds):
            guard presented.timestamp.seconds - now.seconds <= skew else {
                throw .presignedNotYetValid(date: presented.timestampText, server: now)
            }
            let expiry = S3Timestamp(seconds: presented.timestamp.seconds + expiresSeconds)
            guard now <= expiry else { throw .presignedExpired(seconds: expiresSeconds, at: expiry, server: now) }
        }
    }

    /// A presigned URL may leave the payload's hash out: it is unsigned then.
    private func payload(
        _ presented: PresentedSignature, headers: AuthenticationHeaders, query: S3Query
    ) throws(S3Error) -> (hash: PayloadHash, text: String) {
        if let text = headers.contentHash { return (try PayloadHash(text), text) }
        switch presented.place {
        case .header: throw .contentHashMissing
        case .query:
            let text = query.string("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD"
            return (try PayloadHash(text), text)
        }
    }

    /// `host` and every `x-amz-…` that is there must be signed, so that nobody between client and server can add or change one.
    private func checkNothingIsUnsigned(_ headers: SignedHeaders) throws(S3Error) {
        let host = headers.names.contains("host") ? [] : ["host"]
        guard host.isEmpty, headers.unsignedAmazonHeaders.isEmpty else {
            throw .headersNotSigned(host + headers.unsignedAmazonHeaders)
        }
    }

    private func checkSignature(
        _ presented: PresentedSignature, key: SigningKey, method: HTTPMethod, target: S3Target, headers: SignedHeaders,
        payload: String
    ) throws(S3Error) {
        let signature = presented.signature.utf8.count == 64 ? Hexadecimal.decode(presented.signature.utf8) ?? [] : []
        func attempt(_ path: CanonicalRequest.CanonicalPath) -> (isValid: Bool, canonical: [UInt8], stringToSign: [UInt8]) {
            let canonical = CanonicalRequest(
                method: method, path: path, query: target.query, headers: headers, payloadHash: payload)
            let stringToSign = StringToSign.request(
                canonicalRequest: canonical.bytes, timestamp: presented.timestampText, scope: presented.scope)
            return (key.isValid(signature: signature, for: stringToSign), canonical.bytes, stringToSign)
        }
        let first = attempt(.encoded(target.path))
        if first.isValid || attempt(.asSent(target.rawPath)).isValid { return }
        throw .signatureMismatch(presented, stringToSign: first.stringToSign, canonicalRequest: first.canonical)
    }
}
