/// Writes the few JSON objects of the administration pages (RFC 8259).
enum JSONText {
    /// One object of strings, in the given order, with a line feed at its end for people with curl.
    static func object(_ members: [(String, String)]) -> [UInt8] {
        let text = members.map { "\(string($0.0)):\(string($0.1))" }.joined(separator: ",")
        return Array("{\(text)}\n".utf8)
    }

    private static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20:
                result += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
