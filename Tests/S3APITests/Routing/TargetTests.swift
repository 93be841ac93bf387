import S3API
import Testing

@Suite("A request target is taken apart without changing a byte of the key")
struct TargetTests {
    @Test(
        "Bucket and key part at the second slash",
        arguments: [
            ("/", "", ""), ("", nil, ""), ("/b", "b", ""), ("/b/", "b", ""), ("/b/k", "b", "k"), ("/b//k", "b", "/k"),
            ("/b/k/", "b", "k/"), ("/b/a/b/c", "b", "a/b/c"), ("/b/../x", "b", "../x"), ("/b/..", "b", ".."),
            ("/b/.", "b", "."), ("/b/a//b", "b", "a//b"), ("/b/a+b", "b", "a+b"), ("/b/a%2Bb", "b", "a+b"),
            ("/b/a%20b", "b", "a b"), ("/b/%2525", "b", "%25"), ("/b/%2F", "b", "/"), ("/b%2Fc/k", "b/c", "k"),
            ("/b/%2e%2E", "b", ".."), ("/b/%00", "b", "\u{0}"), ("/b/%F0%9F%94%91", "b", "🔑"), ("/b/🔑", "b", "🔑"),
            ("/b/a%0Ab", "b", "a\nb"), ("/b/k#f", "b", "k#f"), ("/b/k;v=1", "b", "k;v=1"), ("/b/%3F", "b", "?"),
            ("http://host:9000/b/k", "b", "k"), ("https://host/", "", ""), ("http://host", nil, ""), ("*", nil, ""),
            ("b/k", nil, ""), ("/b/%", nil, ""), ("/b/%2", nil, ""), ("/b/%zz", nil, ""), ("/b/%2g", nil, ""),
            ("/%/k", nil, ""), ("/%FF/k", nil, ""),
        ] as [(String, String?, String)])
    func path(_ target: String, _ bucket: String?, _ key: String) {
        let parsed = try? S3Target(parsing: target)
        #expect(parsed?.bucket == bucket)
        if let parsed { #expect(parsed.key == Array(key.utf8)) }
        if bucket == nil {
            #expect(errorThrown { () throws(S3Error) in try S3Target(parsing: target) }?.code == "InvalidURI")
        }
    }

    @Test("Any byte may stand in a key, escaped or not")
    func everyByte() throws {
        let key = (UInt8.min...UInt8.max).map { $0 }
        let escaped = key.map { "%" + (String($0, radix: 16).count == 1 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(try S3Target(parsing: "/b/" + escaped).key == key)
        #expect(try S3Target(parsing: "/b/" + escaped.uppercased()).key == key)
    }

    @Test("A path that starts with two slashes names no bucket", arguments: ["//", "//k", "//b/k"])
    func emptyBucket(_ target: String) {
        #expect(errorThrown { () throws(S3Error) in try S3Target(parsing: target) }?.code == "InvalidBucketName")
    }

    @Test("The query keeps order, repetition and the difference between no value and an empty one")
    func query() throws {
        let query = try S3Target(parsing: "/b?b=2&a&a=&&c=x%3Dy=z&%C3%A9=%FF&p=a+b").query
        #expect(
            query.items == [
                .init(name: "b", value: Array("2".utf8)), .init(name: "a", value: nil), .init(name: "a", value: []),
                .init(name: "c", value: Array("x=y=z".utf8)), .init(name: "é", value: [0xFF]),
                .init(name: "p", value: Array("a+b".utf8)),
            ])
        #expect(query.bytes("a") == [] && query.bytes("missing") == nil)
        #expect(try S3Target(parsing: "/b?").query.items.isEmpty)
        #expect(try S3Target(parsing: "/b?x=1?y").query.string("x") == "1?y")
    }

    @Test("A broken escape in the query is refused", arguments: ["/b?a=%", "/b?a=%1", "/b?%zz=1", "/b?%FF=1"])
    func brokenQuery(_ target: String) {
        #expect(errorThrown { () throws(S3Error) in try S3Target(parsing: target) }?.code == "InvalidURI")
    }
}
