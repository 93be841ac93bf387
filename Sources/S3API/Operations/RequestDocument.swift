import NIOCore

extension S3Operations {
    /// Documents from this size on are parsed on a thread of the hashing pool, not on the connection's event loop.
    private static var offloadedByteCountMin: Int { 16 << 10 }

    /// The XML document in a request's body; `nil` when there is no body.
    /// - Parameter root: the name that its root element must have.
    /// - Throws: `MalformedXML` when it is none, another one, or larger than `byteCountMax`.
    func xmlDocument(
        of request: S3Request, root: String, byteCountMax: Int
    ) async throws(S3Error) -> XMLElement? {
        let bytes = try await smallBody(of: request, byteCountMax: byteCountMax)
        if bytes.readableBytes == 0 { return nil }
        let document: XMLElement
        if bytes.readableBytes < Self.offloadedByteCountMin {
            document = try XMLDocument.parse(bytes)
        } else {
            document = try await offloaded(on: request.eventLoop) { () throws(S3Error) in try XMLDocument.parse(bytes) }
        }
        guard document.name == root else { throw .malformedXML }
        return document
    }

    /// Runs work on a thread of the hashing pool.
    func offloaded<Value: Sendable>(
        on eventLoop: any EventLoop, _ work: @escaping @Sendable () throws(S3Error) -> Value
    ) async throws(S3Error) -> Value {
        let result: Result<Value, S3Error>
        do {
            result = try await hashing.start(on: eventLoop) { () -> Result<Value, S3Error> in
                do throws(S3Error) { return .success(try work()) } catch { return .failure(error) }
            }.get()
        } catch {
            throw .stopping
        }
        return try result.get()
    }

    /// All bytes of a body that must be small.
    private func smallBody(of request: S3Request, byteCountMax: Int) async throws(S3Error) -> ByteBuffer {
        switch request.body {
        case .collected(let bytes, _):
            guard bytes.readableBytes <= byteCountMax else { throw .malformedXML }
            return bytes
        case .streamed(let stream):
            var bytes = ByteBuffer()
            while var piece = try await stream.next() {
                guard bytes.readableBytes + piece.readableBytes <= byteCountMax else { throw .malformedXML }
                bytes.writeBuffer(&piece)
            }
            return bytes
        }
    }
}
