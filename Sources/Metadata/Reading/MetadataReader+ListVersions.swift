import KeyValueStore

extension MetadataReader {
    /// A page of all versions and delete markers: by key, newest first within a key.
    ///
    /// A version marker that is no longer there still has its place in the order, except `null`, which says nothing about
    /// its place once it is gone: the page then begins with the key's newest version. A client that deletes what it
    /// listed, page by page, misses nothing that way.
    package func listObjectVersions(
        _ request: ListObjectVersions, in bucket: BucketRecord
    ) throws(MetadataReadError) -> ListObjectVersionsPage {
        let countMax = min(max(request.maxKeys, 0), Self.pageCountMax)
        var page = ListObjectVersionsPage(versions: [], commonPrefixes: [], next: nil)
        guard countMax > 0, var walk = try beginVersions(request, in: bucket) else { return page }
        let range = walk.range
        var last = ListObjectVersionsPage.Marker(key: [], versionID: nil)
        var texts = ListedTexts()
        while walk.scan.isValid {
            guard page.versions.count + page.commonPrefixes.count < countMax else {
                page.next = last
                break
            }
            let key = try walk.scan.objectKey()
            if let folder = range.commonPrefix(of: key) {
                page.commonPrefixes.append(folder)
                last = ListObjectVersionsPage.Marker(key: folder, versionID: nil)
                try walk.scan.skip(folder: folder)
                continue
            }
            let version = try walk.version(key: key, texts: &texts)
            page.versions.append(version)
            last = ListObjectVersionsPage.Marker(key: key, versionID: version.versionID)
            try walk.scan.next()
        }
        return page
    }

    /// `nil`: nothing can follow the marker.
    private func beginVersions(
        _ request: ListObjectVersions, in bucket: BucketRecord
    ) throws(MetadataReadError) -> VersionWalk<Reader>? {
        let range = KeyRange(prefix: request.prefix, delimiter: request.delimiter, marker: request.keyMarker)
        var entryMarker: [UInt8]?
        var newest: CommitPosition?
        if let versionMarker = request.versionMarker, ScanStart(range) == .afterKey {
            let key = ObjectKey(validated: request.keyMarker)
            newest = try self.newest(of: key, in: bucket)?.position
            if let position = try position(of: versionMarker, of: key, in: bucket) {
                entryMarker = KeySchema.version(bucket.id, key.bytes, position)
            } else {
                // Begin with the key's newest version. All of its versions lie above the key's own first bytes.
                entryMarker = KeySchema.lowerBound(bucket.id, prefix: key.bytes)
            }
        }
        let scan = try KeyScan.begin(
            reader, family: KeySchema.objects, bucket: bucket.id, range: range, entryMarker: entryMarker, tier: tier)
        return scan.map { VersionWalk(scan: $0, range: range, newestOfMarker: newest) }
    }

    private func position(
        of id: VersionID, of key: ObjectKey, in bucket: BucketRecord
    ) throws(MetadataReadError) -> CommitPosition? {
        switch id {
        case .null: try nullVersion(of: key, in: bucket)?.position
        case .version(let position): position
        }
    }
}

/// Goes through versions and tells the newest of each key.
private struct VersionWalk<Reader: KeyValueReader> {
    var scan: KeyScan<Reader>
    let range: KeyRange
    /// The newest version of the marker's key, where the walk begins in the middle of that key's versions.
    let newestOfMarker: CommitPosition?
    private var previousKey: [UInt8]?

    init(scan: KeyScan<Reader>, range: KeyRange, newestOfMarker: CommitPosition?) {
        self.scan = scan
        self.range = range
        self.newestOfMarker = newestOfMarker
    }

    mutating func version(key: [UInt8], texts: inout ListedTexts) throws(MetadataReadError) -> ListedVersion {
        guard let position = scan.cursor.withKey({ KeySchema.versionPosition(in: $0) }) else {
            throw .failed(.corruption, "a version's key is malformed")
        }
        let head = try scan.cursor.decodeValue(VersionRecordHead.decode)
        let isLatest =
            if let newestOfMarker, key == range.marker { position == newestOfMarker } else { key != previousKey }
        previousKey = key
        return ListedVersion(
            object: try scan.cursor.listed(head, key: key, texts: &texts), versionID: head.flags.versionID(at: position),
            isLatest: isLatest, isDeleteMarker: head.isDeleteMarker)
    }
}
