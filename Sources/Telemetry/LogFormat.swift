/// How one message becomes one line.
package enum LogFormat: Sendable {
    /// `time=… level=… source=… message="…" key=value …`
    case logfmt
    /// One JSON object, its metadata under `metadata`.
    case json
}

/// Builds the bytes of one line; whatever the values contain, the line stays one line and parses back.
struct LogLine {
    private(set) var bytes: [UInt8] = []
    private let format: LogFormat

    init(format: LogFormat) {
        self.format = format
        bytes.reserveCapacity(256)
        if format == .json { bytes.append(UInt8(ascii: "{")) }
    }

    /// Adds a field; `key` is made a plain word for logfmt, which knows no other.
    mutating func add(_ key: String, _ value: String) {
        switch format {
        case .logfmt:
            if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
            bytes += key.utf8.map {
                $0 > 0x20 && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") && $0 != 0x7F ? $0 : UInt8(ascii: "_")
            }
            bytes.append(UInt8(ascii: "="))
            if value.utf8.allSatisfy(Self.isBare) && !value.isEmpty { bytes += value.utf8 } else { appendQuoted(value) }
        case .json:
            addKey(key)
            appendQuoted(value)
        }
    }

    /// Adds a nested object; logfmt spells its keys `key.inner`.
    mutating func add(_ key: String, fields: [(String, String)]) {
        switch format {
        case .logfmt:
            for (inner, value) in fields { add("\(key).\(inner)", value) }
        case .json:
            addKey(key)
            bytes.append(UInt8(ascii: "{"))
            for (inner, value) in fields { add(inner, value) }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    mutating func finish() -> [UInt8] {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(0x0A)
        return bytes
    }

    private mutating func addKey(_ key: String) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=") && byte != UInt8(ascii: "\\")
    }

    /// The string syntax of JSON (RFC 8259, section 7), which logfmt readers share.
    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: bytes += Array("\\n".utf8)
            case 0x0D: bytes += Array("\\r".utf8)
            case 0x09: bytes += Array("\\t".utf8)
            case 0x00..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// The time of a log line: RFC 3339, UTC, milliseconds.
enum LogTimestamp {
    /// - Parameter millisecondsSince1970: within the years 0 to 9999.
    static func format(millisecondsSince1970: Int64) -> String {
        let (days, inDay) = millisecondsSince1970.flooredDivision(by: 86_400_000)
        let (year, month, day) = date(daysSince1970: days)
        let seconds = inDay / 1000
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
            + "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2)).\(padded(inDay % 1000, 3))Z"
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The proleptic Gregorian calendar. Years begin in March, so that the leap day is a year's last, and repeat after 146,097 days.
    private static func date(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (daysSince1970 + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
