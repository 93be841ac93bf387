import KeyValueStore
import Metadata
import Testing

/// Listings over random buckets of nasty keys, against a model that sorts, filters, folds and cuts.
@Suite("Listings against a naive model")
struct ListingPropertyTests {
    static let seeds = (1...60).map { UInt64($0) }

    @Test("Pages of objects equal the model's, whatever prefix, delimiter, marker and size", arguments: seeds)
    func objects(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: seed % 3 == 0 ? .unversioned : .enabled)
        for _ in 0..<60 {
            let range = random.range(near: bucket.keys)
            let maxKeys = random.pick([0, 1, 1, 2, 3, 7, 1000])
            let page = try bucket.listObjects(range, maxKeys: maxKeys)
            #expect(page.items == bucket.model.listObjects(range, maxKeys: maxKeys), "seed \(seed), \(range), \(maxKeys)")
            #expect(page.next == page.items.items.last.map(\.bytes) || !page.items.isTruncated, "seed \(seed), \(range)")
        }
    }

    @Test("Paging through objects shows each key and each common prefix once, in order", arguments: seeds)
    func objectPaging(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: seed % 3 == 0 ? .unversioned : .enabled)
        for maxKeys in [1, 2, 5] {
            var range = random.range(near: bucket.keys)
            let all = bucket.model.listObjects(range, maxKeys: 100_000).items
            var seen: [NaiveBucket.Item] = []
            var isTruncated = true
            while isTruncated {
                let page = try bucket.listObjects(range, maxKeys: maxKeys)
                try #require(!page.items.items.isEmpty || !page.items.isTruncated, "an empty page is truncated, seed \(seed)")
                seen += page.items.items
                isTruncated = page.items.isTruncated
                range.marker = page.next ?? []
                try #require(seen.count <= all.count, "a page repeats, seed \(seed)")
            }
            #expect(seen == all, "seed \(seed)")
        }
    }

    @Test("Pages of versions equal the model's, from any key and version marker", arguments: seeds)
    func versions(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: .enabled)
        for _ in 0..<60 {
            let range = random.range(near: bucket.keys)
            var marker: VersionID?
            if random.chance(50), !range.marker.isEmpty {
                marker = random.pick(bucket.model.versions[range.marker]?.map(\.id) ?? [.null, .version(bucket.position(3))])
            }
            let maxKeys = random.pick([0, 1, 2, 3, 7, 1000])
            let page = try bucket.listVersions(range, after: marker, maxKeys: maxKeys)
            let expected = bucket.model.listVersions(range, after: marker, maxKeys: maxKeys)
            #expect(page.items == expected, "seed \(seed), \(range), \(String(describing: marker)), \(maxKeys)")
        }
    }

    @Test("Paging through versions shows each once, newest first within a key", arguments: seeds)
    func versionPaging(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: .enabled)
        for maxKeys in [1, 2, 5] {
            var range = random.range(near: bucket.keys)
            let all = bucket.model.listVersions(range, after: nil, maxKeys: 100_000).items
            var seen: [NaiveBucket.Item] = []
            var marker: VersionID?
            var isTruncated = true
            while isTruncated {
                let page = try bucket.listVersions(range, after: marker, maxKeys: maxKeys)
                try #require(!page.items.items.isEmpty || !page.items.isTruncated, "an empty page is truncated, seed \(seed)")
                seen += page.items.items
                isTruncated = page.items.isTruncated
                range.marker = page.next?.key ?? []
                marker = page.next?.versionID
                try #require(seen.count <= all.count, "a page repeats, seed \(seed)")
            }
            #expect(seen == all, "seed \(seed)")
        }
    }

    @Test("Pages of uploads equal the model's, and paging shows each once", arguments: seeds)
    func uploads(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: .enabled)
        for _ in 0..<40 {
            var range = random.range(near: bucket.keys)
            let ids = bucket.model.uploads[range.marker] ?? [UploadID(position: bucket.position(2))]
            let marker = random.chance(50) && !range.marker.isEmpty ? random.pick(ids) : nil
            let maxUploads = random.pick([0, 1, 2, 3, 1000])
            let page = try bucket.listUploads(range, after: marker, maxUploads: maxUploads)
            #expect(
                page.items == bucket.model.listUploads(range, after: marker, maxUploads: maxUploads),
                "seed \(seed), \(range), \(String(describing: marker)), \(maxUploads)")
            guard maxUploads > 0 else { continue }
            var rest = page
            var seen = page.items.items
            while let next = rest.next {
                range.marker = next.key
                rest = try bucket.listUploads(range, after: next.uploadID, maxUploads: maxUploads)
                seen += rest.items.items
                try #require(!rest.items.items.isEmpty, "an empty page follows a truncated one, seed \(seed)")
                try #require(seen.count <= 1000, "a page repeats, seed \(seed)")
            }
            #expect(
                seen == bucket.model.listUploads(try #require(page.range), after: marker, maxUploads: 100_000).items,
                "seed \(seed)")
        }
    }

    @Test("What a listing shows a lookup finds, and what it does not show a lookup does not find", arguments: seeds)
    func listAndGetAgree(seed: UInt64) throws {
        var random = ListingRandom(seed: seed)
        let bucket = try ListingBucket(&random, versioning: seed % 3 == 0 ? .unversioned : .enabled)
        let shown = Set(try bucket.listObjects(KeyRange(prefix: [], delimiter: [], marker: []), maxKeys: 1000).items.items)
        for key in bucket.keys + (0..<20).map({ _ in random.key() }) {
            #expect(try bucket.hasObject(key) == shown.contains(.key(key)), "seed \(seed), \(NaiveBucket.Item.show(key))")
            for version in bucket.model.versions[key] ?? [] {
                let isLatest = bucket.model.versions[key]?.first == version
                #expect(try bucket.lookup(key, version.id) == (isLatest, version.isDeleteMarker), "seed \(seed)")
            }
            let hasNull = bucket.model.versions[key]?.contains { $0.id == .null } ?? false
            #expect(try bucket.hasVersion(key, .null) == hasNull, "seed \(seed), \(NaiveBucket.Item.show(key))")
        }
    }
}
