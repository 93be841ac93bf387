/// A moment as civil date and time in UTC (proleptic Gregorian calendar), computed without Foundation.
struct CivilTime {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int
    var millisecond: Int
    /// 0 is Sunday.
    var weekday: Int

    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z. Beyond the year 9999 the last moment of it is meant.
    init(milliseconds: UInt64) {
        let bounded = min(milliseconds, 253_402_300_799_999)
        let days = Int(bounded / 86_400_000)
        let rest = Int(bounded % 86_400_000)
        millisecond = rest % 1000
        second = rest / 1000 % 60
        minute = rest / 60_000 % 60
        hour = rest / 3_600_000
        weekday = (days + 4) % 7
        // Days to date with years that begin in March, so that the leap day comes last (H. Hinnant, "chrono-compatible
        // low-level date algorithms", civil_from_days).
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Milliseconds since 1970; `nil` for a date that does not exist or lies before 1970.
    static func milliseconds(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int = 0
    ) -> UInt64? {
        guard (1970...9999).contains(year), (1...12).contains(month), day >= 1, (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let monthLengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= monthLengths[month - 1] else { return nil }
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear / 400
        let yearOfEra = marchYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return UInt64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + UInt64(millisecond)
    }
}

/// Dates of HTTP headers (RFC 9110, section 5.6.7), in whole seconds.
package enum HTTPDate {
    private static let weekdays = Array("SunMonTueWedThuFriSat".utf8)
    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// The IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func text(milliseconds: UInt64) -> String {
        let time = CivilTime(milliseconds: milliseconds)
        return String(unsafeUninitializedCapacity: 29) { buffer in
            var writer = DigitWriter(buffer: buffer)
            writer.put(weekdays[(time.weekday * 3)..<(time.weekday * 3 + 3)])
            writer.put(UInt8(ascii: ","))
            writer.put(UInt8(ascii: " "))
            writer.put(number: time.day, digits: 2)
            writer.put(UInt8(ascii: " "))
            writer.put(months[(time.month * 3 - 3)..<(time.month * 3)])
            writer.put(UInt8(ascii: " "))
            writer.put(number: time.year, digits: 4)
            writer.put(UInt8(ascii: " "))
            writer.put(number: time.hour, digits: 2)
            writer.put(UInt8(ascii: ":"))
            writer.put(number: time.minute, digits: 2)
            writer.put(UInt8(ascii: ":"))
            writer.put(number: time.second, digits: 2)
            writer.put(" GMT".utf8)
            return writer.count
        }
    }

    /// Reads the IMF-fixdate, the two obsolete forms that RFC 9110 still asks for, and ISO 8601, which S3's clients send too.
    /// - Returns: milliseconds UTC (whole seconds); `nil` when it is none of them.
    package static func milliseconds(_ text: String) -> UInt64? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," })
        switch words.count {
        case 1: return ISODate.milliseconds(text)
        case 6:  // Sun, 06 Nov 1994 08:49:37 GMT
            guard words[5] == "GMT" || words[5] == "UTC" || words[5] == "+0000" else { return nil }
            return milliseconds(year: words[3], month: words[2], day: words[1], time: words[4])
        case 4:  // Sunday, 06-Nov-94 08:49:37 GMT
            let date = words[1].split(separator: "-")
            guard words[3] == "GMT", date.count == 3, date[2].count == 2, let short = Int(date[2]) else { return nil }
            // RFC 9110: more than 50 years in the future means the past; S3 has no dates before 1970.
            return milliseconds(
                year: Substring(String(short < 70 ? 2000 + short : 1900 + short)), month: date[1], day: date[0], time: words[2])
        case 5:  // Sun Nov  6 08:49:37 1994
            return milliseconds(year: words[4], month: words[1], day: words[2], time: words[3])
        default: return nil
        }
    }

    private static func milliseconds(year: Substring, month: Substring, day: Substring, time: Substring) -> UInt64? {
        let parts = time.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, year.count == 4, (1...2).contains(day.count), month.utf8.count == 3,
            let position = (0..<12).first(where: { months[($0 * 3)..<($0 * 3 + 3)].elementsEqual(month.utf8) }),
            let year = decimal(year), let day = decimal(day), let hour = decimal(parts[0]), let minute = decimal(parts[1]),
            let second = decimal(parts[2])
        else { return nil }
        return CivilTime.milliseconds(year: year, month: position + 1, day: day, hour: hour, minute: minute, second: second)
    }

    fileprivate static func decimal(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(text)
    }
}

/// Dates of XML documents, `2026-11-24T05:44:10.000Z`.
package enum ISODate {
    static let byteCount = 24

    package static func text(milliseconds: UInt64) -> String {
        String(unsafeUninitializedCapacity: byteCount) { write(milliseconds: milliseconds, to: $0) }
    }

    /// Writes the 24 bytes of the text form.
    static func write(milliseconds: UInt64, to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let time = CivilTime(milliseconds: milliseconds)
        var writer = DigitWriter(buffer: buffer)
        writer.put(number: time.year, digits: 4)
        writer.put(UInt8(ascii: "-"))
        writer.put(number: time.month, digits: 2)
        writer.put(UInt8(ascii: "-"))
        writer.put(number: time.day, digits: 2)
        writer.put(UInt8(ascii: "T"))
        writer.put(number: time.hour, digits: 2)
        writer.put(UInt8(ascii: ":"))
        writer.put(number: time.minute, digits: 2)
        writer.put(UInt8(ascii: ":"))
        writer.put(number: time.second, digits: 2)
        writer.put(UInt8(ascii: "."))
        writer.put(number: time.millisecond, digits: 3)
        writer.put(UInt8(ascii: "Z"))
        return writer.count
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; `nil` for anything else.
    package static func milliseconds(_ text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"), let year = number(0..<4), let month = number(5..<7),
            let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
        else { return nil }
        var position = 19
        var millisecond = 0
        if bytes[position] == UInt8(ascii: ".") {
            var digit = 0
            position += 1
            while position < bytes.count, let value = number(position..<(position + 1)) {
                if digit < 3 { millisecond = millisecond * 10 + value }
                digit += 1
                position += 1
            }
            guard digit > 0 else { return nil }
            while digit < 3 {
                millisecond *= 10
                digit += 1
            }
        }
        guard
            let local = CivilTime.milliseconds(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: millisecond)
        else { return nil }
        if bytes[position...].elementsEqual("Z".utf8) { return local }
        guard bytes.count == position + 6, bytes[position + 3] == UInt8(ascii: ":"),
            let hours = number((position + 1)..<(position + 3)), let minutes = number((position + 4)..<(position + 6)),
            hours < 24, minutes < 60
        else { return nil }
        let offset = UInt64(hours * 60 + minutes) * 60_000
        switch bytes[position] {
        case UInt8(ascii: "+"): return local >= offset ? local - offset : nil
        case UInt8(ascii: "-"): return local + offset
        default: return nil
        }
    }
}

/// Writes characters and fixed-width decimal numbers one after another.
private struct DigitWriter {
    let buffer: UnsafeMutableBufferPointer<UInt8>
    var count = 0

    mutating func put(_ byte: UInt8) {
        buffer[count] = byte
        count += 1
    }

    mutating func put(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { put(byte) }
    }

    mutating func put(number: Int, digits: Int) {
        var rest = number
        for position in stride(from: count + digits - 1, through: count, by: -1) {
            buffer[position] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count += digits
    }
}
