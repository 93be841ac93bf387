import Metadata
import NIOHTTP1
import S3API
import Testing

@Suite("What operations read from headers and parameters")
struct ParsingTests {
    @Test(
        "A range is read or ignored as S3 does",
        arguments: [
            ("bytes=0-4", 10, 0..<5), ("bytes=5-", 10, 5..<10), ("bytes=-3", 10, 7..<10), ("bytes=-30", 10, 0..<10),
            ("bytes=0-99", 10, 0..<10), ("bytes=9-9", 10, 9..<10), ("Bytes=1-2", 10, 1..<3), ("bytes = 1 - 2", 10, 1..<3),
            ("bytes=0-18446744073709551615", 10, 0..<10), ("bytes=0-99999999999999999999", 10, 0..<10),
            ("bytes=10-", 10, nil), ("bytes=99999999999999999999-", 10, nil), ("bytes=-0", 10, nil), ("bytes=0-", 0, nil),
            ("bytes=-1", 0, nil),
        ] as [(String, UInt64, Range<UInt64>?)])
    func range(header: String, size: UInt64, expected: Range<UInt64>?) throws {
        #expect(try #require(ByteRange(header: header)).resolved(size: size) == expected)
    }

    @Test(
        "What is no single range of bytes is ignored",
        arguments: [
            "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=0-1,3-4", "items=0-4", "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2", "bytes=1.0-2", "bytes=½-2", "0-4",
        ])
    func ignoredRange(header: String) {
        #expect(ByteRange(header: header) == nil)
    }

    @Test(
        "Bucket names follow S3's rules",
        arguments: [
            ("abc", true), ("my-bucket.example", true), ("a1b", true), (String(repeating: "a", count: 63), true),
            ("1.2.3.4a", true), ("256.1.1", true), ("", false), ("ab", false), (String(repeating: "a", count: 64), false),
            ("Abc", false), ("a_b", false), ("-abc", false), ("abc-", false), (".abc", false), ("abc.", false), ("a..b", false),
            ("a.-b", false), ("a-.b", false), ("192.168.5.4", false), ("xn--abc", false), ("sthree-abc", false),
            ("abc-s3alias", false), ("abc--ol-s3", false), ("abc--x-s3", false), ("amzn-s3-demo-abc", false), ("äbc", false),
            ("a b", false), ("a/b", false),
        ])
    func bucketName(name: String, isValid: Bool) {
        #expect(BucketName.isValid(name) == isValid)
    }

    @Test(
        "Dates of headers are read in every form that RFC 9110 names",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000),
            ("Sun Nov  6 08:49:37 1994", 784_111_777_000), ("1994-11-06T08:49:37Z", 784_111_777_000),
            ("1994-11-06T08:49:37.250Z", 784_111_777_250), ("1994-11-06T10:49:37+02:00", 784_111_777_000),
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Wed, 29 Feb 2023 00:00:00 GMT", nil), ("Sun, 06 Nov 1994 24:00:00 GMT", nil), ("yesterday", nil), ("", nil),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 06 Abc 1994 08:49:37 GMT", nil), ("1994-11-06", nil),
            ("1994-11-06T08:49:37", nil), ("1994-11-06T08:49:37.Z", nil), ("1994-13-06T08:49:37Z", nil), ("-1", nil),
        ] as [(String, UInt64?)])
    func date(text: String, milliseconds: UInt64?) {
        #expect(HTTPDate.milliseconds(text) == milliseconds)
    }

    @Test("Dates are written as headers and documents have them, and are read back")
    func writtenDates() {
        #expect(HTTPDate.text(milliseconds: 784_111_777_999) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(ISODate.text(milliseconds: 1_795_499_050_000) == "2026-11-24T05:44:10.000Z")
        #expect(HTTPDate.text(milliseconds: .max) == "Fri, 31 Dec 9999 23:59:59 GMT")
        // Every day of two leap cycles, at a moment of its own.
        for day in 0..<3000 as Range<UInt64> {
            let moment = day * 86_400_000 * 9 + day * 1_001
            #expect(ISODate.milliseconds(ISODate.text(milliseconds: moment)) == moment)
            #expect(HTTPDate.milliseconds(HTTPDate.text(milliseconds: moment)) == moment / 1000 * 1000)
        }
    }

    @Test(
        "A copy's source names bucket, key and version",
        arguments: [
            ("bucket/key", "key", nil), ("/bucket/key", "key", nil), ("bucket/a%20b/c", "a b/c", nil),
            ("bucket/a+b", "a+b", nil),
            ("bucket//key", "/key", nil), ("/bucket/%2Fkey", "/key", nil), ("bucket/a%3FversionId=x", "a?versionId=x", nil),
            ("bucket/key?versionId=null", "key", .null), ("bucket/%C3%A4", "ä", nil),
            ("bucket/a/../b", "a/../b", nil), ("bucket%2Fkey", "key", nil),
        ] as [(String, String, VersionID?)])
    func copySource(header: String, key: String, version: VersionID?) throws {
        let source = try CopySource(header: header)
        #expect(source.bucket == "bucket")
        #expect(source.key == Array(key.utf8))
        #expect(source.versionID == version)
    }

    @Test(
        "A copy's source that is none is an invalid argument",
        arguments: [
            "", "/", "bucket", "bucket/", "/bucket/", "bucket/a%2", "bucket/a%zz", "B/key", "bucket/key?versionId=",
            "bucket/key?versionId=x",
        ])
    func brokenCopySource(header: String) {
        #expect { try CopySource(header: header) } throws: { ($0 as? S3Error)?.code == "InvalidArgument" }
    }

    @Test(
        "Version and upload ids are read back exactly, and nothing else is",
        arguments: [(0, 0), (1, 0), (1, 1), (0x0123_4567_89AB_CDEF, 0xFEDC_BA98), (.max, .max)] as [(UInt64, UInt32)])
    func identifiers(index: UInt64, offset: UInt32) throws {
        let position = CommitPosition(index: index, offset: offset)
        let version = VersionID.version(position).text
        let upload = UploadID(position: position).text
        #expect(VersionID(text: version) == .version(position))
        #expect(UploadID(text: upload) == UploadID(position: position))
        #expect(version.utf8.allSatisfy { PathEscape.encode([$0]).utf8.count == 1 })
        #expect(VersionID(text: upload) == nil)
        #expect(UploadID(text: version) == nil)
        for garbage in [
            version + "A", String(version.dropLast()), " " + version.dropFirst(), "Null", "", "mpu-", version + "=",
        ] {
            #expect(VersionID(text: garbage) == nil)
            #expect(UploadID(text: "mpu-" + garbage) == nil)
        }
    }

    @Test(
        "An entity tag is read only as it is written",
        arguments: [
            ("d41d8cd98f00b204e9800998ecf8427e", true), ("d41d8cd98f00b204e9800998ecf8427e-1", true),
            ("d41d8cd98f00b204e9800998ecf8427e-10000", true), ("D41D8CD98F00B204E9800998ECF8427E", false),
            ("d41d8cd98f00b204e9800998ecf8427", false), ("d41d8cd98f00b204e9800998ecf8427e-", false),
            ("d41d8cd98f00b204e9800998ecf8427e-0", false), ("d41d8cd98f00b204e9800998ecf8427e-01", false),
            ("d41d8cd98f00b204e9800998ecf8427e-70000", false), ("d41d8cd98f00b204e9800998ecf8427e+1", false), ("", false),
            ("é41d8cd98f00b204e9800998ecf8427", false),
        ])
    func entityTag(text: String, isOurs: Bool) {
        let tag = ETag(unquoted: text)
        #expect((tag != nil) == isOurs)
        if let tag { #expect(tag.quoted == "\"\(text)\"") }
    }

    @Test("A list of tags takes quotes, stars and weak tags as the header's comparison asks")
    func tagLists() throws {
        let tag = try #require(ETag(unquoted: "d41d8cd98f00b204e9800998ecf8427e"))
        let quoted = tag.quoted
        #expect(ETagMatch.list(["*"], weak: false) == [.any])
        #expect(ETagMatch.list([quoted], weak: false) == [.tag(tag)])
        #expect(ETagMatch.list([quoted.replacing("\"", with: "")], weak: false) == [.tag(tag)])
        #expect(ETagMatch.list(["W/" + quoted], weak: false) == [.foreign])
        #expect(ETagMatch.list(["W/" + quoted], weak: true) == [.tag(tag)])
        #expect(ETagMatch.list(["\"x\", \(quoted) ,", "*"], weak: false) == [.foreign, .tag(tag), .any])
    }

    @Test(
        "A continuation token is read back, and one that was changed is refused",
        arguments: ["a", "a/b", "ä€😀", "\u{1}\u{7f}", String(repeating: "k", count: 1024)])
    func continuationToken(position: String) throws {
        let token = ContinuationToken.encode(Array(position.utf8))
        #expect(try ContinuationToken.decode(token) == Array(position.utf8))
        for garbage in [
            token + "A", String(token.dropLast()), "A" + token, position, "AQ", "", token.replacing("A", with: "B"),
        ] {
            #expect { try ContinuationToken.decode(garbage) } throws: { ($0 as? S3Error)?.code == "InvalidArgument" }
        }
    }

    // MARK: Conditions

    private static let tag = "\"d41d8cd98f00b204e9800998ecf8427e\""
    private static let other = "\"00000000000000000000000000000000\""
    /// The object is from 08:49:37.500.
    private static let before = "Sun, 06 Nov 1994 08:49:36 GMT"
    private static let same = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let after = "Sun, 06 Nov 1994 08:49:38 GMT"

    @Test(
        "Conditions of a read are weighed in the order of RFC 9110",
        arguments: [
            ([], .proceed),
            ([("If-Match", tag)], .proceed), ([("If-Match", "*")], .proceed), ([("If-Match", other)], .failed("If-Match")),
            ([("If-Match", "\(other), \(tag)")], .proceed),
            ([("If-None-Match", tag)], .notModified), ([("If-None-Match", "*")], .notModified),
            ([("If-None-Match", other)], .proceed), ([("If-None-Match", "W/" + tag)], .notModified),
            ([("If-Modified-Since", before)], .proceed), ([("If-Modified-Since", same)], .notModified),
            ([("If-Modified-Since", after)], .notModified), ([("If-Modified-Since", "never")], .proceed),
            ([("If-Unmodified-Since", before)], .failed("If-Unmodified-Since")), ([("If-Unmodified-Since", same)], .proceed),
            ([("If-Unmodified-Since", after)], .proceed), ([("If-Unmodified-Since", "never")], .proceed),
            ([("If-Match", tag), ("If-Unmodified-Since", before)], .proceed),
            ([("If-None-Match", other), ("If-Modified-Since", after)], .proceed),
            ([("If-Match", tag), ("If-None-Match", tag)], .notModified),
            ([("If-Match", other), ("If-None-Match", tag)], .failed("If-Match")),
            ([("If-Unmodified-Since", before), ("If-None-Match", tag)], .failed("If-Unmodified-Since")),
        ] as [([(String, String)], ReadConditions.Outcome)])
    func conditions(headers: [(String, String)], expected: ReadConditions.Outcome) throws {
        let etag = try #require(ETag(unquoted: "d41d8cd98f00b204e9800998ecf8427e"))
        for prefix in ["", "x-amz-copy-source-"] {
            let named = HTTPHeaders(headers.map { (prefix + $0.0, $0.1) })
            let outcome = ReadConditions(named, prefix: prefix).evaluate(etag: etag, lastModifiedMilliseconds: 784_111_777_500)
            #expect(outcome == expected)
        }
    }
}
