package import Metadata
package import NIOCore

/// Writes a reply's XML document straight into the bytes that go out.
///
/// A page of 1,000 keys is some 400 KB in 16,000 pieces, so that nothing here makes a string or a node: names are static
/// strings, numbers and dates are written digit by digit, and text is copied whole when it holds nothing to escape.
package struct XMLWriter {
    package private(set) var buffer: ByteBuffer

    /// Starts the document: declaration and root element with S3's namespace.
    package init(root: StaticString, byteCountEstimate: Int = 512) {
        buffer = ByteBuffer()
        buffer.reserveCapacity(byteCountEstimate)
        raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<")
        raw(root)
        raw(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
    }

    /// Ends the root element and hands out the document.
    package consuming func finish(root: StaticString) -> ByteBuffer {
        close(root)
        return buffer
    }

    package mutating func open(_ name: StaticString) {
        raw("<")
        raw(name)
        raw(">")
    }

    package mutating func close(_ name: StaticString) {
        raw("</")
        raw(name)
        raw(">")
    }

    package mutating func element(_ name: StaticString, _ text: String) {
        open(name)
        self.text(text)
        close(name)
    }

    package mutating func element(_ name: StaticString, _ bytes: [UInt8]) {
        open(name)
        text(bytes)
        close(name)
    }

    package mutating func element(_ name: StaticString, _ number: some BinaryInteger) {
        open(name)
        self.number(UInt64(number))
        close(name)
    }

    package mutating func element(_ name: StaticString, _ flag: Bool) {
        open(name)
        raw(flag ? "true" : "false")
        close(name)
    }

    /// - Parameter milliseconds: UTC; written as `2026-11-24T05:44:10.000Z`.
    package mutating func element(_ name: StaticString, milliseconds: UInt64) {
        open(name)
        date(milliseconds: milliseconds)
        close(name)
    }

    // MARK: Pieces

    /// Markup, written as it stands.
    package mutating func raw(_ markup: StaticString) {
        buffer.writeStaticString(markup)
    }

    /// Character data, escaped.
    package mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { XMLEscape.write(UnsafeRawBufferPointer($0), to: &buffer) }
    }

    /// Character data of valid UTF-8, escaped.
    package mutating func text(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { XMLEscape.write($0, to: &buffer) }
    }

    /// As S3's `encoding-type=url` writes a key.
    package mutating func urlEncoded(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { URLEscape.write($0, to: &buffer) }
    }

    package mutating func number(_ number: UInt64) {
        if number < 10 {
            buffer.writeInteger(UInt8(ascii: "0") + UInt8(number))
            return
        }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { target in
            var digitCount = 0
            var rest = number
            while rest > 0 {
                rest /= 10
                digitCount += 1
            }
            rest = number
            for position in stride(from: digitCount - 1, through: 0, by: -1) {
                target[position] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            return digitCount
        }
    }

    package mutating func date(milliseconds: UInt64) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: ISODate.byteCount) { target in
            ISODate.write(milliseconds: milliseconds, to: target.bindMemory(to: UInt8.self))
        }
    }

    /// The tag without quotes, as GetObjectAttributes shows it.
    package mutating func element(_ name: StaticString, unquoted etag: ETag) {
        open(name)
        writeDigits(of: etag)
        close(name)
    }

    /// The tag in quotes, which are escaped as AWS does: `&quot;…&quot;`.
    package mutating func etag(_ etag: ETag) {
        raw("&quot;")
        writeDigits(of: etag)
        raw("&quot;")
    }

    private mutating func writeDigits(of etag: ETag) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: ETag.unquotedByteCountMax) { target in
            etag.writeUnquoted(to: target.bindMemory(to: UInt8.self))
        }
    }
}
