import Metadata

/// What a bucket holds, and what S3's listings of it are, written as plainly as can be: sort everything, filter, fold, cut.
struct NaiveBucket {
    struct Version: Hashable {
        var id: VersionID
        var isDeleteMarker: Bool
        var size: UInt64
    }

    /// Newest first.
    var versions: [[UInt8]: [Version]] = [:]
    /// In ascending order.
    var uploads: [[UInt8]: [UploadID]] = [:]

    enum Item: Hashable, CustomStringConvertible {
        case key([UInt8])
        case folder([UInt8])
        case version([UInt8], Version, isLatest: Bool)
        case upload([UInt8], UploadID)

        /// What a marker is compared with.
        var bytes: [UInt8] {
            switch self {
            case .key(let bytes), .folder(let bytes), .version(let bytes, _, _), .upload(let bytes, _): bytes
            }
        }

        var description: String {
            switch self {
            case .key(let key): "key \(Self.show(key))"
            case .folder(let folder): "folder \(Self.show(folder))"
            case .version(let key, let version, let isLatest): "version \(Self.show(key)) \(version) \(isLatest)"
            case .upload(let key, let id): "upload \(Self.show(key)) \(id.position.index)"
            }
        }

        static func show(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }
    }

    struct Page: Hashable {
        var items: [Item] = []
        var isTruncated = false
    }

    func listObjects(_ range: KeyRange, maxKeys: Int) -> Page {
        let visible = versions.compactMap { key, versions in versions.first?.isDeleteMarker == false ? key : nil }
        return page(visible.sorted { $0.precedes($1) }.map { .key($0) }, range, maxKeys: maxKeys) {
            range.marker.precedes($0.bytes)
        }
    }

    func listVersions(_ range: KeyRange, after marker: VersionID?, maxKeys: Int) -> Page {
        let all = versions.sorted { $0.key.precedes($1.key) }.flatMap { key, versions in
            versions.enumerated().map { Item.version(key, $0.element, isLatest: $0.offset == 0) }
        }
        let markerRank = marker.flatMap { marker in versions[range.marker]?.firstIndex { $0.id == marker } }
        return page(all, range, maxKeys: maxKeys) { item in
            guard case .version(let key, let version, _) = item, key == range.marker, let markerRank else {
                return range.marker.precedes(item.bytes)
            }
            return (versions[key]?.firstIndex(of: version)).map { $0 > markerRank } ?? false
        }
    }

    func listUploads(_ range: KeyRange, after marker: UploadID?, maxUploads: Int) -> Page {
        let all = uploads.sorted { $0.key.precedes($1.key) }.flatMap { key, ids in ids.map { Item.upload(key, $0) } }
        return page(all, range, maxKeys: maxUploads) { item in
            guard case .upload(let key, let id) = item, key == range.marker, let marker else {
                return range.marker.precedes(item.bytes)
            }
            return id.position > marker.position
        }
    }

    private func page(_ all: [Item], _ range: KeyRange, maxKeys: Int, isAfterMarker: (Item) -> Bool) -> Page {
        var items: [Item] = []
        for item in all where item.bytes.starts(with: range.prefix) {
            let folded = Self.folder(of: item.bytes, range).map { Item.folder($0) } ?? item
            if isAfterMarker(folded), items.last != folded { items.append(folded) }
        }
        return Page(items: Array(items.prefix(maxKeys)), isTruncated: maxKeys > 0 && items.count > maxKeys)
    }

    static func folder(of key: [UInt8], _ range: KeyRange) -> [UInt8]? {
        guard !range.delimiter.isEmpty else { return nil }
        for start in range.prefix.count..<max(range.prefix.count, key.count)
        where key[start...].starts(with: range.delimiter) {
            return Array(key[..<(start + range.delimiter.count)])
        }
        return nil
    }
}

extension [UInt8] {
    fileprivate func precedes(_ other: [UInt8]) -> Bool { lexicographicallyPrecedes(other) }
}
