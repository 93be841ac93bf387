import Crypto
import Metadata
package import NIOCore

/// Computes and compares all digests of one body: ETag's MD5, payload hash, additional checksum, signatures of chunks.
///
/// A value: it is fed in the order of the bytes, on whichever thread has time.
package struct BodyDigester: Sendable {
    package enum Item: Sendable {
        case content(ByteBuffer)
        /// The chunk's content is complete; its signature as sent.
        case chunkEnd(signature: [UInt8])
        case trailers(ChunkedDecoder.Trailers)
    }

    private let plan: BodyPlan
    private var md5: Insecure.MD5?
    /// Of the whole body.
    private var sha256: SHA256?
    private var checksum: ChecksumHasher?
    /// Of the current chunk, with signed chunks.
    private var chunk: SHA256?
    private var previousSignature: [UInt8]
    private var trailers: [(name: String, value: String)] = []
    private var byteCount: UInt64 = 0

    /// Small enough that a strip is still in the first cache when the second hash reads it.
    private static let stripByteCount = 16 * 1024

    package init(plan: BodyPlan) {
        self.plan = plan
        self.previousSignature = plan.chunkSigning.seedSignature
        if plan.needsMD5 || plan.contentMD5 != nil { md5 = Insecure.MD5() }
        if case .sha256 = plan.payload { sha256 = SHA256() }
        if case .chunked(isSigned: true, _) = plan.payload { chunk = SHA256() }
        if let algorithm = plan.checksum?.algorithm {
            // One SHA-256 serves both purposes.
            if algorithm == .sha256 { sha256 = SHA256() } else { checksum = ChecksumHasher(algorithm) }
        }
    }

    /// - Throws: `SignatureDoesNotMatch` for a chunk or the trailers, `IncompleteBody`, `EntityTooLarge`.
    package mutating func process(_ item: Item) throws(S3Error) {
        switch item {
        case .content(let bytes): try update(bytes)
        case .chunkEnd(let signature): try endChunk(signature)
        case .trailers(let trailers): try verify(trailers)
        }
    }

    private mutating func update(_ bytes: ByteBuffer) throws(S3Error) {
        byteCount += UInt64(bytes.readableBytes)
        if let declared = plan.declaredByteCount, byteCount > declared { throw .bodyIncomplete }
        guard byteCount <= plan.byteCountMax else {
            throw .entityTooLarge(proposed: byteCount, byteCountMax: plan.byteCountMax)
        }
        guard md5 != nil || sha256 != nil || checksum != nil || chunk != nil else { return }
        bytes.withUnsafeReadableBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: Self.stripByteCount) {
                let end = min(start + Self.stripByteCount, bytes.count)
                let strip = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                md5?.update(bufferPointer: strip)
                sha256?.update(bufferPointer: strip)
                checksum?.update(strip)
                chunk?.update(bufferPointer: strip)
            }
        }
    }

    private mutating func endChunk(_ signature: [UInt8]) throws(S3Error) {
        guard let hash = chunk?.finalize() else { return }
        chunk = SHA256()
        let context = plan.chunkSigning
        let stringToSign = StringToSign.chunk(
            previousSignature: previousSignature, chunkHash: hash, timestamp: context.timestamp, scope: context.scope)
        guard let code = Hexadecimal.decode(signature), context.key.isValid(signature: code, for: stringToSign) else {
            throw .chunkSignatureMismatch
        }
        previousSignature = signature
    }

    private mutating func verify(_ trailers: ChunkedDecoder.Trailers) throws(S3Error) {
        if case .chunked(isSigned: true, _) = plan.payload {
            let context = plan.chunkSigning
            let stringToSign = StringToSign.trailers(
                previousSignature: previousSignature, trailers: trailers.canonical, timestamp: context.timestamp,
                scope: context.scope)
            guard let signature = trailers.signature, let code = Hexadecimal.decode(signature),
                context.key.isValid(signature: code, for: stringToSign)
            else { throw .chunkSignatureMismatch }
        }
        guard trailers.fields.map(\.name).sorted() == plan.trailerNames.sorted() else { throw .trailerMalformed }
        self.trailers = trailers.fields
    }

    /// All of the body has been processed.
    /// - Throws: `IncompleteBody`, `XAmzContentSHA256Mismatch`, `BadDigest`, `InvalidRequest` (a trailer that is no checksum).
    package mutating func finish() throws(S3Error) -> S3BodyDigests {
        if let declared = plan.declaredByteCount, byteCount != declared { throw .bodyIncomplete }
        let sha256 = sha256.map { Array($0.finalize()) }
        if case .sha256(let expected) = plan.payload, let sha256, sha256 != expected {
            throw .contentHashMismatch(expected: expected, computed: sha256)
        }
        let md5 = md5.map { Array($0.finalize()) } ?? []
        if let expected = plan.contentMD5, md5 != expected {
            throw .contentMD5Mismatch(expected: expected, computed: md5)
        }
        return S3BodyDigests(md5: md5, checksum: try finishChecksum(sha256: sha256))
    }

    private func finishChecksum(sha256: [UInt8]?) throws(S3Error) -> ObjectChecksum? {
        guard let checksum = plan.checksum else { return nil }
        let algorithm = checksum.algorithm
        guard let digest = algorithm == .sha256 ? sha256 : self.checksum?.digest else { return nil }
        switch checksum.promise {
        case .none: break
        case .header(let expected):
            guard digest == expected else { throw .checksumMismatch(algorithm) }
        case .trailer:
            guard let text = trailers.first(where: { $0.name == algorithm.headerName })?.value else { throw .trailerMalformed }
            let expected = try BodyPlan.checksumValue(text, of: algorithm, place: "trailing header")
            guard digest == expected else { throw .checksumMismatch(algorithm) }
        }
        return ObjectChecksum(algorithm: algorithm, kind: .fullObject, digest: digest)
    }
}
