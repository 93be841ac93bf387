import HTTPServer
package import Metadata
import NIOHTTP1

/// The tags of an object or a bucket as clients write them, checked (S3 user guide, "Categorizing your objects using tags", and "Using
/// cost allocation S3 bucket tags").
package struct TagSet: Sendable, Equatable {
    package enum Resource: Sendable {
        case object, bucket

        /// S3's limit.
        var tagCountMax: Int {
            switch self {
            case .object: 10
            case .bucket: 50
            }
        }
    }

    /// S3's limits, in units of UTF-16.
    private static let keyLengthMax = 128
    private static let valueLengthMax = 256
    /// Enough for 50 tags of the longest texts, however their characters are written in XML.
    static let documentByteCountMax = 512 << 10

    package let tags: [ResourceTag]

    /// - Throws: `InvalidTag`.
    private init(checking tags: [ResourceTag], of resource: Resource) throws(S3Error) {
        guard tags.count <= resource.tagCountMax else {
            throw .invalidTag(
                resource == .object
                    ? "Object tags cannot be greater than \(resource.tagCountMax)"
                    : "Bucket tag count cannot be greater than \(resource.tagCountMax)")
        }
        // Bytes: Swift compares texts by canonical equivalence, under which two different keys can be equal.
        var keys: Set<[UInt8]> = []
        for tag in tags {
            guard (1...Self.keyLengthMax).contains(tag.key.utf16.count), Self.hasOnlyAllowedCharacters(tag.key) else {
                throw .invalidTag("The TagKey you have provided is invalid", key: tag.key)
            }
            guard !ASCIICase.hasPrefix(tag.key, "aws:") else {
                throw .invalidTag("System tags cannot be added/updated by requester", key: tag.key)
            }
            guard tag.value.utf16.count <= Self.valueLengthMax, Self.hasOnlyAllowedCharacters(tag.value) else {
                throw .invalidTag("The TagValue you have provided is invalid", key: tag.key, value: tag.value)
            }
            guard keys.insert(Array(tag.key.utf8)).inserted else {
                throw .invalidTag("Cannot provide multiple Tags with the same key", key: tag.key)
            }
        }
        self.tags = tags
    }

    /// Letters, numbers and separators of any script, and `+ - = . _ : / @`.
    private static func hasOnlyAllowedCharacters(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber, .spaceSeparator, .lineSeparator, .paragraphSeparator:
                true
            default: "+-=._:/@".unicodeScalars.contains(scalar)
            }
        }
    }

    // MARK: Documents

    /// `<Tagging><TagSet><Tag><Key>…</Key><Value>…</Value></Tag>…</TagSet></Tagging>`.
    /// - Throws: `MalformedXML` for another form, `InvalidTag` for tags that cannot be.
    package init(_ document: XMLElement, of resource: Resource) throws(S3Error) {
        guard document.children.count == 1, let set = document.child("TagSet") else { throw .malformedXML }
        var tags: [ResourceTag] = []
        for element in set.children {
            guard element.name == "Tag", element.children.count == 2, let key = element.child("Key"),
                let value = element.child("Value"), key.children.isEmpty, value.children.isEmpty
            else { throw .malformedXML }
            tags.append(ResourceTag(key: key.text, value: value.text))
        }
        try self.init(checking: tags, of: resource)
    }

    // MARK: The header

    /// The value of `x-amz-tagging`: `key=value&key2=value2` as forms are encoded, with `+` for a space.
    /// - Throws: `InvalidArgument` for text that is not encoded so or names a key twice, `InvalidTag` for tags that cannot be.
    package init(header: String) throws(S3Error) {
        var tags: [ResourceTag] = []
        var keys: Set<[UInt8]> = []
        for item in header.utf8.split(separator: UInt8(ascii: "&")) {
            let separator = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            let key = try Self.decoded(item[..<separator], header)
            let value = try Self.decoded(item[separator...].dropFirst(), header)
            guard keys.insert(Array(key.utf8)).inserted else { throw Self.malformed(header) }
            tags.append(ResourceTag(key: key, value: value))
        }
        try self.init(checking: tags, of: .object)
    }

    private static func decoded(_ text: Substring.UTF8View, _ header: String) throws(S3Error) -> String {
        let bytes = text.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
        let decoded: [UInt8]
        do throws(S3Error) { decoded = try S3Target.percentDecoded(bytes[...]) } catch { throw malformed(header) }
        guard let string = String(validating: decoded, as: UTF8.self) else { throw malformed(header) }
        return string
    }

    private static func malformed(_ header: String) -> S3Error {
        .invalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
                + "duplicates.", name: "x-amz-tagging", value: header)
    }
}

extension S3Error {
    /// - Parameters:
    ///   - key: the key of the tag at fault, where one is.
    ///   - value: its value, where that is at fault.
    fileprivate static func invalidTag(_ message: String, key: String? = nil, value: String? = nil) -> S3Error {
        S3Error(
            "InvalidTag", .badRequest, message,
            details: [key.map { Detail("TagKey", $0) }, value.map { Detail("TagValue", $0) }].compactMap { $0 })
    }

    package static func noSuchTagSet(bucket: String) -> S3Error {
        S3Error("NoSuchTagSet", .notFound, "The TagSet does not exist", details: [Detail("BucketName", bucket)])
    }
}

extension HTTPResponse {
    /// What GetObjectTagging and GetBucketTagging answer.
    init(_ tags: [ResourceTag], headers: HTTPHeaders = .xml) {
        var document = XMLWriter(root: "Tagging")
        document.open("TagSet")
        for tag in tags {
            document.open("Tag")
            document.element("Key", tag.key)
            document.element("Value", tag.value)
            document.close("Tag")
        }
        document.close("TagSet")
        self.init(status: .ok, headers: headers, body: .bytes(document.finish(root: "Tagging")))
    }
}
