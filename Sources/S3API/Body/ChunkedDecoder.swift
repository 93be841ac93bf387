package import NIOCore

/// Takes `aws-chunked` framing apart ("Signature calculations: transferring payload in multiple chunks").
///
/// ```
/// 10000;chunk-signature=…64 digits…\r\n   size in hexadecimal; the signature only with signed payloads
/// …bytes…\r\n
/// 0;chunk-signature=…\r\n
/// x-amz-checksum-crc32c:sOO8/Q==\r\n      only with trailers
/// x-amz-trailer-signature:…\r\n           only with signed trailers; some clients send an empty line before it
/// \r\n
/// ```
///
/// A value without I/O: bytes go in by `feed`, events come out by `next`. Content is passed on as slices of what was fed; only
/// what is left of a line or a mark is kept, and both are bounded, so that memory does not grow with a hostile body.
package struct ChunkedDecoder: Sendable {
    package enum Event: Sendable, Equatable {
        /// Never empty.
        case content(ByteBuffer)
        /// All of a chunk's content has been passed on. The signature (64 digits) is empty where chunks are not signed.
        case chunkEnd(signature: [UInt8])
        case trailers(Trailers)
    }

    package struct Trailers: Sendable, Equatable {
        /// Names in lower case, in the order sent, without `x-amz-trailer-signature`.
        package var fields: [(name: String, value: String)] = []
        /// What the signature covers: `name:value\n` for each field.
        package var canonical: [UInt8] = []
        package var signature: [UInt8]?

        package static func == (left: Trailers, right: Trailers) -> Bool {
            left.canonical == right.canonical && left.signature == right.signature
        }
    }

    /// Long enough for 16 digits, a signature and extensions nobody uses.
    package static let chunkHeaderByteCountMax = 256
    package static let trailersByteCountMax = 4096

    private enum State {
        case chunkHeader
        case content(remaining: UInt64, signature: [UInt8])
        /// The line end after a chunk's bytes.
        case contentEnd(signature: [UInt8])
        case trailers(Trailers)
        case finalLineEnd
        case ended
    }

    private let isSigned: Bool
    private let hasTrailers: Bool
    private var state = State.chunkHeader
    private var buffer = ByteBuffer()
    /// Declared bytes that have not come yet.
    private var remainingByteCount: UInt64
    private var trailersByteCount = 0

    /// - Parameter byteCount: how much content there must be (`x-amz-decoded-content-length`).
    package init(byteCount: UInt64, isSigned: Bool, hasTrailers: Bool) {
        self.remainingByteCount = byteCount
        self.isSigned = isSigned
        self.hasTrailers = hasTrailers
    }

    package mutating func feed(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// - Returns: `nil` when more bytes are needed, or when all has been said (`finish` tells which).
    /// - Throws: `InvalidRequest`, `IncompleteBody` (more or fewer bytes than declared), `MalformedTrailerError`.
    package mutating func next() throws(S3Error) -> Event? {
        while true {
            switch state {
            case .chunkHeader:
                guard let line = try nextLine(byteCountMax: Self.chunkHeaderByteCountMax, strict: true) else { return nil }
                let (size, signature) = try parseChunkHeader(line)
                guard size <= remainingByteCount else { throw .bodyIncomplete }
                if size > 0 {
                    state = .content(remaining: size, signature: signature)
                    continue
                }
                guard remainingByteCount == 0 else { throw .bodyIncomplete }
                state = hasTrailers ? .trailers(Trailers()) : .finalLineEnd
                return .chunkEnd(signature: signature)

            case .content(let remaining, let signature):
                let count = Int(min(remaining, UInt64(buffer.readableBytes)))
                guard count > 0, let content = buffer.readSlice(length: count) else { return nil }
                remainingByteCount -= UInt64(count)
                state =
                    UInt64(count) == remaining
                    ? .contentEnd(signature: signature)
                    : .content(remaining: remaining - UInt64(count), signature: signature)
                return .content(content)

            case .contentEnd(let signature):
                guard let line = try nextLine(byteCountMax: 2, strict: true) else { return nil }
                guard line.isEmpty else { throw .chunkedEncodingMalformed }
                state = .chunkHeader
                return .chunkEnd(signature: signature)

            case .trailers(var trailers):
                guard let line = try nextLine(byteCountMax: Self.trailersByteCountMax, strict: false) else { return nil }
                trailersByteCount += line.count + 2
                guard trailersByteCount <= Self.trailersByteCountMax else { throw .trailerMalformed }
                // Where trailers are signed, the signature is the last of them.
                if !line.isEmpty { try parseTrailer(line, into: &trailers) }
                guard isSigned ? trailers.signature != nil : line.isEmpty else {
                    state = .trailers(trailers)
                    continue
                }
                state = .ended
                return .trailers(trailers)

            case .finalLineEnd:
                guard let line = try nextLine(byteCountMax: 2, strict: true) else { return nil }
                guard line.isEmpty else { throw .chunkedEncodingMalformed }
                state = .ended

            case .ended:
                // Line ends beyond the last are harmless, and some clients send them.
                while let byte = buffer.readInteger(as: UInt8.self) {
                    trailersByteCount += 1
                    guard byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n"),
                        trailersByteCount <= Self.trailersByteCountMax
                    else { throw .chunkedEncodingMalformed }
                }
                return nil
            }
        }
    }

    /// The body has ended.
    /// - Throws: `IncompleteBody` when the framing has not.
    package func finish() throws(S3Error) {
        guard case .ended = state else { throw .bodyIncomplete }
    }

    // MARK: Lines

    /// The next line without its end; `nil` when it has not come wholly.
    /// - Parameter strict: it must end in CR LF; otherwise LF alone will do.
    private mutating func nextLine(byteCountMax: Int, strict: Bool) throws(S3Error) -> [UInt8]? {
        let view = buffer.readableBytesView
        guard let lineEnd = view.prefix(byteCountMax).firstIndex(of: UInt8(ascii: "\n")) else {
            if view.count >= byteCountMax { throw hasEndedContent ? .trailerMalformed : .chunkedEncodingMalformed }
            return nil
        }
        var line = Array(view[..<lineEnd])
        buffer.moveReaderIndex(forwardBy: line.count + 1)
        if line.last == UInt8(ascii: "\r") {
            line.removeLast()
        } else if strict {
            throw .chunkedEncodingMalformed
        }
        return line
    }

    private var hasEndedContent: Bool {
        if case .trailers = state { true } else { false }
    }

    private func parseChunkHeader(_ line: [UInt8]) throws(S3Error) -> (size: UInt64, signature: [UInt8]) {
        let sizeEnd = line.firstIndex(of: UInt8(ascii: ";")) ?? line.endIndex
        guard (1...16).contains(sizeEnd) else { throw .chunkedEncodingMalformed }
        var size: UInt64 = 0
        for digit in line[..<sizeEnd] {
            guard let value = Hexadecimal.value(of: digit) else { throw .chunkedEncodingMalformed }
            size = size << 4 | UInt64(value)
        }
        guard isSigned else { return (size, []) }
        let name = ";chunk-signature="
        let signature = line[sizeEnd...].dropFirst(name.utf8.count)
        guard line[sizeEnd...].starts(with: name.utf8), signature.count == 64 else { throw .chunkedEncodingMalformed }
        return (size, Array(signature))
    }

    private func parseTrailer(_ line: [UInt8], into trailers: inout Trailers) throws(S3Error) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw .trailerMalformed
        }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        var value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
        while value.last == UInt8(ascii: " ") { value.removeLast() }
        if name == "x-amz-trailer-signature" {
            guard isSigned, value.count == 64 else { throw .trailerMalformed }
            trailers.signature = Array(value)
            return
        }
        guard !trailers.fields.contains(where: { $0.name == name }) else { throw .trailerMalformed }
        trailers.fields.append((name, String(decoding: value, as: UTF8.self)))
        trailers.canonical.append(contentsOf: name.utf8)
        trailers.canonical.append(UInt8(ascii: ":"))
        trailers.canonical.append(contentsOf: value)
        trailers.canonical.append(UInt8(ascii: "\n"))
    }
}
