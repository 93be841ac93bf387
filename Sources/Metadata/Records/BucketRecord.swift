/// The value in `buckets`; the key is the bucket's name.
package struct BucketRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package var id: BucketID
    package var createdMilliseconds: UInt64
    package var owner: Owner
    package var versioning: BucketVersioning
    package var location: String

    package init(
        id: BucketID, createdMilliseconds: UInt64, owner: Owner, versioning: BucketVersioning, location: String
    ) {
        self.id = id
        self.createdMilliseconds = createdMilliseconds
        self.owner = owner
        self.versioning = versioning
        self.location = location
    }

    package func info(name: String) -> BucketInfo {
        BucketInfo(
            name: name, createdMilliseconds: createdMilliseconds, owner: owner, versioning: versioning, location: location)
    }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            24 + owner.canonicalID.utf8.count + owner.displayName.utf8.count + location.utf8.count)
        bytes.append(Self.layoutVersion)
        bytes.append(versioning.rawValue)
        bytes.appendLittleEndian(id.value)
        bytes.appendLittleEndian(createdMilliseconds)
        bytes.appendString(owner.canonicalID)
        bytes.appendString(owner.displayName)
        bytes.appendString(location)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> BucketRecord {
        var reader = RecordReader("BucketRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        guard let versioning = BucketVersioning(rawValue: try reader.readUInt8(bytes)) else {
            throw RecordDamage("BucketRecord", "its versioning state is unknown")
        }
        let id = BucketID(try reader.readUInt64(bytes))
        let created = try reader.readUInt64(bytes)
        let ownerID = try reader.readString(bytes)
        let ownerName = try reader.readString(bytes)
        let location = try reader.readString(bytes)
        try reader.expectEnd(bytes)
        return BucketRecord(
            id: id, createdMilliseconds: created, owner: Owner(canonicalID: ownerID, displayName: ownerName),
            versioning: versioning, location: location)
    }
}
