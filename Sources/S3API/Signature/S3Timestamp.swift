/// A whole second in UTC, in the forms of authentication: `20130524T000000Z` in signatures, ISO 8601 in error documents.
package struct S3Timestamp: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01T00:00:00Z.
    package var seconds: Int64

    package init(seconds: Int64) {
        self.seconds = seconds
    }

    package init(milliseconds: UInt64) {
        self.seconds = Int64(milliseconds / 1000)
    }

    package static func < (left: S3Timestamp, right: S3Timestamp) -> Bool {
        left.seconds < right.seconds
    }

    /// Reads `YYYYMMDD'T'HHMMSS'Z'`, the form of `x-amz-date`; `nil` for any other, and for a moment that does not exist.
    package init?(basicISO8601 text: some Collection<UInt8>) {
        guard text.count == 16 else { return nil }
        let read = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { bytes -> UInt64? in
            _ = bytes.initialize(from: text)
            guard bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
                let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[4..<6]),
                let day = Self.number(bytes[6..<8]), let hour = Self.number(bytes[9..<11]),
                let minute = Self.number(bytes[11..<13]), let second = Self.number(bytes[13..<15])
            else { return nil }
            return CivilTime.milliseconds(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        }
        guard let milliseconds = read else { return nil }
        self.init(milliseconds: milliseconds)
    }

    /// Reads a `Date` header.
    package init?(httpDate text: String) {
        guard let milliseconds = HTTPDate.milliseconds(text) else { return nil }
        self.init(milliseconds: milliseconds)
    }

    /// `20130524T000000Z`
    package var basicISO8601: String {
        let time = civil
        return "\(four(time.year))\(two(time.month))\(two(time.day))T\(two(time.hour))\(two(time.minute))\(two(time.second))Z"
    }

    /// `2013-05-24T00:00:00Z`
    package var iso8601: String {
        let time = civil
        let date = "\(four(time.year))-\(two(time.month))-\(two(time.day))"
        return "\(date)T\(two(time.hour)):\(two(time.minute)):\(two(time.second))Z"
    }

    /// `Fri, 24 May 2013 00:00:00 GMT`
    package var httpDate: String { HTTPDate.text(milliseconds: UInt64(max(0, seconds)) * 1000) }

    private var civil: CivilTime { CivilTime(milliseconds: UInt64(max(0, seconds)) * 1000) }

    private static func number(_ digits: Slice<UnsafeMutableBufferPointer<UInt8>>) -> Int? {
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private func two(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }

    private func four(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 4 - "\(number)".utf8.count)) + "\(number)"
    }
}
