import KeyValueStore

extension MetadataReader {
    /// What one page of any listing holds at most, whatever was asked for.
    static var pageCountMax: Int { 1000 }

    /// A page of the objects of a bucket: keys whose newest version is not a delete marker, folded by the delimiter.
    ///
    /// Hidden keys do not shorten the page, and it is truncated exactly if something more follows: after the last item the
    /// scan goes on to the next one that would be shown. The cost of a page depends neither on how many keys a folder holds
    /// nor on how many old versions a key has.
    package func listObjects(
        _ request: ListObjects, in bucket: BucketRecord
    ) throws(MetadataReadError) -> ListObjectsPage {
        let countMax = min(max(request.maxKeys, 0), Self.pageCountMax)
        var page = ListObjectsPage(objects: [], commonPrefixes: [], nextStartAfter: nil)
        let range = KeyRange(prefix: request.prefix, delimiter: request.delimiter, marker: request.startAfter)
        guard countMax > 0,
            var scan = try KeyScan.begin(reader, family: KeySchema.objects, bucket: bucket.id, range: range, tier: tier)
        else { return page }
        if request.delimiter.isEmpty { page.objects.reserveCapacity(countMax) }
        var last: [UInt8] = []
        var texts = ListedTexts()
        while scan.isValid {
            // The first entry of a key is its newest version.
            let head = try scan.cursor.decodeValue(VersionRecordHead.decode)
            if head.isDeleteMarker {
                try scan.skipKey()
                continue
            }
            guard page.objects.count + page.commonPrefixes.count < countMax else {
                page.nextStartAfter = last
                break
            }
            let key = try scan.objectKey()
            if let folder = range.commonPrefix(of: key) {
                page.commonPrefixes.append(folder)
                last = folder
                try scan.skip(folder: folder)
            } else {
                page.objects.append(try scan.cursor.listed(head, key: key, texts: &texts))
                last = key
                try bucket.versioning == .unversioned ? scan.next() : scan.skipKey()
            }
        }
        return page
    }
}

/// The texts of the entry read last: most entries of a page have the same, which then are shared and not built anew.
struct ListedTexts {
    var owner: Owner?
    var storageClass: String?
}

extension KeyValueCursor {
    /// What a listing shows of the version under the cursor, whose front is `head`.
    func listed(
        _ head: VersionRecordHead, key: [UInt8], texts: inout ListedTexts
    ) throws(MetadataReadError) -> ListedObject {
        let (owner, storageClass) = try decodeValue { bytes throws(RecordDamage) in
            (
                try head.owner(in: bytes, reusing: texts.owner),
                try head.storageClass(in: bytes, reusing: texts.storageClass)
            )
        }
        texts.owner = owner
        if let storageClass { texts.storageClass = storageClass }
        return ListedObject(
            key: ObjectKey(validated: key), etag: head.etag, size: head.size,
            lastModifiedMilliseconds: head.modifiedMilliseconds, storageClass: storageClass,
            owner: owner, checksumAlgorithm: head.checksumAlgorithm,
            checksumKind: head.checksumKind)
    }
}
