package import NIOCore

/// Escapes character data of XML.
package enum XMLEscape {
    /// Copies runs of ordinary bytes whole and replaces the others.
    ///
    /// A carriage return would be read back as a line feed, so that it goes as a reference. The other control characters (and
    /// U+FFFE, U+FFFF) have no form at all in XML 1.0; like AWS we write the reference, which lenient parsers understand. Who
    /// lists such keys with a strict parser asks for `encoding-type=url`, as the SDKs do.
    /// - Parameter bytes: valid UTF-8.
    package static func write(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var runStart = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isOrdinary(byte) {
                index += 1
                continue
            }
            var length = 1
            if byte == 0xEF {
                // U+FFFE is EF BF BE, U+FFFF is EF BF BF.
                guard index + 2 < bytes.count, bytes[index + 1] == 0xBF, bytes[index + 2] >= 0xBE else {
                    index += 1
                    continue
                }
                length = 3
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<index]))
            switch byte {
            case UInt8(ascii: "&"): buffer.writeStaticString("&amp;")
            case UInt8(ascii: "<"): buffer.writeStaticString("&lt;")
            case UInt8(ascii: ">"): buffer.writeStaticString("&gt;")
            case UInt8(ascii: "\""): buffer.writeStaticString("&quot;")
            case 0xEF: buffer.writeString(bytes[index + 2] == 0xBE ? "&#xfffe;" : "&#xffff;")
            default: buffer.writeString("&#x\(String(byte, radix: 16));")
            }
            index += length
            runStart = index
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart...]))
    }

    private static func isOrdinary(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), 0..<0x20, 0xEF: false
        default: true
        }
    }
}

/// The escapes of `encoding-type=url` in listings: those of Java's `URLEncoder` with the slash left alone, which is what AWS
/// writes. Letters, digits, `-`, `_`, `.`, `*` and `/` stay, a space is `+`, all else is `%XX` in upper case.
package enum URLEscape {
    package static func write(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var runStart = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if isOrdinary(byte) { continue }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<index]))
            runStart = index + 1
            if byte == UInt8(ascii: " ") {
                buffer.writeInteger(UInt8(ascii: "+"))
            } else {
                let digits = Hexadecimal.uppercaseDigits.utf8Start
                buffer.writeBytes([UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart...]))
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        var buffer = ByteBuffer()
        bytes.withUnsafeBytes { write($0, to: &buffer) }
        return String(buffer: buffer)
    }

    private static func isOrdinary(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "*"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}

/// A key as the path of a URL (RFC 3986, section 3.3): unreserved characters and slashes stay.
package enum PathEscape {
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        let digits = Hexadecimal.uppercaseDigits.utf8Start
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.append(byte)
            default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
