package import KeyValueStore

/// What a listing asks for: which keys, how they fold, and where the previous page ended.
///
/// The rule for markers is the one that AWS documents for `StartAfter`, `marker` and `key-marker` alike
/// (API reference of ListObjectsV2, ListObjects, ListMultipartUploads: "CommonPrefixes is filtered out from results if it is
/// not lexicographically greater than the StartAfter value"): **an item of a page, be it a key or a common prefix, is shown
/// exactly if it is greater than the marker, compared as a whole.** So `start-after=a/b` with delimiter `/` hides the common
/// prefix `a/` (it is smaller than the marker) although the folder holds keys greater than the marker, and a common prefix
/// sent back as the marker (V1's `NextMarker`) skips its folder.
package struct KeyRange: Hashable, Sendable {
    package var prefix: [UInt8]
    /// Any number of bytes; empty: nothing folds.
    package var delimiter: [UInt8]
    /// Empty: from the start.
    package var marker: [UInt8]

    package init(prefix: [UInt8], delimiter: [UInt8], marker: [UInt8]) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.marker = marker
    }

    /// The common prefix that `key` (which begins with `prefix`) folds into: up to and with the first delimiter after the prefix.
    package func commonPrefix(of key: [UInt8]) -> [UInt8]? {
        guard let first = delimiter.first else { return nil }
        let lastStart = key.count - delimiter.count
        var start = prefix.count
        while start <= lastStart {
            guard let found = key[start...lastStart].firstIndex(of: first) else { return nil }
            let end = found + delimiter.count
            if delimiter.count == 1 || key[found..<end].elementsEqual(delimiter) { return Array(key[..<end]) }
            start = found + 1
        }
        return nil
    }
}

/// Where a scan begins.
package enum ScanStart: Hashable, Sendable {
    /// At the first key that begins with the prefix: the marker is empty or lies before the prefix.
    case prefix
    /// After the marker's whole folder.
    case afterFolder([UInt8])
    /// After the key that the marker is, which may have entries of its own left (versions, uploads).
    case afterKey
    /// The marker lies beyond every key that begins with the prefix.
    case nowhere

    package init(_ range: KeyRange) {
        if range.marker.starts(with: range.prefix) {
            if range.marker.isEmpty {
                self = .prefix
            } else if let folder = range.commonPrefix(of: range.marker) {
                self = .afterFolder(folder)
            } else {
                self = .afterKey
            }
        } else {
            self = range.marker.lexicographicallyPrecedes(range.prefix) ? .prefix : .nowhere
        }
    }
}

/// Walks the entries of a bucket in one of the families whose keys are bucket id, escaped object key, terminator and a
/// position of twelve bytes (`objects`: versions, newest first; `uploads`: oldest first).
///
/// Skipping is what makes a page's cost independent of what it does not show: a folder costs one seek however many keys it
/// holds, and a key's other entries cost a few steps, then one seek.
package struct KeyScan<Reader: KeyValueReader> {
    package private(set) var cursor: Reader.Cursor
    private let bucket: BucketID
    /// The bytes before the position (bucket id, escaped key, terminator) of the key that `skipKey` leaves behind.
    private var leaving: [UInt8] = []

    /// More entries of one key than this are skipped by a seek: a seek costs about as much as ten steps.
    private static var stepCountMax: Int { 8 }

    /// Positions the scan on the first entry that `range` lets through.
    ///
    /// - Parameter entryMarker: with a marker that is a key: the full store key of the entry (version, upload) after which the
    ///   scan begins; `nil`: after all entries of that key.
    /// - Returns: `nil` when nothing can follow.
    package static func begin(
        _ reader: Reader, family: ColumnFamily, bucket: BucketID, range: KeyRange, entryMarker: [UInt8]? = nil,
        tier: ReadTier
    ) throws(MetadataReadError) -> KeyScan? {
        let lowerBound = KeySchema.lowerBound(bucket, prefix: range.prefix)
        let start: [UInt8]
        switch ScanStart(range) {
        case .nowhere: return nil
        case .prefix: start = lowerBound
        case .afterFolder(let folder): start = KeySchema.upperBound(bucket, prefix: folder)
        // A zero byte appended makes the least key that is greater.
        case .afterKey: start = entryMarker.map { $0 + [0] } ?? KeySchema.past(bucket, range.marker)
        }
        do throws(KeyValueStoreError) {
            let upperBound = KeySchema.upperBound(bucket, prefix: range.prefix)
            let cursor = try reader.makeCursor(in: family, from: lowerBound, to: upperBound, tier: tier)
            var scan = KeyScan(cursor: cursor, bucket: bucket)
            try scan.cursor.seek(to: start)
            return scan
        } catch { throw MetadataReadError(error) }
    }

    private init(cursor: Reader.Cursor, bucket: BucketID) {
        self.cursor = cursor
        self.bucket = bucket
    }

    package var isValid: Bool { cursor.isValid }

    /// The object key under the cursor.
    /// - Throws: `.corruption` when no key of ours looks like it.
    package func objectKey() throws(MetadataReadError) -> [UInt8] {
        let key: [UInt8]? = cursor.withKey { bytes in
            guard let range = KeySchema.escapedKeyRange(in: bytes) else { return nil }
            return bytes.containsZero(range) ? KeySchema.unescape(bytes, range) : bytes.copy(range)
        }
        guard let key else { throw .failed(MetadataError(.corruption, "a key in the store is malformed")) }
        return key
    }

    /// To the next entry, of the same key or another.
    package mutating func next() throws(MetadataReadError) {
        do throws(KeyValueStoreError) { try cursor.next() } catch { throw MetadataReadError(error) }
    }

    /// Past all entries of the key under the cursor.
    package mutating func skipKey() throws(MetadataReadError) {
        do throws(KeyValueStoreError) {
            cursor.withKey { bytes in
                leaving.replaceContents(with: bytes, byteCount: max(0, bytes.byteCount - KeySchema.positionByteCount))
            }
            for _ in 0..<Self.stepCountMax {
                try cursor.next()
                guard cursor.isValid, isOnKeyBeingLeft else { return }
            }
            // The terminator's last byte raised by one lies above every position.
            guard let last = leaving.popLast() else { return }
            leaving.append(last + 1)
            try cursor.seek(to: leaving)
        } catch { throw MetadataReadError(error) }
    }

    /// Past every key that begins with `prefix`.
    package mutating func skip(folder prefix: [UInt8]) throws(MetadataReadError) {
        do throws(KeyValueStoreError) {
            try cursor.seek(to: KeySchema.upperBound(bucket, prefix: prefix))
        } catch { throw MetadataReadError(error) }
    }

    private var isOnKeyBeingLeft: Bool {
        cursor.withKey { bytes in
            bytes.byteCount == leaving.count + KeySchema.positionByteCount && bytes.starts(with: leaving)
        }
    }
}
