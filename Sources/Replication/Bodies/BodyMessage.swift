import Metadata
package import NIOCore
package import ObjectDataStore

/// What nodes say to each other on the lane of bodies. docs/formats/body-messages.md has the bytes.
///
/// Who says it was settled in the handshake of the connection; the transport's frames have checksums. A message may be lost with its
/// connection, never reordered on it.
package enum BodyMessage: Sendable, Hashable {
    /// Names one upload among those of its sender.
    package typealias Stream = UInt64

    // From the node that receives the client's bytes.
    case open(Stream, BodyID)
    /// Bytes that begin at that offset: all before them have been sent.
    case data(Stream, offset: UInt64, ByteBuffer)
    /// All has been sent. The checksum is that of the blocks' checksums, as at the end of the file.
    case finish(Stream, length: UInt64, tableChecksum: UInt32)
    case abort(Stream)
    /// All streams of the sender; others have ended, whatever became of the word of it.
    case streams([Stream])
    /// Nothing names these bodies, and nothing will.
    case discard([BodyID])

    // Its answers.
    /// So many bytes have been taken.
    case accepted(Stream, byteCount: UInt64)
    case durable(Stream)
    case failed(Stream, BodyFailure)

    // Reading.
    /// - offset: of a block; byteCount: as many as `BodyMessage.readByteCountMax`, at most.
    case read(request: UInt64, BodyID, offset: UInt64, byteCount: UInt32)
    case bytes(BodyBytes)
    case readFailed(request: UInt64, BodyFailure)

    // While a replacement of the state is prepared (cluster version 2).
    /// Which of these bodies the receiver has; it answers when it deletes none any more until the replacement's end.
    case holds(request: UInt64, RestoreID, [BodyID])
    /// For each of the bodies that were asked for. Else `readFailed` answers.
    case held(request: UInt64, [Bool])

    package static let streamCountMax = 65_536
    package static let discardCountMax = 1_000
    package static let holdsCountMax = 1_000
    package static let dataByteCountMax = 1 << 20
    package static let readByteCountMax = ObjectDataReader.byteCountMax
}

/// Whole blocks of a body, in answer to a read.
package struct BodyBytes: Sendable, Hashable {
    package var request: UInt64
    /// Of the whole body.
    package var length: UInt64
    package var tableChecksum: UInt32
    package var offset: UInt64
    /// Of each block, bound to the body and the block's place.
    package var blockChecksums: [UInt32]
    package var bytes: ByteBuffer

    package init(
        request: UInt64, length: UInt64, tableChecksum: UInt32, offset: UInt64, blockChecksums: [UInt32], bytes: ByteBuffer
    ) {
        self.request = request
        self.length = length
        self.tableChecksum = tableChecksum
        self.offset = offset
        self.blockChecksums = blockChecksums
        self.bytes = bytes
    }
}

/// Why a peer does not take or give a body. The codes are on the wire.
package enum BodyFailure: UInt8, Error, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// Its disk is full, or what is left of it is kept for the metadata.
    case noSpace = 1
    case missing = 2
    case damaged = 3
    /// Its disk failed otherwise.
    case storage = 4
    /// It does too much of that kind already.
    case busy = 5
    /// What it was told does not fit together.
    case protocolViolation = 6
    /// There is no connection with it, or no answer came in time. Never on the wire.
    case unreachable = 255

    package var description: String {
        switch self {
        case .noSpace: "its disk is full"
        case .missing: "it does not have the body"
        case .damaged: "its copy is damaged"
        case .storage: "its disk failed"
        case .busy: "it is busy"
        case .protocolViolation: "it was told what does not fit together"
        case .unreachable: "it cannot be reached"
        }
    }

    init(_ error: ObjectDataStoreError) {
        switch error {
        case .noSpace: self = .noSpace
        case .missing: self = .missing
        case .damaged: self = .damaged
        case .tooManyOpenFiles: self = .busy
        case .failed, .closed, .writerEnded: self = .storage
        }
    }
}

// MARK: Bytes

extension BodyMessage {
    enum Kind: UInt8 {
        case open = 1
        case data = 2
        case finish = 3
        case abort = 4
        case streams = 5
        case discard = 6
        case accepted = 7
        case durable = 8
        case failed = 9
        case read = 10
        case bytes = 11
        case readFailed = 12
        case holds = 13
        case held = 14
    }

    /// The message, and what follows it in memory of its own.
    package func encoded() -> (head: ByteBuffer, rest: ByteBuffer?) {
        var head = ByteBuffer()
        var rest: ByteBuffer?
        switch self {
        case .open(let stream, let id):
            head.write(.open, stream)
            head.write(id)
        case .data(let stream, let offset, let bytes):
            head.write(.data, stream)
            head.writeInteger(offset, endianness: .little)
            rest = bytes
        case .finish(let stream, let length, let tableChecksum):
            head.write(.finish, stream)
            head.writeInteger(length, endianness: .little)
            head.writeInteger(tableChecksum, endianness: .little)
        case .abort(let stream): head.write(.abort, stream)
        case .streams(let streams):
            head.write(.streams, UInt64(streams.count))
            for stream in streams { head.writeInteger(stream, endianness: .little) }
        case .discard(let ids):
            head.write(.discard, UInt64(ids.count))
            for id in ids { head.write(id) }
        case .accepted(let stream, let byteCount):
            head.write(.accepted, stream)
            head.writeInteger(byteCount, endianness: .little)
        case .durable(let stream): head.write(.durable, stream)
        case .failed(let stream, let failure):
            head.write(.failed, stream)
            head.writeInteger(failure.rawValue)
        case .read(let request, let id, let offset, let byteCount):
            head.write(.read, request)
            head.write(id)
            head.writeInteger(offset, endianness: .little)
            head.writeInteger(byteCount, endianness: .little)
        case .bytes(let answer):
            head.write(.bytes, answer.request)
            head.writeInteger(answer.length, endianness: .little)
            head.writeInteger(answer.tableChecksum, endianness: .little)
            head.writeInteger(answer.offset, endianness: .little)
            head.writeInteger(UInt32(answer.blockChecksums.count), endianness: .little)
            for checksum in answer.blockChecksums { head.writeInteger(checksum, endianness: .little) }
            rest = answer.bytes
        case .readFailed(let request, let failure):
            head.write(.readFailed, request)
            head.writeInteger(failure.rawValue)
        case .holds(let request, let restore, let ids):
            head.write(.holds, request)
            head.writeInteger(restore.low, endianness: .little)
            head.writeInteger(restore.high, endianness: .little)
            head.writeInteger(UInt32(ids.count), endianness: .little)
            for id in ids { head.write(id) }
        case .held(let request, let answers):
            head.write(.held, request)
            head.writeInteger(UInt32(answers.count), endianness: .little)
            for answer in answers { head.writeInteger(answer ? 1 : 0 as UInt8) }
        }
        return (head, rest)
    }

    /// Reads a message that takes up all readable bytes; bytes of bodies share the buffer's memory.
    package init(decoding buffer: ByteBuffer) throws(DecodingFault) {
        var reader = BodyMessageReader(buffer: buffer)
        self = try reader.readMessage()
        try reader.expectEnd()
    }
}

extension ByteBuffer {
    fileprivate mutating func write(_ kind: BodyMessage.Kind, _ first: UInt64) {
        writeInteger(kind.rawValue)
        writeInteger(first, endianness: .little)
    }

    fileprivate mutating func write(_ id: BodyID) {
        writeInteger(id.origin, endianness: .little)
        writeInteger(id.sequence, endianness: .little)
    }
}

private struct BodyMessageReader {
    var buffer: ByteBuffer

    mutating func readMessage() throws(DecodingFault) -> BodyMessage {
        let code: UInt8 = try read()
        guard let kind = BodyMessage.Kind(rawValue: code) else { throw .unknownCode(field: "kind", code: UInt64(code)) }
        let first: UInt64 = try read()
        switch kind {
        case .open: return .open(first, try readID())
        case .data:
            let offset = try readOffset()
            return .data(first, offset: offset, try readBytes(countMax: BodyMessage.dataByteCountMax))
        case .finish: return .finish(first, length: try readOffset(), tableChecksum: try read())
        case .abort: return .abort(first)
        case .streams:
            let count = try count(first, max: BodyMessage.streamCountMax, elementByteCount: 8)
            var streams: [UInt64] = []
            for _ in 0..<count { streams.append(try read()) }
            return .streams(streams)
        case .discard:
            let count = try count(first, max: BodyMessage.discardCountMax, elementByteCount: 16)
            var ids: [BodyID] = []
            for _ in 0..<count { ids.append(try readID()) }
            return .discard(ids)
        case .accepted: return .accepted(first, byteCount: try readOffset())
        case .durable: return .durable(first)
        case .failed: return .failed(first, try readFailure())
        case .read:
            let id = try readID()
            let offset = try readOffset()
            let byteCount: UInt32 = try read()
            guard offset % UInt64(BodyFormat.blockByteCount) == 0, byteCount > 0,
                Int(byteCount) <= BodyMessage.readByteCountMax
            else { throw .invalid(field: "range") }
            return .read(request: first, id, offset: offset, byteCount: byteCount)
        case .bytes: return .bytes(try readAnswer(first))
        case .readFailed: return .readFailed(request: first, try readFailure())
        case .holds:
            let low: UInt64 = try read()
            let restore = RestoreID(high: try read(), low: low)
            let count = try count(UInt64(try read() as UInt32), max: BodyMessage.holdsCountMax, elementByteCount: 16)
            var ids: [BodyID] = []
            for _ in 0..<count { ids.append(try readID()) }
            return .holds(request: first, restore, ids)
        case .held:
            let count = try count(UInt64(try read() as UInt32), max: BodyMessage.holdsCountMax, elementByteCount: 1)
            var answers: [Bool] = []
            for _ in 0..<count {
                let code: UInt8 = try read()
                guard code <= 1 else { throw .unknownCode(field: "answer", code: UInt64(code)) }
                answers.append(code == 1)
            }
            return .held(request: first, answers)
        }
    }

    private mutating func readAnswer(_ request: UInt64) throws(DecodingFault) -> BodyBytes {
        let length = try readOffset()
        let tableChecksum: UInt32 = try read()
        let offset = try readOffset()
        let count = Int(try read() as UInt32)
        guard count <= BodyMessage.readByteCountMax / BodyFormat.blockByteCount else {
            throw .tooMany(field: "block checksums", count: count)
        }
        var checksums: [UInt32] = []
        for _ in 0..<count { checksums.append(try read()) }
        let bytes = try readBytes(countMax: BodyMessage.readByteCountMax)
        let blockCount = (bytes.readableBytes + BodyFormat.blockByteCount - 1) / BodyFormat.blockByteCount
        guard blockCount == count, offset % UInt64(BodyFormat.blockByteCount) == 0,
            offset + UInt64(bytes.readableBytes) <= length
        else { throw .invalid(field: "blocks") }
        return BodyBytes(
            request: request, length: length, tableChecksum: tableChecksum, offset: offset, blockChecksums: checksums,
            bytes: bytes)
    }

    func expectEnd() throws(DecodingFault) {
        guard buffer.readableBytes == 0 else { throw .trailing(byteCount: buffer.readableBytes) }
    }

    private mutating func read<Integer: FixedWidthInteger>() throws(DecodingFault) -> Integer {
        guard let value = buffer.readInteger(endianness: .little, as: Integer.self) else {
            throw .truncated(missing: MemoryLayout<Integer>.size - buffer.readableBytes)
        }
        return value
    }

    private mutating func readID() throws(DecodingFault) -> BodyID {
        BodyID(origin: try read(), sequence: try read())
    }

    /// A length or a place in a body.
    private mutating func readOffset() throws(DecodingFault) -> UInt64 {
        let offset: UInt64 = try read()
        guard offset <= BodyFormat.lengthMax else { throw .invalid(field: "offset") }
        return offset
    }

    /// What is left.
    private mutating func readBytes(countMax: Int) throws(DecodingFault) -> ByteBuffer {
        guard buffer.readableBytes <= countMax else { throw .tooMany(field: "bytes", count: buffer.readableBytes) }
        guard buffer.readableBytes > 0 else { throw .invalid(field: "bytes") }
        defer { buffer.moveReaderIndex(to: buffer.writerIndex) }
        return buffer.slice()
    }

    private mutating func readFailure() throws(DecodingFault) -> BodyFailure {
        let code: UInt8 = try read()
        guard let failure = BodyFailure(rawValue: code), failure != .unreachable else {
            throw .unknownCode(field: "failure", code: UInt64(code))
        }
        return failure
    }

    private func count(_ value: UInt64, max: Int, elementByteCount: Int) throws(DecodingFault) -> Int {
        guard value <= UInt64(max) else { throw .tooMany(field: "count", count: Int(clamping: value)) }
        let count = Int(value)
        guard count * elementByteCount <= buffer.readableBytes else {
            throw .truncated(missing: count * elementByteCount - buffer.readableBytes)
        }
        return count
    }
}
