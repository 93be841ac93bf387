import Foundation
import FoundationXML
package import NIOCore

/// An element of a request's XML document.
package struct XMLElement: Sendable, Equatable {
    /// Without prefix and namespace.
    package var name: String
    /// The character data directly inside, references resolved.
    package var text: String
    package var children: [XMLElement]

    package init(name: String, text: String = "", children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.children = children
    }

    /// The first child of that name.
    package func child(_ name: String) -> XMLElement? {
        children.first { $0.name == name }
    }

    /// The text of the first child of that name, without white space around it.
    package func value(_ name: String) -> String? {
        child(name)?.trimmedText
    }

    /// For values that are words and numbers; a key is taken with all its blanks.
    package var trimmedText: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(text[first...last])
    }
}

/// Reads request documents: UTF-8, without document type and entities, bounded in depth and in elements.
///
/// The parser is libxml2's by its event interface. What libxml2 could be led to do (load a document type, expand entities)
/// is refused before it sees a byte.
package enum XMLDocument {
    /// S3's deepest request document has four levels.
    package static let depthMax = 16
    /// Above what 10,000 parts with all their elements need.
    package static let elementCountMax = 100_000

    /// - Throws: `MalformedXML` for all that is not a well-formed document within the bounds.
    package static func parse(_ buffer: ByteBuffer) throws(S3Error) -> XMLElement {
        let accepted = buffer.withUnsafeReadableBytes { isPlain($0) }
        guard accepted else { throw .malformedXML }
        let parser = XMLParser(data: Data(buffer.readableBytesView))
        parser.shouldResolveExternalEntities = false
        let builder = XMLTreeBuilder()
        parser.delegate = builder
        guard parser.parse(), parser.parserError == nil, let root = builder.root, !builder.isRefused else {
            throw .malformedXML
        }
        return root
    }

    /// Whether the bytes are UTF-8 that declare nothing: `<!` begins a comment or a CDATA section only, and the XML
    /// declaration names no other encoding.
    static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty, !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else { return false }
        var index = 0
        while let bracket = bytes[index...].firstIndex(of: UInt8(ascii: "<")) {
            let rest = bytes[(bracket + 1)...]
            if rest.starts(with: "!--".utf8) {
                guard let end = position(of: "-->", in: bytes, from: bracket + 4) else { return false }
                index = end
            } else if rest.starts(with: "![CDATA[".utf8) {
                guard let end = position(of: "]]>", in: bytes, from: bracket + 9) else { return false }
                index = end
            } else if rest.starts(with: "!".utf8) {
                return false
            } else if rest.starts(with: "?".utf8) {
                guard let end = position(of: "?>", in: bytes, from: bracket + 2) else { return false }
                let instruction = String(decoding: bytes[bracket..<end], as: UTF8.self).lowercased()
                if instruction.hasPrefix("<?xml"), instruction.contains("encoding"), !instruction.contains("utf-8"),
                    !instruction.contains("us-ascii")
                {
                    return false
                }
                index = end
            } else {
                index = bracket + 1
            }
        }
        return true
    }

    /// The index after the first occurrence of `text` at or after `start`.
    private static func position(of text: StaticString, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let length = text.utf8CodeUnitCount
        var index = start
        while index + length <= bytes.count {
            if (0..<length).allSatisfy({ bytes[index + $0] == text.utf8Start[$0] }) { return index + length }
            index += 1
        }
        return nil
    }
}

/// Builds the tree from the parser's events. Used by one thread, inside `XMLDocument.parse`.
private final class XMLTreeBuilder: NSObject, XMLParserDelegate {
    private var open: [XMLElement] = []
    private var elementCount = 0
    private(set) var root: XMLElement?
    private(set) var isRefused = false

    func parser(
        _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        elementCount += 1
        guard open.count < XMLDocument.depthMax, elementCount <= XMLDocument.elementCountMax else {
            isRefused = true
            parser.abortParsing()
            return
        }
        let name = elementName.split(separator: ":").last.map(String.init) ?? elementName
        open.append(XMLElement(name: name))
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += string
    }

    func parser(_ parser: XMLParser, foundCDATA block: Data) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += String(decoding: block, as: UTF8.self)
    }

    func parser(_ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName: String?) {
        guard let element = open.popLast() else { return }
        if open.isEmpty {
            root = element
        } else {
            open[open.count - 1].children.append(element)
        }
    }
}
