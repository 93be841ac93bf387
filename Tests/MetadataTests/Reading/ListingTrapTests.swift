import Metadata
import Testing

/// What others got wrong in listings, each by its name.
@Suite("Traps of listing")
struct ListingTrapTests {
    struct Trap: Sendable, CustomTestStringConvertible {
        var name: String
        var keys: [String]
        /// Keys that a delete marker hides.
        var hidden: [String] = []
        var prefix = ""
        var delimiter = ""
        var startAfter = ""
        var maxKeys = 1000
        var objects: [String] = []
        var folders: [String] = []
        var next: String?

        var testDescription: String { name }
    }

    static let traps = [
        Trap(
            name: "Keys are in the order of their bytes, not of their parts",
            keys: ["a/b", "a-b", "a", "a0", "a/", "A", "é", "a\u{1}"],
            objects: ["A", "a", "a\u{1}", "a-b", "a/", "a/b", "a0", "é"]),
        Trap(name: "A marker that is a key is not shown again", keys: ["a", "b", "c"], startAfter: "b", objects: ["c"]),
        Trap(name: "A marker need not be a key", keys: ["a", "b", "c"], startAfter: "aa", objects: ["b", "c"]),
        Trap(
            name: "Keys and common prefixes of a page are merged in order", keys: ["a", "b/1", "b/2", "c", "d/1", "e"],
            delimiter: "/", maxKeys: 4, objects: ["a", "c"], folders: ["b/", "d/"], next: "d/"),
        Trap(name: "max-keys=0 is an empty page that is not truncated", keys: ["a", "b"], maxKeys: 0),
        Trap(
            name: "Hidden keys do not shorten a page", keys: ["a", "d", "e"], hidden: ["b", "c", "f"], maxKeys: 2,
            objects: ["a", "d"], next: "d"),
        Trap(
            name: "A page that only hidden keys follow is not truncated", keys: ["a", "b"], hidden: ["c", "d"], maxKeys: 2,
            objects: ["a", "b"]),
        Trap(
            name: "A folder of hidden keys is no common prefix", keys: ["b/2"], hidden: ["a/1", "b/1", "c/1"], delimiter: "/",
            folders: ["b/"]),
        Trap(
            name: "A full page that nothing follows is not truncated", keys: ["a", "b/1", "b/2"], delimiter: "/", maxKeys: 2,
            objects: ["a"], folders: ["b/"]),
        Trap(
            name: "A common prefix given back as marker skips its folder", keys: ["a/1", "a/2", "b"], delimiter: "/",
            startAfter: "a/", objects: ["b"]),
        Trap(
            name: "A marker inside a folder hides the common prefix, which is not greater than it", keys: ["a/1", "a/2", "b"],
            delimiter: "/", startAfter: "a/1", objects: ["b"]),
        Trap(
            name: "A marker just before a folder shows it", keys: ["a/1", "a/2", "b"], delimiter: "/", startAfter: "a",
            objects: ["b"], folders: ["a/"]),
        Trap(
            name: "Without a delimiter a marker that ends a folder skips nothing but itself", keys: ["a/", "a/1", "b"],
            startAfter: "a/", objects: ["a/1", "b"]),
        Trap(
            name: "A marker before the prefix starts at the prefix", keys: ["a", "p/1", "p/2", "q"], prefix: "p/",
            startAfter: "b", objects: ["p/1", "p/2"]),
        Trap(
            name: "A marker beyond the prefix is an empty page", keys: ["a", "p/1", "p/2", "q"], prefix: "p/", startAfter: "p0"
        ),
        Trap(
            name: "A prefix may end inside a folder's name", keys: ["photos/1", "phone/1", "pict"], prefix: "ph",
            delimiter: "/", folders: ["phone/", "photos/"]),
        Trap(
            name: "A key that is the prefix is an object, not a folder", keys: ["a/", "a/b", "a/c/d"], prefix: "a/",
            delimiter: "/", objects: ["a/", "a/b"], folders: ["a/c/"]),
        Trap(
            name: "A delimiter may have several bytes and overlap itself", keys: ["a---b", "a-b", "a--c"], delimiter: "--",
            objects: ["a-b"], folders: ["a--"]),
        Trap(
            name: "A delimiter may be a character of four bytes", keys: ["x😀1", "x😀2", "x", "😀"], delimiter: "😀",
            objects: ["x"], folders: ["x😀", "😀"]),
        Trap(
            name: "Zero bytes keep their order among keys, folders and markers", keys: ["a", "a\0", "a\0b", "a\0\0", "a\u{1}"],
            delimiter: "\0", startAfter: "a", objects: ["a\u{1}"], folders: ["a\0"]),
        Trap(
            name: "The greatest characters end no range early", keys: ["\u{10FFFF}", "\u{10FFFF}/1"], prefix: "\u{10FFFF}",
            delimiter: "/", objects: ["\u{10FFFF}"], folders: ["\u{10FFFF}/"]),
    ]

    @Test(arguments: traps)
    func trap(_ trap: Trap) throws {
        let bucket = try ListingBucket(
            keys: trap.keys.map { Array($0.utf8) }, hidden: trap.hidden.map { Array($0.utf8) })
        let page = try bucket.reader.listObjects(
            ListObjects(
                bucket: BucketReference(name: "bucket", requiredOwner: nil), prefix: Array(trap.prefix.utf8),
                delimiter: Array(trap.delimiter.utf8), startAfter: Array(trap.startAfter.utf8), maxKeys: trap.maxKeys),
            in: bucket.record)
        #expect(page.objects.map { Self.show($0.key.bytes) } == trap.objects.map { Self.show(Array($0.utf8)) })
        #expect(page.commonPrefixes.map { Self.show($0) } == trap.folders.map { Self.show(Array($0.utf8)) })
        #expect(page.nextStartAfter == trap.next.map { Array($0.utf8) })
    }

    private static func show(_ bytes: [UInt8]) -> String { NaiveBucket.Item.show(bytes) }

    @Test("A page holds 1,000 items at most, and says that more follow", arguments: [1000, 1001, 5000])
    func pageSize(count: Int) throws {
        let keys = (0..<count).map { Array("key-\($0 + 10_000)".utf8) }
        let bucket = try ListingBucket(keys: keys, hidden: [])
        let page = try bucket.listObjects(KeyRange(prefix: [], delimiter: [], marker: []), maxKeys: 100_000)
        #expect(page.items.items.count == 1000)
        #expect(page.items.isTruncated == (count > 1000))
    }
}
