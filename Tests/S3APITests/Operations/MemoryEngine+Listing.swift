import Metadata
import NIOCore

extension MemoryEngine {
    func listObjects(_ request: ListObjects) async throws(MetadataError) -> ListObjectsPage {
        try with { state throws(MetadataError) in
            var page = ListObjectsPage(objects: [], commonPrefixes: [], nextStartAfter: nil)
            var last: [UInt8]?
            for (key, versions) in try state.bucket(request.bucket).keys.sorted(by: { $0.key < $1.key }) {
                guard let newest = versions.first, newest.put != nil, key.bytes.starts(with: request.prefix) else { continue }
                let folder = Self.folder(of: key, request.prefix, request.delimiter)
                let name = folder ?? key.bytes
                guard request.startAfter.lexicographicallyPrecedes(name), last != name else { continue }
                if folder != nil, request.startAfter.starts(with: name) { continue }
                if page.objects.count + page.commonPrefixes.count >= request.maxKeys {
                    if request.maxKeys > 0 { page.nextStartAfter = last }
                    break
                }
                last = name
                if let folder { page.commonPrefixes.append(folder) } else { page.objects.append(Self.listed(key, newest)) }
            }
            return page
        }
    }

    func listObjectVersions(_ request: ListObjectVersions) async throws(MetadataError) -> ListObjectVersionsPage {
        try with { state throws(MetadataError) in
            var page = ListObjectVersionsPage(versions: [], commonPrefixes: [], next: nil)
            for (key, versions) in try state.bucket(request.bucket).keys.sorted(by: { $0.key < $1.key }) {
                guard key.bytes.starts(with: request.prefix) else { continue }
                var rest = versions[...]
                if key.bytes == request.keyMarker {
                    guard let marker = request.versionMarker, let index = versions.firstIndex(where: { $0.id == marker }) else {
                        continue
                    }
                    rest = versions[(index + 1)...]
                } else if !request.keyMarker.lexicographicallyPrecedes(key.bytes) {
                    continue
                }
                for version in rest {
                    if page.versions.count == request.maxKeys {
                        page.next = page.versions.last.map { .init(key: $0.object.key.bytes, versionID: $0.versionID) }
                        return page
                    }
                    page.versions.append(
                        ListedVersion(
                            object: Self.listed(key, version), versionID: version.id, isLatest: version.id == versions[0].id,
                            isDeleteMarker: version.put == nil))
                }
            }
            return page
        }
    }

    private static func folder(of key: ObjectKey, _ prefix: [UInt8], _ delimiter: [UInt8]) -> [UInt8]? {
        if delimiter.isEmpty { return nil }
        var index = prefix.count
        while index + delimiter.count <= key.bytes.count {
            if key.bytes[index..<(index + delimiter.count)].elementsEqual(delimiter) {
                return Array(key.bytes[..<(index + delimiter.count)])
            }
            index += 1
        }
        return nil
    }

    private static func listed(_ key: ObjectKey, _ version: Version) -> ListedObject {
        ListedObject(
            key: key, etag: version.put?.etag ?? ETag(high: 0, low: 0), size: UInt64(version.content.readableBytes),
            lastModifiedMilliseconds: version.modified, storageClass: version.put?.attributes.storageClass,
            owner: version.owner, checksumAlgorithm: version.put?.checksum?.algorithm,
            checksumKind: version.put?.checksum?.kind)
    }
}
