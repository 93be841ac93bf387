package import NIOCore

/// The body of an error reply: `<Error><Code>…</Code><Message>…</Message>…<Resource>…</Resource><RequestId>…</RequestId>…</Error>`.
package enum S3ErrorDocument {
    package static func encode(_ error: S3Error, resource: String, requestID: String, hostID: String) -> ByteBuffer {
        var document = ByteBuffer()
        document.reserveCapacity(512)
        document.writeStaticString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>")
        write("Code", error.code, into: &document)
        write("Message", error.message, into: &document)
        for detail in error.details { write(detail.name, detail.value, into: &document) }
        write("Resource", resource, into: &document)
        write("RequestId", requestID, into: &document)
        write("HostId", hostID, into: &document)
        document.writeStaticString("</Error>")
        return document
    }

    private static func write(_ name: String, _ value: String, into document: inout ByteBuffer) {
        document.writeString("<\(name)>")
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": document.writeStaticString("&amp;")
            case "<": document.writeStaticString("&lt;")
            case ">": document.writeStaticString("&gt;")
            case "\r": document.writeStaticString("&#13;")
            case "\t", "\n": document.writeInteger(UInt8(scalar.value))
            // What XML 1.0 cannot hold, not even as a reference.
            case "\u{0}"..<" ", "\u{fffe}", "\u{ffff}": document.writeStaticString("\u{fffd}")
            default: document.writeString(String(scalar))
            }
        }
        document.writeString("</\(name)>")
    }
}
