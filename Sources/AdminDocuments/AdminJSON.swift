import Foundation

/// How the administration interface writes and reads its documents: JSON with names_like_this, sorted, and a line feed at the end for
/// people with curl.
package enum AdminJSON {
    /// Documents are of numbers and strings, which can always be encoded.
    ///
    /// - Parameter isPretty: a line for each member.
    package static func encode(_ document: some Encodable, isPretty: Bool = false) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return (try? encoder.encode(document)).map { Array($0) + [UInt8(ascii: "\n")] } ?? []
    }

    /// - Throws: `DecodingError`, where the bytes are no such document. Members that are not known are left out.
    package static func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(bytes))
    }
}
