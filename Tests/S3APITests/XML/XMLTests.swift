import Metadata
import NIOCore
import S3API
import Testing

@Suite("XML documents")
struct XMLTests {
    @Test("A document is written with declaration, namespace and escapes")
    func writing() {
        var document = XMLWriter(root: "Root")
        document.element("Text", "a<b>&\"c'\r\n\t\u{1}\u{7f}ä\u{fffe}\u{ffff}\u{ffef}")
        document.element("Number", UInt64.max)
        document.element("Zero", 0)
        document.element("Flag", true)
        document.element("Date", milliseconds: 1_795_499_050_007)
        document.open("ETag")
        document.etag(ETag(high: 0xd41d_8cd9_8f00_b204, low: 0xe980_0998_ecf8_427e, partCount: 120))
        document.close("ETag")
        let expected =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + "<Text>a&lt;b&gt;&amp;&quot;c'&#xd;&#xa;&#x9;&#x1;\u{7f}ä&#xfffe;&#xffff;\u{ffef}</Text>"
            + "<Number>18446744073709551615</Number><Zero>0</Zero><Flag>true</Flag><Date>2026-11-24T05:44:10.007Z</Date>"
            + "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e-120&quot;</ETag></Root>"
        #expect(String(buffer: document.finish(root: "Root")) == expected)
    }

    @Test(
        "encoding-type=url escapes as AWS does",
        arguments: [
            ("test_file(3).png", "test_file%283%29.png"), ("a b+c", "a+b%2Bc"), ("a/b", "a/b"), ("~*-_.", "%7E*-_."),
            ("ä", "%C3%A4"), ("\u{0}\n", "%00%0A"), ("😀", "%F0%9F%98%80"), ("100%", "100%25"), ("", ""),
            ("&<>\"'", "%26%3C%3E%22%27"),
        ])
    func urlEscapes(key: String, expected: String) {
        #expect(URLEscape.encode(Array(key.utf8)) == expected)
    }

    @Test("A key of any text survives writing and reading")
    func roundTrip() throws {
        for key in ["a", " a ", "a\rb", "\t\n", "<&>\"'", "]]>", "ä€😀", "a\u{7f}\u{85}", "<!DOCTYPE x>"] {
            var document = XMLWriter(root: "Root")
            document.element("Key", key)
            let root = try XMLDocument.parse(document.finish(root: "Root"))
            #expect(root.child("Key")?.text == key)
        }
    }

    @Test("Elements are read whatever prefix, declaration, comment or section is around them")
    func reading() throws {
        let text = """
            <?xml version='1.0' encoding='utf-8'?>
            <!-- a <!DOCTYPE in a comment is none -->
            <s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" id="1">
              <s3:Object><Key>a&amp;b&#x20;&#10;c</Key><VersionId> v </VersionId></s3:Object>
              <Object><Key><![CDATA[<!DOCTYPE d>&amp;]]></Key></Object>
              <Quiet/>
            </s3:Delete>
            """
        let root = try XMLDocument.parse(ByteBuffer(string: text))
        #expect(root.name == "Delete")
        #expect(root.children.map(\.name) == ["Object", "Object", "Quiet"])
        #expect(root.children[0].child("Key")?.text == "a&b \nc")
        #expect(root.children[0].value("VersionId") == "v")
        #expect(root.children[1].child("Key")?.text == "<!DOCTYPE d>&amp;")
        #expect(root.value("Quiet") == "")
    }

    static let bomb = """
        <?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
        <Delete>&lol2;</Delete>
        """

    @Test(
        "What is not a plain well-formed document is refused",
        arguments: [
            "", " ", "a", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>b", "b<a/>", "<a/></a>", "<a/>&amp;", "<a>b</a>\n<",
            "<a>&b;</a>", "<a>&#0;</a>", "<a b></a>", "<a b='1' b='2'/>",
            "<a>\u{0}</a>", "<a>\u{1}</a>", "<a><!-- </a>", "<a><![CDATA[</a>", "</a>", "<a>]]></a", "{\"a\": 1}",
            "<!DOCTYPE a><a/>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "<a/><!ELEMENT a ANY>",
            "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>", bomb,
            "<?xml-stylesheet href='x'", String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17),
        ])
    func malformed(text: String) {
        #expect { try XMLDocument.parse(ByteBuffer(string: text)) } throws: { ($0 as? S3Error)?.code == "MalformedXML" }
    }

    @Test("Bytes that are not UTF-8 are refused, a declared type in another encoding too")
    func encodings() {
        let utf16 = "<!DOCTYPE a><a/>".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        for bytes in [[0xFF, 0xFE] + utf16, utf16, Array("<a>".utf8) + [0xC3, 0x28] + Array("</a>".utf8)] {
            #expect { try XMLDocument.parse(ByteBuffer(bytes: bytes)) } throws: { ($0 as? S3Error)?.code == "MalformedXML" }
        }
    }

    @Test("Sixteen levels are read, and more elements than any S3 document has are refused")
    func bounds() throws {
        let deep = String(repeating: "<a>", count: 16) + "x" + String(repeating: "</a>", count: 16)
        #expect(try XMLDocument.parse(ByteBuffer(string: deep)).name == "a")
        let wide = "<a>" + String(repeating: "<b/>", count: XMLDocument.elementCountMax) + "</a>"
        #expect { try XMLDocument.parse(ByteBuffer(string: wide)) } throws: { ($0 as? S3Error)?.code == "MalformedXML" }
    }
}
