import S3API
import Testing

@Suite("Base64 of digests")
struct Base64Tests {
    /// RFC 4648, section 10.
    @Test(
        "The vectors of RFC 4648",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test("Any bytes come back", arguments: 0..<64)
    func roundTrip(_ count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let bytes = generator.bytes(count: count)
        #expect(Base64.decode(Base64.encode(bytes).utf8) == bytes)
    }

    @Test(
        "Only what was written is read: one text for one digest",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "====", "=Zg=", "Z=g=", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v ", " Zm9v", "Zm9v\n", "Zm-v",
            "Zm_v", "Zm9vé",
        ])
    func refused(_ text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }
}
