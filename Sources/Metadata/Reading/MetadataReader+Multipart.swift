import KeyValueStore

extension MetadataReader {
    /// What an upload was started with.
    /// - Throws: `.noSuchUpload`.
    package func upload(
        _ id: UploadID, of key: ObjectKey, in bucket: BucketRecord
    ) throws(MetadataReadError) -> MultipartUploadInfo {
        let storeKey = KeySchema.upload(bucket.id, key.bytes, id)
        guard let record = try record(storeKey, in: KeySchema.uploads, UploadRecord.decode) else {
            throw .failed(.noSuchUpload)
        }
        return record.info(key: key, uploadID: id)
    }

    /// A page of an upload's parts, by number.
    /// - Throws: `.noSuchUpload`.
    package func listParts(_ request: ListParts, in bucket: BucketRecord) throws(MetadataReadError) -> ListPartsPage {
        let id = request.upload.uploadID
        let upload = try upload(id, of: request.upload.key, in: bucket)
        var page = ListPartsPage(upload: upload, parts: [], nextPartNumberMarker: nil)
        let countMax = min(max(request.maxParts, 0), Self.pageCountMax)
        guard countMax > 0 else { return page }
        // A zero byte appended makes the least key that is greater.
        var cursor = try cursor(
            in: KeySchema.parts, from: KeySchema.part(id, request.partNumberMarker) + [0],
            to: KeySchema.part(id, .max) + [0])
        while cursor.isValid {
            guard page.parts.count < countMax else {
                page.nextPartNumberMarker = page.parts.last?.number
                break
            }
            guard let number = cursor.withKey({ KeySchema.part(in: $0)?.number }) else {
                throw .failed(.corruption, "a part's key is malformed")
            }
            let record = try cursor.decodeValue(PartRecord.decode)
            page.parts.append(
                ListedPart(
                    number: number, etag: record.etag, size: record.size,
                    lastModifiedMilliseconds: record.modifiedMilliseconds, checksum: record.checksum))
            try cursor.step()
        }
        return page
    }

    /// A page of the uploads in progress: by key, then in the order of their start.
    package func listMultipartUploads(
        _ request: ListMultipartUploads, in bucket: BucketRecord
    ) throws(MetadataReadError) -> ListMultipartUploadsPage {
        let countMax = min(max(request.maxUploads, 0), Self.pageCountMax)
        var page = ListMultipartUploadsPage(uploads: [], commonPrefixes: [], next: nil)
        let range = KeyRange(prefix: request.prefix, delimiter: request.delimiter, marker: request.keyMarker)
        let entryMarker = request.uploadIDMarker.map { KeySchema.upload(bucket.id, request.keyMarker, $0) }
        guard countMax > 0,
            var scan = try KeyScan.begin(
                reader, family: KeySchema.uploads, bucket: bucket.id, range: range, entryMarker: entryMarker, tier: tier)
        else { return page }
        var last = ListMultipartUploadsPage.Marker(key: [], uploadID: nil)
        while scan.isValid {
            guard page.uploads.count + page.commonPrefixes.count < countMax else {
                page.next = last
                break
            }
            let key = try scan.objectKey()
            if let folder = range.commonPrefix(of: key) {
                page.commonPrefixes.append(folder)
                last = ListMultipartUploadsPage.Marker(key: folder, uploadID: nil)
                try scan.skip(folder: folder)
                continue
            }
            guard let id = scan.cursor.withKey({ KeySchema.uploadID(in: $0) }) else {
                throw .failed(.corruption, "an upload's key is malformed")
            }
            let record = try scan.cursor.decodeValue(UploadRecord.decode)
            page.uploads.append(record.info(key: ObjectKey(validated: key), uploadID: id))
            last = ListMultipartUploadsPage.Marker(key: key, uploadID: id)
            try scan.next()
        }
        return page
    }
}
