package import Metadata

/// The bytes of an outcome within a result record (docs/formats/replicated-state.md).
package enum OutcomeCode {
    package static let change: UInt8 = 0
    package static let batch: UInt8 = 1

    package static let done: UInt8 = 0
    package static let put: UInt8 = 1
    package static let deleted: UInt8 = 2
    package static let uploadCreated: UInt8 = 3
    /// A refusal, in place of a reply.
    package static let refused: UInt8 = 255

    package static let noVersion: UInt8 = 0
    package static let nullVersion: UInt8 = 1
    package static let numberedVersion: UInt8 = 2

    static let detailByteCountMax = 1 << 16
    static let digestByteCountMax = 64

    /// Each error code with its number; a number is never used for another one.
    package static let errors: [(code: MetadataError.Code, number: UInt8)] = [
        (.noSuchBucket, 1), (.bucketAlreadyExists, 2), (.bucketAlreadyOwnedByYou, 3), (.bucketNotEmpty, 4), (.noSuchKey, 5),
        (.noSuchVersion, 6), (.deleteMarker, 7), (.noSuchUpload, 8), (.accessDenied, 9), (.preconditionFailed, 10),
        (.invalidPart, 11), (.invalidPartOrder, 12), (.entityTooSmall, 13), (.checksumMismatch, 14), (.invalidArgument, 15),
        (.keyTooLong, 16), (.invalidKey, 17), (.limitExceeded, 18), (.corruption, 19), (.ioError, 20), (.noSpace, 21),
        (.unavailable, 22), (.unknownOutcome, 23), (.staleRead, 24), (.timeout, 25),
    ]

    static func number(of code: MetadataError.Code) -> UInt8 {
        guard let entry = errors.first(where: { $0.code == code }) else {
            preconditionFailure("an error code without a number")
        }
        return entry.number
    }
}

extension [UInt8] {
    mutating func append(_ outcome: MetadataOutcome) {
        switch outcome {
        case .change(let result):
            append(OutcomeCode.change)
            append(result)
        case .batch(let results):
            append(OutcomeCode.batch)
            appendLittleEndian(UInt32(results.count))
            for result in results { append(result) }
        }
    }

    private mutating func append(_ result: Result<MetadataReply, MetadataError>) {
        switch result {
        case .success(.done): append(OutcomeCode.done)
        case .success(.put(let put)):
            append(OutcomeCode.put)
            append(put)
        case .success(.deleted(let deleted)):
            append(OutcomeCode.deleted)
            append(deleted.versionID)
            append(deleted.isDeleteMarker ? 1 : 0)
        case .success(.uploadCreated(let upload)):
            append(OutcomeCode.uploadCreated)
            append(upload.position)
        case .failure(let error):
            append(OutcomeCode.refused)
            append(error)
        }
    }

    private mutating func append(_ result: PutObjectResult) {
        append(result.versionID)
        appendLittleEndian(result.etag.high)
        appendLittleEndian(result.etag.low)
        appendLittleEndian(result.etag.partCount)
        appendLittleEndian(result.size)
        appendLittleEndian(result.lastModifiedMilliseconds)
        append(result.bucketVersioning.rawValue)
        guard let checksum = result.checksum else { return append(0) }
        append(checksum.algorithm.rawValue)
        append(checksum.kind.rawValue)
        append(UInt8(checksum.digest.count))
        append(contentsOf: checksum.digest)
    }

    private mutating func append(_ error: MetadataError) {
        append(OutcomeCode.number(of: error.code))
        appendBlob(Array(error.detail.utf8.prefix(OutcomeCode.detailByteCountMax)))
        append(error.deleteMarker)
        guard let milliseconds = error.lastModifiedMilliseconds else { return append(0) }
        append(1)
        appendLittleEndian(milliseconds)
    }

    private mutating func append(_ version: VersionID?) {
        switch version {
        case nil: append(OutcomeCode.noVersion)
        case .null?: append(OutcomeCode.nullVersion)
        case .version(let position)?:
            append(OutcomeCode.numberedVersion)
            append(position)
        }
    }

    private mutating func append(_ position: CommitPosition) {
        appendLittleEndian(position.index)
        appendLittleEndian(position.offset)
    }
}

extension BytesReader {
    mutating func readOutcome() throws(DecodingFault) -> MetadataOutcome {
        switch try readUInt8() {
        case OutcomeCode.change: return .change(try readResult())
        case OutcomeCode.batch:
            let count = try readCount32("results", max: MetadataOperation.batchCountMax, elementByteCountMin: 1)
            var results: [Result<MetadataReply, MetadataError>] = []
            results.reserveCapacity(count)
            for _ in 0..<count { results.append(try readResult()) }
            return .batch(results)
        case let code: throw .unknownCode(field: "outcome", code: UInt64(code))
        }
    }

    private mutating func readResult() throws(DecodingFault) -> Result<MetadataReply, MetadataError> {
        switch try readUInt8() {
        case OutcomeCode.done: return .success(.done)
        case OutcomeCode.put: return .success(.put(try readPut()))
        case OutcomeCode.deleted:
            let version = try readVersionID()
            return .success(.deleted(DeleteObjectResult(versionID: version, isDeleteMarker: try readBool("delete marker"))))
        case OutcomeCode.uploadCreated: return .success(.uploadCreated(UploadID(position: try readPosition())))
        case OutcomeCode.refused: return .failure(try readError())
        case let code: throw .unknownCode(field: "reply", code: UInt64(code))
        }
    }

    private mutating func readPut() throws(DecodingFault) -> PutObjectResult {
        guard let version = try readVersionID() else { throw .invalid(field: "version") }
        let etag = ETag(high: try readUInt64(), low: try readUInt64(), partCount: try readUInt16())
        let size = try readUInt64()
        let modified = try readUInt64()
        let versioningCode = try readUInt8()
        guard let versioning = BucketVersioning(rawValue: versioningCode) else {
            throw .unknownCode(field: "versioning", code: UInt64(versioningCode))
        }
        return PutObjectResult(
            versionID: version, etag: etag, size: size, lastModifiedMilliseconds: modified, checksum: try readChecksum(),
            bucketVersioning: versioning)
    }

    private mutating func readChecksum() throws(DecodingFault) -> ObjectChecksum? {
        let code = try readUInt8()
        guard code != 0 else { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: code) else {
            throw .unknownCode(field: "checksum", code: UInt64(code))
        }
        let kindCode = try readUInt8()
        guard let kind = ObjectChecksum.Kind(rawValue: kindCode) else {
            throw .unknownCode(field: "checksum kind", code: UInt64(kindCode))
        }
        let count = Int(try readUInt8())
        guard count <= OutcomeCode.digestByteCountMax else { throw .tooMany(field: "checksum", count: count) }
        return ObjectChecksum(algorithm: algorithm, kind: kind, digest: try readBytes(count))
    }

    private mutating func readError() throws(DecodingFault) -> MetadataError {
        let number = try readUInt8()
        guard let entry = OutcomeCode.errors.first(where: { $0.number == number }) else {
            throw .unknownCode(field: "error", code: UInt64(number))
        }
        let detail = try readBlob("detail", max: OutcomeCode.detailByteCountMax)
        let deleteMarker = try readVersionID()
        let hasTime = try readBool("last modified")
        return MetadataError(
            entry.code, String(decoding: detail, as: UTF8.self), deleteMarker: deleteMarker,
            lastModifiedMilliseconds: hasTime ? try readUInt64() : nil)
    }

    private mutating func readVersionID() throws(DecodingFault) -> VersionID? {
        switch try readUInt8() {
        case OutcomeCode.noVersion: return nil
        case OutcomeCode.nullVersion: return .null
        case OutcomeCode.numberedVersion: return .version(try readPosition())
        case let code: throw .unknownCode(field: "version", code: UInt64(code))
        }
    }

    private mutating func readPosition() throws(DecodingFault) -> CommitPosition {
        CommitPosition(index: try readUInt64(), offset: try readUInt32())
    }
}
