package import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1

extension S3Operations {
    /// GetObject: the bytes of a version, whole or a range of them.
    package func getObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try await retryingLookup(request) { request throws(S3Error) in try await send(request) }
    }

    /// Looks an object up again, in the newest state, if its body was to be had nowhere: it may have been overwritten or deleted after the
    /// lookup, on a node that did not have the body yet.
    func retryingLookup(
        _ request: S3Request, _ answer: (S3Request) async throws(S3Error) -> HTTPResponse
    ) async throws(S3Error) -> HTTPResponse {
        var request = request
        for _ in 0..<Self.lookupRetryCount {
            do throws(S3Error) { return try await answer(request) } catch {
                guard error.isUnavailable else { throw error }
                request.read = .linearizable
            }
        }
        return try await answer(request)
    }

    /// Each needs another change of the same object in between.
    private static var lookupRetryCount: Int { 2 }

    private func send(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let read = try ObjectRead(request)
        let target = read.target
        let (info, reader) = try await request.answering { () async throws(MetadataError) in
            try await engine.getObjectReader(target)
        }
        switch try read.plan(info) {
        case .notModified(let headers): return HTTPResponse(status: .notModified, headers: headers)
        case .send(let status, let headers, let range):
            let body = try await Self.body(of: reader, range: range, request: request)
            return HTTPResponse(status: status, headers: headers, body: body)
        }
    }

    /// HeadObject: the headers that GetObject would send.
    package func headObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let read = try ObjectRead(request)
        let target = read.target
        let info = try await request.answering { () async throws(MetadataError) in
            try await engine.headObject(target)
        }
        switch try read.plan(info) {
        case .notModified(let headers): return HTTPResponse(status: .notModified, headers: headers)
        case .send(let status, let headers, let range):
            return HTTPResponse(
                status: status, headers: headers, body: .omitted(byteCount: range.upperBound - range.lowerBound))
        }
    }

    /// The first piece is read before the status line is sent, so that a damaged body is a 500 wherever it can be.
    private static func body(
        of reader: Engine.BodyReader, range: Range<UInt64>, request: S3Request
    ) async throws(S3Error) -> HTTPResponseBody {
        if let bytes = reader.inlineBytes {
            let start = bytes.readerIndex + Int(range.lowerBound)
            guard let slice = bytes.getSlice(at: start, length: Int(range.upperBound - range.lowerBound)) else {
                throw .internalError
            }
            return .bytes(slice)
        }
        let first = try await request.answering { () async throws(MetadataError) in
            try await reader.next(in: range, at: range.lowerBound)
        }
        if UInt64(first.readableBytes) == range.upperBound - range.lowerBound { return .bytes(first) }
        return .streamed(byteCount: range.upperBound - range.lowerBound) { writer in
            try await send(reader, range: range, first: first, to: writer)
        }
    }

    /// Reads one piece ahead of what is being sent. A failure breaks the transfer off: never wrong bytes, never a short object.
    private static func send(
        _ reader: Engine.BodyReader, range: Range<UInt64>, first: ByteBuffer, to writer: any HTTPResponseWriter
    ) async throws {
        var current = first
        var offset = range.lowerBound + UInt64(first.readableBytes)
        while offset < range.upperBound {
            let position = offset
            async let following = reader.next(in: range, at: position)
            try await writer.write(current)
            current = try await following
            offset += UInt64(current.readableBytes)
        }
        try await writer.write(current)
    }
}

extension ObjectBodyReader {
    /// One read: large enough that its cost is small beside its bytes, small enough that two a request are little memory.
    static var pieceByteCountMax: Int { 512 * 1024 }

    /// The next piece of a range.
    /// - Throws: `.corruption` when the body ends before the range does.
    func next(in range: Range<UInt64>, at offset: UInt64) async throws(MetadataError) -> ByteBuffer {
        let count = min(UInt64(Self.pieceByteCountMax), range.upperBound - offset)
        if count == 0 { return ByteBuffer() }
        let piece = try await read(at: offset, maxByteCount: Int(count))
        guard (1...Int(count)).contains(piece.readableBytes) else {
            throw MetadataError(.corruption, "a body is shorter than its record says")
        }
        return piece
    }
}
