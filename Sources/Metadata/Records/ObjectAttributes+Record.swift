/// The attributes' part of a record: a byte that says which of the seven header texts are there and whether tags are, those texts, the
/// user's fields, the tags.
/// The storage class stands elsewhere (in the head of a version, before the attributes of an upload), since listings show it.
extension ObjectAttributes {
    /// An upper bound, for reserving memory once.
    package var encodedByteCountMax: Int {
        var byteCount = 1 + 2 + textByteCount(contentType) + textByteCount(cacheControl) + textByteCount(contentDisposition)
        byteCount += textByteCount(contentEncoding) + textByteCount(contentLanguage) + textByteCount(expires)
        byteCount += textByteCount(websiteRedirectLocation)
        for field in userMetadata { byteCount += 4 + field.name.utf8.count + field.value.utf8.count }
        if !tags.isEmpty { byteCount += tags.encodedByteCount }
        return byteCount
    }

    private func textByteCount(_ text: String?) -> Int { text.map { 2 + $0.utf8.count } ?? 0 }

    /// Precondition: within `RecordLimits`.
    package func appendRecord(to bytes: inout [UInt8]) {
        let presenceOffset = bytes.count
        bytes.append(0)
        var presence: UInt8 = 0
        func append(_ text: String?, bit: UInt8, to bytes: inout [UInt8]) {
            guard let text else { return }
            presence |= bit
            bytes.appendString(text)
        }
        append(contentType, bit: 1, to: &bytes)
        append(cacheControl, bit: 2, to: &bytes)
        append(contentDisposition, bit: 4, to: &bytes)
        append(contentEncoding, bit: 8, to: &bytes)
        append(contentLanguage, bit: 16, to: &bytes)
        append(expires, bit: 32, to: &bytes)
        append(websiteRedirectLocation, bit: 64, to: &bytes)
        if !tags.isEmpty { presence |= Self.tagsBit }
        bytes[presenceOffset] = presence
        bytes.appendLittleEndian(UInt16(userMetadata.count))
        for field in userMetadata {
            bytes.appendString(field.name)
            bytes.appendString(field.value)
        }
        if !tags.isEmpty { tags.appendRecord(to: &bytes) }
    }

    private static let tagsBit: UInt8 = 128

    package static func readRecord(
        _ reader: inout RecordReader, _ bytes: RawSpan, storageClass: String?
    ) throws(RecordDamage) -> ObjectAttributes {
        let presence = try reader.readUInt8(bytes)
        func text(_ bit: UInt8, _ reader: inout RecordReader) throws(RecordDamage) -> String? {
            presence & bit == 0 ? nil : try reader.readString(bytes)
        }
        var attributes = ObjectAttributes(storageClass: storageClass)
        attributes.contentType = try text(1, &reader)
        attributes.cacheControl = try text(2, &reader)
        attributes.contentDisposition = try text(4, &reader)
        attributes.contentEncoding = try text(8, &reader)
        attributes.contentLanguage = try text(16, &reader)
        attributes.expires = try text(32, &reader)
        attributes.websiteRedirectLocation = try text(64, &reader)
        let count = Int(try reader.readUInt16(bytes))
        for _ in 0..<count {
            let name = try reader.readString(bytes)
            attributes.userMetadata.append(MetadataField(name: name, value: try reader.readString(bytes)))
        }
        if presence & tagsBit != 0 { attributes.tags = try .readRecord(&reader, bytes) }
        return attributes
    }
}
