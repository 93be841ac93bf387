import Foundation

/// The members of a request's JSON object (RFC 8259), read strictly: what is missing, of the wrong kind or not known is said by its name,
/// so that nothing that was mistyped passes as if it had not been there.
struct RequestFields {
    private enum Value: Decodable {
        case integer(UInt64)
        case text(String)
        case flag(Bool)
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            // Truth values first: they must not pass as numbers.
            if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(UInt64.self) {
                self = .integer(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .other
            }
        }
    }

    private let values: [String: Value]

    /// - Parameter known: the names that the operation takes.
    /// - Throws: `MalformedRequest`.
    init(_ bytes: [UInt8], known: [String]) throws(AdminError) {
        let example = known.map { "\"\($0)\": …" }.joined(separator: ", ")
        guard !bytes.isEmpty else { throw .malformed("The body is empty; it must be JSON: {\(example)}.") }
        guard let values = try? JSONDecoder().decode([String: Value].self, from: Data(bytes)) else {
            throw .malformed("The body is no JSON object; it must be {\(example)}.")
        }
        for name in values.keys.sorted() where !known.contains(name) {
            throw .malformed("The field '\(name.prefix(64))' is unknown; known here: \(known.joined(separator: ", ")).")
        }
        self.values = values
    }

    func nodeID(_ name: String) throws(AdminError) -> UInt64 {
        switch values[name] {
        case .integer(let id) where (1...UInt64(Int64.max)).contains(id): return id
        case nil: throw .malformed("The field '\(name)' is missing; it is a node's id.")
        case .integer, .text, .flag, .other:
            throw .malformed("The field '\(name)' is no node's id: a number from 1 on, without quotes.")
        }
    }

    func text(_ name: String) throws(AdminError) -> String {
        switch values[name] {
        case .text(let text): return text
        case nil: throw .malformed("The field '\(name)' is missing.")
        case .integer, .flag, .other: throw .malformed("The field '\(name)' must be a text in quotes.")
        }
    }

    /// Nil: it is not there.
    func flag(_ name: String) throws(AdminError) -> Bool? {
        switch values[name] {
        case .flag(let flag): return flag
        case nil: return nil
        case .integer, .text, .other: throw .malformed("The field '\(name)' must be true or false, without quotes.")
        }
    }

    /// Nil: it is not there.
    func number(_ name: String, in range: ClosedRange<UInt64>) throws(AdminError) -> UInt64? {
        switch values[name] {
        case .integer(let number) where range.contains(number): return number
        case nil: return nil
        case .integer, .text, .flag, .other:
            throw .malformed(
                "The field '\(name)' must be a number from \(range.lowerBound) to \(range.upperBound), without quotes.")
        }
    }
}
