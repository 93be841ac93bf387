import KeyValueStore
import Metadata

/// A bucket of random content, in a store and in the model, whose records are written without the state machine.
struct ListingBucket {
    private(set) var model = NaiveBucket()
    private(set) var keys: [[UInt8]] = []
    private let store: InMemoryStore
    let record: BucketRecord
    private let owner = Owner(canonicalID: "owner", displayName: "Owner")

    /// A page in the model's terms.
    struct Page<Marker> {
        var items: NaiveBucket.Page
        var next: Marker?
        var range: KeyRange?
    }

    init(_ random: inout ListingRandom, versioning: BucketVersioning) throws {
        store = InMemoryStore(families: KeySchema.families)
        record = BucketRecord(
            id: BucketID(7), createdMilliseconds: 0, owner: owner, versioning: versioning, location: "")
        // Neighbours that no listing may show.
        for id in [6, 8] as [UInt64] {
            try write(
                [UInt8]("neighbour".utf8), NaiveBucket.Version(id: .null, isDeleteMarker: false, size: 1),
                at: CommitPosition(index: 0, offset: 0), in: BucketID(id))
        }
        for _ in 0..<(1 + random.below(60)) {
            // Half of the keys lie near another one: below it, above it, or in the same folder.
            let key = keys.isEmpty || random.chance(50) ? random.key() : random.pick(keys) + random.key(pieceCountMax: 2)
            guard !keys.contains(key) else { continue }
            keys.append(key)
        }
        var index: UInt64 = 100
        for key in keys {
            if versioning == .unversioned {
                let version = NaiveBucket.Version(id: .null, isDeleteMarker: false, size: UInt64(random.below(1000)))
                try add(key, version, at: CommitPosition(index: 0, offset: 0))
            } else {
                try addVersions(of: key, &random, index: &index)
            }
            try addUploads(of: key, &random, index: &index)
        }
    }

    /// The given keys, each with as many versions; those of `hidden` are delete markers, the newest.
    init(
        keys: [[UInt8]], hidden: [[UInt8]], versionCount: Int = 1, versioning: BucketVersioning = .enabled
    ) throws {
        store = InMemoryStore(families: KeySchema.families)
        record = BucketRecord(
            id: BucketID(7), createdMilliseconds: 0, owner: owner, versioning: versioning, location: "")
        self.keys = keys + hidden
        for key in self.keys {
            for number in 1...versionCount {
                let position = versioning == .unversioned ? CommitPosition(index: 0, offset: 0) : position(UInt64(number))
                let isMarker = number == versionCount && hidden.contains(key)
                let id = versioning == .unversioned ? VersionID.null : .version(position)
                try write(
                    key, NaiveBucket.Version(id: id, isDeleteMarker: isMarker, size: 1), at: position, in: record.id)
            }
        }
    }

    func position(_ index: UInt64) -> CommitPosition { CommitPosition(index: index, offset: 0) }

    private mutating func addVersions(of key: [UInt8], _ random: inout ListingRandom, index: inout UInt64) throws {
        // Enough for the scan's steps to give way to a seek, now and then.
        let count = random.chance(20) ? 9 + random.below(6) : random.below(4)
        let nullAt = random.chance(30) && count > 0 ? random.below(count) : -1
        for number in 0..<count {
            index += UInt64(random.below(3))
            let position = CommitPosition(index: index, offset: UInt32(number))
            let isMarker = random.chance(35)
            let isNull = number == nullAt
            try add(
                key,
                NaiveBucket.Version(
                    id: isNull ? .null : .version(position), isDeleteMarker: isMarker, size: isMarker ? 0 : UInt64(number)),
                at: position)
            if isNull, number < count - 1 {
                let transaction = store.makeTransaction()
                let value = NullIndexRecord(position: position).encode()
                transaction.put(value, for: KeySchema.nullIndex(record.id, key), in: KeySchema.system)
                try store.commit(transaction, durability: .buffered)
            }
        }
    }

    private mutating func addUploads(of key: [UInt8], _ random: inout ListingRandom, index: inout UInt64) throws {
        for _ in 0..<(random.chance(60) ? 0 : 1 + random.below(3)) {
            index += 1
            let id = UploadID(position: CommitPosition(index: index, offset: 0))
            let upload = UploadRecord(
                initiatedMilliseconds: index, owner: owner, attributes: ObjectAttributes(), checksumAlgorithm: nil,
                checksumKind: nil)
            let transaction = store.makeTransaction()
            transaction.put(upload.encode(), for: KeySchema.upload(record.id, key, id), in: KeySchema.uploads)
            try store.commit(transaction, durability: .buffered)
            model.uploads[key, default: []].append(id)
        }
    }

    private mutating func add(_ key: [UInt8], _ version: NaiveBucket.Version, at position: CommitPosition) throws {
        try write(key, version, at: position, in: record.id)
        model.versions[key, default: []].insert(version, at: 0)
    }

    private func write(
        _ key: [UInt8], _ version: NaiveBucket.Version, at position: CommitPosition, in bucket: BucketID
    ) throws {
        var flags: VersionFlags = []
        if version.id == .null { flags.insert(.isNull) }
        if version.isDeleteMarker { flags.insert(.isDeleteMarker) }
        let value = VersionRecord(
            flags: flags, modifiedMilliseconds: 5, size: version.size, etag: ETag(high: 1, low: 2), checksum: nil,
            owner: owner, attributes: ObjectAttributes(), bodyHash: 0, bodyID: nil)
        let transaction = store.makeTransaction()
        transaction.put(value.encode(), for: KeySchema.version(bucket, key, position), in: KeySchema.objects)
        try store.commit(transaction, durability: .buffered)
    }

    // MARK: Reading in the model's terms

    var snapshot: InMemoryStore.Snapshot { store.makeSnapshot() }
    var reader: MetadataReader<InMemoryStore.Snapshot> { MetadataReader(snapshot, tier: .all) }
    var reference: BucketReference { BucketReference(name: "bucket", requiredOwner: nil) }

    func listObjects(_ range: KeyRange, maxKeys: Int) throws -> Page<[UInt8]> {
        let page = try reader.listObjects(
            ListObjects(
                bucket: reference, prefix: range.prefix, delimiter: range.delimiter, startAfter: range.marker,
                maxKeys: maxKeys), in: record)
        let items = page.objects.map { NaiveBucket.Item.key($0.key.bytes) } + folders(page.commonPrefixes)
        return Page(
            items: NaiveBucket.Page(items: sorted(items), isTruncated: page.nextStartAfter != nil),
            next: page.nextStartAfter)
    }

    func listVersions(
        _ range: KeyRange, after marker: VersionID?, maxKeys: Int
    ) throws -> Page<ListObjectVersionsPage.Marker> {
        let page = try reader.listObjectVersions(
            ListObjectVersions(
                bucket: reference, prefix: range.prefix, delimiter: range.delimiter, keyMarker: range.marker,
                versionMarker: marker, maxKeys: maxKeys), in: record)
        let versions = page.versions.map { listed in
            NaiveBucket.Item.version(
                listed.object.key.bytes,
                NaiveBucket.Version(id: listed.versionID, isDeleteMarker: listed.isDeleteMarker, size: listed.object.size),
                isLatest: listed.isLatest)
        }
        return Page(
            items: NaiveBucket.Page(items: sorted(versions + folders(page.commonPrefixes)), isTruncated: page.next != nil),
            next: page.next)
    }

    func listUploads(
        _ range: KeyRange, after marker: UploadID?, maxUploads: Int
    ) throws -> Page<ListMultipartUploadsPage.Marker> {
        let page = try reader.listMultipartUploads(
            ListMultipartUploads(
                bucket: reference, prefix: range.prefix, delimiter: range.delimiter, keyMarker: range.marker,
                uploadIDMarker: marker, maxUploads: maxUploads), in: record)
        let uploads = page.uploads.map { NaiveBucket.Item.upload($0.key.bytes, $0.uploadID) }
        return Page(
            items: NaiveBucket.Page(items: sorted(uploads + folders(page.commonPrefixes)), isTruncated: page.next != nil),
            next: page.next, range: range)
    }

    func hasObject(_ key: [UInt8]) throws -> Bool {
        do {
            let found = try reader.version(of: ObjectKey(key), id: nil, in: record)
            return found.isLatest
        } catch MetadataReadError.failed(let error) where error.code == .noSuchKey {
            return false
        }
    }

    func hasVersion(_ key: [UInt8], _ id: VersionID) throws -> Bool {
        do {
            return try reader.version(of: ObjectKey(key), id: id, in: record).id == id
        } catch MetadataReadError.failed(let error) where error.code == .deleteMarker {
            return true
        } catch MetadataReadError.failed(let error) where error.code == .noSuchVersion {
            return false
        }
    }

    /// Whether the version is its key's newest, and a delete marker.
    func lookup(_ key: [UInt8], _ id: VersionID) throws -> (isLatest: Bool, isDeleteMarker: Bool) {
        do {
            return (try reader.version(of: ObjectKey(key), id: id, in: record).isLatest, false)
        } catch MetadataReadError.failed(let error) where error.code == .deleteMarker {
            return (model.versions[key]?.first?.id == error.deleteMarker, true)
        }
    }

    private func folders(_ prefixes: [[UInt8]]) -> [NaiveBucket.Item] { prefixes.map { .folder($0) } }

    /// Merges keys and common prefixes; each of the two came in order, which the sort would hide, so it is checked here.
    private func sorted(_ items: [NaiveBucket.Item]) -> [NaiveBucket.Item] {
        let indexed = items.enumerated().sorted { left, right in
            left.element.bytes == right.element.bytes
                ? left.offset < right.offset : left.element.bytes.lexicographicallyPrecedes(right.element.bytes)
        }
        let keys = indexed.filter { if case .folder = $0.element { false } else { true } }.map(\.offset)
        precondition(keys == keys.sorted(), "a page's entries are out of order")
        return indexed.map(\.element)
    }
}
