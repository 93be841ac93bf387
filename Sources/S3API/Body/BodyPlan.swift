package import Metadata
package import NIOHTTP1

/// What the head of a request says about its body, and what must be found out while the body is read.
package struct BodyPlan: Sendable {
    package struct Checksum: Sendable, Equatable {
        package enum Promise: Sendable, Equatable {
            /// Asked for, but its value was not given.
            case none
            case header([UInt8])
            /// In the trailer of that name.
            case trailer
        }

        package var algorithm: ChecksumAlgorithm
        package var promise: Promise
    }

    package var payload: PayloadHash
    /// Bytes of content, `nil` with `Transfer-Encoding: chunked` alone.
    package var declaredByteCount: UInt64?
    package var byteCountMax: UInt64
    package var needsMD5: Bool
    package var contentMD5: [UInt8]?
    package var checksum: Checksum?
    /// Names that `x-amz-trailer` announces, in lower case.
    package var trailerNames: [String]
    package var chunkSigning: ChunkSigningContext
    package var offloadedHashByteCountMin: Int

    /// - Throws: `MissingContentLength`, `EntityTooLarge`, `InvalidDigest`, `InvalidArgument`, `InvalidRequest`.
    package init(
        operation: S3Operation, headers: HTTPHeaders, signature: VerifiedSignature, limits: S3Limits
    ) throws(S3Error) {
        let kind = operation.bodyKind
        payload = signature.payloadHash
        chunkSigning = signature.chunkSigning
        offloadedHashByteCountMin = limits.offloadedHashByteCountMin
        byteCountMax = limits.entityByteCountMax
        needsMD5 = kind == .object
        declaredByteCount = try Self.declaredByteCount(headers, payload: signature.payloadHash, kind: kind)
        if let declaredByteCount, declaredByteCount > byteCountMax {
            throw .entityTooLarge(proposed: declaredByteCount, byteCountMax: byteCountMax)
        }
        contentMD5 = kind == .none ? nil : try Self.contentMD5(headers)
        trailerNames = try Self.trailerNames(headers, payload: signature.payloadHash)
        // On CompleteMultipartUpload the header is the object's checksum, not the document's.
        let isChecked = kind != .none && operation != .completeMultipartUpload
        checksum = isChecked ? try Self.checksum(headers, trailerNames: trailerNames) : nil
    }

    private static func declaredByteCount(
        _ headers: HTTPHeaders, payload: PayloadHash, kind: S3Operation.BodyKind
    ) throws(S3Error) -> UInt64? {
        if case .chunked = payload {
            guard let text = headers.first(name: "x-amz-decoded-content-length") else { throw .contentLengthMissing }
            guard let count = UInt64(text) else {
                throw .invalidArgument(
                    "The decoded content length is not a number.", name: "x-amz-decoded-content-length", value: text)
            }
            return count
        }
        if let text = headers.first(name: "content-length") {
            guard let count = UInt64(text) else {
                throw .invalidArgument("The content length is not a number.", name: "Content-Length", value: text)
            }
            return count
        }
        if headers.contains(name: "transfer-encoding") { return nil }
        if kind == .object { throw .contentLengthMissing }
        return 0
    }

    private static func contentMD5(_ headers: HTTPHeaders) throws(S3Error) -> [UInt8]? {
        guard let text = headers.first(name: "content-md5") else { return nil }
        guard let digest = Base64.decode(text.utf8), digest.count == 16 else {
            throw S3Error(
                "InvalidDigest", .badRequest, "The Content-MD5 you specified was invalid.",
                details: [.init("Content-MD5", text)])
        }
        return digest
    }

    private static func trailerNames(_ headers: HTTPHeaders, payload: PayloadHash) throws(S3Error) -> [String] {
        let names = headers[canonicalForm: "x-amz-trailer"].map { $0.lowercased() }
        if names.isEmpty { return [] }
        guard case .chunked(_, hasTrailers: true) = payload else {
            throw .invalidRequest("The x-amz-trailer header needs a payload with trailers.")
        }
        for name in names where !ChecksumAlgorithm.allCases.contains(where: { $0.headerName == name }) {
            throw .invalidRequest("The value specified in the x-amz-trailer header is not supported")
        }
        return names
    }

    private static func checksum(_ headers: HTTPHeaders, trailerNames: [String]) throws(S3Error) -> Checksum? {
        var found: [Checksum] = []
        for (name, value) in headers where ASCIICase.hasPrefix(name, "x-amz-checksum-") {
            let name = name.lowercased()
            if ["x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"].contains(name) { continue }
            guard let algorithm = ChecksumAlgorithm.allCases.first(where: { $0.headerName == name }) else {
                throw .checksumAlgorithmUnsupported
            }
            found.append(
                Checksum(algorithm: algorithm, promise: .header(try Self.checksumValue(value, of: algorithm, place: "header"))))
        }
        for name in trailerNames {
            guard let algorithm = ChecksumAlgorithm.allCases.first(where: { $0.headerName == name }) else { continue }
            found.append(Checksum(algorithm: algorithm, promise: .trailer))
        }
        guard found.count <= 1 else {
            throw .invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        for header in ["x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm"] {
            guard let name = headers.first(name: header) else { continue }
            guard let algorithm = ChecksumAlgorithm(name: name) else { throw .checksumAlgorithmUnsupported }
            guard let given = found.first else { return Checksum(algorithm: algorithm, promise: .none) }
            guard given.algorithm == algorithm else { throw .invalidRequest("Value for \(header) header is invalid.") }
        }
        return found.first
    }

    /// - Parameter place: "header" or "trailing header".
    package static func checksumValue(
        _ text: String, of algorithm: ChecksumAlgorithm, place: String
    ) throws(S3Error) -> [UInt8] {
        guard let digest = Base64.decode(text.utf8), digest.count == algorithm.digestByteCount else {
            throw .invalidRequest("Value for \(algorithm.headerName) \(place) is invalid.")
        }
        return digest
    }
}

extension S3Operation {
    package enum BodyKind: Sendable, Equatable {
        /// Nothing is expected, and what comes is not used.
        case none
        /// A small document of XML.
        case document
        /// The bytes of an object or of a part; their MD5 is its ETag.
        case object
    }

    package var bodyKind: BodyKind {
        switch self {
        case .putObject, .uploadPart: .object
        case .createBucket, .putBucketVersioning, .putBucketTagging, .putObjectTagging, .deleteObjects,
            .completeMultipartUpload:
            .document
        case .listBuckets, .headBucket, .deleteBucket, .getBucketLocation, .getBucketVersioning,
            .getBucketTagging, .deleteBucketTagging, .listObjects,
            .listObjectsV2, .listObjectVersions, .listMultipartUploads, .getObject, .headObject, .getObjectAttributes,
            .deleteObject, .copyObject, .getObjectTagging, .deleteObjectTagging,
            .createMultipartUpload, .uploadPartCopy, .abortMultipartUpload, .listParts, .notImplemented:
            .none
        }
    }
}
