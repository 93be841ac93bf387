import KeyValueStore
import Metadata
import ObjectDataStore
import Testing

/// What `KeySchema` reads from a key.
private struct KeyParts {
    let bucketID: BucketID?
    let objectKey: [UInt8]?
    let versionPosition: CommitPosition?
    let uploadID: UploadID?
    let part: (upload: UploadID, number: UInt16)?
    let bodyID: BodyID?

    init(_ key: [UInt8]) {
        let bytes = key.span.bytes
        bucketID = KeySchema.bucketID(in: bytes)
        objectKey = KeySchema.objectKey(in: bytes)
        versionPosition = KeySchema.versionPosition(in: bytes)
        uploadID = KeySchema.uploadID(in: bytes)
        part = KeySchema.part(in: bytes)
        bodyID = KeySchema.bodyID(in: bytes)
    }
}

@Suite struct KeySchemaTests {
    static let bucket = BucketID(0x0102_0304_0506_0708)
    /// In S3's order.
    static let orderedKeys: [[UInt8]] = [
        [0], [0, 0], [0, 1], [0, 0xC3, 0xBF], [1], [1, 0], [1, 1], Array("a".utf8), Array("a\0".utf8), Array("a\0\0".utf8),
        Array("a\u{1}".utf8), Array("a-b".utf8), Array("a/".utf8), Array("a/b".utf8), Array("a0".utf8), Array("aa".utf8),
        Array("b".utf8), Array("é".utf8), Array("\u{FFFF}".utf8), Array("\u{10FFFF}".utf8),
    ]

    @Test("The store's order of versions is S3's order of keys, then newest first")
    func order() {
        let positions = [(9, 1), (9, 0), (8, UInt32.max), (1, 0), (0, 0)].map {
            CommitPosition(index: UInt64($0.0), offset: UInt32($0.1))
        }
        var last: [UInt8] = []
        for key in Self.orderedKeys {
            for position in positions {
                let next = KeySchema.version(Self.bucket, key, position)
                #expect(last.lexicographicallyPrecedes(next), "\(key) at \(position)")
                last = next
            }
        }
    }

    @Test("A version's key gives back bucket, key and position", arguments: orderedKeys)
    func versionRoundTrip(key: [UInt8]) throws {
        let position = CommitPosition(index: 77, offset: 3)
        let encoded = KeySchema.version(Self.bucket, key, position)
        #expect(KeyParts(encoded).bucketID == Self.bucket)
        #expect(KeyParts(encoded).objectKey == key)
        #expect(KeyParts(encoded).versionPosition == position)
        let upload = KeySchema.upload(Self.bucket, key, UploadID(position: position))
        #expect(KeyParts(upload).objectKey == key)
        #expect(KeyParts(upload).uploadID == UploadID(position: position))
    }

    @Test("Bounds take in all versions of a key and nothing else")
    func boundsOfKey() {
        let position = CommitPosition(index: 5, offset: 0)
        for key in Self.orderedKeys {
            let lower = KeySchema.allOf(Self.bucket, key)
            let upper = KeySchema.past(Self.bucket, key)
            for other in Self.orderedKeys {
                let version = KeySchema.version(Self.bucket, other, position)
                let isWithin = !version.lexicographicallyPrecedes(lower) && version.lexicographicallyPrecedes(upper)
                #expect(isWithin == (other == key), "\(other) in the bounds of \(key)")
            }
        }
    }

    @Test("Bounds take in all keys with a prefix and nothing else, also where the prefix ends within a character")
    func boundsOfPrefix() {
        let prefixes: [[UInt8]] = Self.orderedKeys + [[], [0xC3], [0xEF, 0xBF], [0xFF], [0xFF, 0xFF], [0x61, 0xFF], [0xF4]]
        let others = [BucketID(Self.bucket.value - 1), BucketID(Self.bucket.value + 1)]
        for prefix in prefixes {
            let lower = KeySchema.lowerBound(Self.bucket, prefix: prefix)
            let upper = KeySchema.upperBound(Self.bucket, prefix: prefix)
            for key in Self.orderedKeys {
                for bucket in [Self.bucket] + others {
                    let version = KeySchema.version(bucket, key, CommitPosition(index: 0, offset: 0))
                    let isWithin = !version.lexicographicallyPrecedes(lower) && version.lexicographicallyPrecedes(upper)
                    #expect(isWithin == (bucket == Self.bucket && key.starts(with: prefix)), "\(key) with prefix \(prefix)")
                }
            }
        }
    }

    @Test("Parts sort by upload and number, bodies by id, and give them back")
    func partsAndBodies() throws {
        let uploads = [(1, 0), (1, 1), (2, 0)].map { UploadID(position: CommitPosition(index: $0.0, offset: $0.1)) }
        var last: [UInt8] = []
        for upload in uploads {
            for number: UInt16 in [1, 2, 255, 256, 10_000] {
                let key = KeySchema.part(upload, number)
                #expect(last.lexicographicallyPrecedes(key))
                let part = try #require(KeyParts(key).part)
                #expect(part.upload == upload && part.number == number)
                #expect(KeySchema.inlinePart(upload, number).dropFirst(8) == key[...])
                last = key
            }
        }
        let id = BodyID(origin: 1 << 48 | 3, sequence: 9)
        #expect(KeyParts(KeySchema.body(id)).bodyID == id)
    }

    @Test("Inline bytes of parts stand above those of every bucket")
    func inlineParts() {
        let part = KeySchema.inlinePart(UploadID(position: CommitPosition(index: 0, offset: 0)), 1)
        let last = KeySchema.version(BucketID(.max - 1), [0xF4, 0x8F, 0xBF, 0xBF], CommitPosition(index: 0, offset: 0))
        #expect(last.lexicographicallyPrecedes(part))
    }

    @Test(
        "A key that we cannot have written is not taken apart",
        arguments: [
            [], [1, 2, 3], [UInt8](repeating: 0, count: 22), [UInt8](repeating: 9, count: 40),
            // An escape byte that is followed by neither 0xFF nor the end.
            KeySchema.lowerBound(bucket, prefix: [0x61]) + [0, 7, 0, 1] + [UInt8](repeating: 0xFF, count: 12),
        ] as [[UInt8]])
    func malformed(key: [UInt8]) {
        #expect(KeyParts(key).objectKey == nil)
    }

    @Test("The families' indices are their places in the list")
    func families() {
        #expect(KeySchema.families.map(\.index) == Array(0..<8))
        #expect(Set(KeySchema.families.map(\.name)).count == 8)
        #expect(KeySchema.families.filter(\.holdsLargeValues) == [KeySchema.inline])
    }
}
