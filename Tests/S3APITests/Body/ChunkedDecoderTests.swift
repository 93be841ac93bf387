import NIOCore
import S3API
import Testing

/// Random numbers that a seed replays.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }

    /// The bytes cut into pieces of random sizes.
    mutating func split(_ bytes: [UInt8], upTo sizeMax: Int) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...sizeMax, using: &self))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}

@Suite("aws-chunked framing")
struct ChunkedDecoderTests {
    struct Outcome: Equatable {
        var content: [UInt8] = []
        var signatures: [String] = []
        var trailers: [String] = []
        var trailerSignature: String?
        var error: String?
    }

    static func decode(
        _ pieces: [[UInt8]], byteCount: UInt64, isSigned: Bool = false, hasTrailers: Bool = true
    ) -> Outcome {
        var decoder = ChunkedDecoder(byteCount: byteCount, isSigned: isSigned, hasTrailers: hasTrailers)
        var outcome = Outcome()
        do throws(S3Error) {
            for piece in pieces {
                decoder.feed(ByteBuffer(bytes: piece))
                while let event = try decoder.next() {
                    switch event {
                    case .content(let bytes): outcome.content += Array(bytes.readableBytesView)
                    case .chunkEnd(let signature): outcome.signatures.append(String(decoding: signature, as: UTF8.self))
                    case .trailers(let trailers):
                        outcome.trailers = trailers.fields.map { "\($0.name)=\($0.value)" }
                        outcome.trailerSignature = trailers.signature.map { String(decoding: $0, as: UTF8.self) }
                    }
                }
            }
            try decoder.finish()
        } catch {
            outcome.error = error.code
        }
        return outcome
    }

    static func decode(_ body: String, byteCount: UInt64, isSigned: Bool = false, hasTrailers: Bool = true) -> Outcome {
        decode([Array(body.utf8)], byteCount: byteCount, isSigned: isSigned, hasTrailers: hasTrailers)
    }

    @Test("Chunks, trailers and the end come out, whatever the pieces that came in")
    func splits() {
        let body = Array(
            "5\r\nhello\r\n0001;x=y\r\n \r\n5\r\nworld\r\n0\r\nX-Amz-Checksum-CRC32: abc= \r\nother:1\r\n\r\n".utf8)
        let whole = Self.decode([body], byteCount: 11)
        #expect(whole.content == Array("hello world".utf8))
        #expect(whole.signatures == ["", "", "", ""])
        #expect(whole.trailers == ["x-amz-checksum-crc32=abc=", "other=1"])
        #expect(whole.error == nil)
        #expect(Self.decode(body.map { [$0] }, byteCount: 11) == whole)
        for seed in 0..<200 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            #expect(Self.decode(generator.split(body, upTo: 20), byteCount: 11) == whole, "seed \(seed)")
        }
    }

    @Test("Content is passed on without being copied")
    func zeroCopy() throws {
        var decoder = ChunkedDecoder(byteCount: 100_000, isSigned: false, hasTrailers: true)
        let bytes = ByteBuffer(bytes: Array("186a0\r\n".utf8) + Array(repeating: 7, count: 100_000))
        decoder.feed(bytes)
        guard case .content(let content) = try decoder.next() else {
            Issue.record("no content")
            return
        }
        let start = bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(content.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == start + 7)
        #expect(content.readableBytes == 100_000)
    }

    static let signature = String(repeating: "ab", count: 32)

    @Test("Signed chunks carry their signatures; signed trailers end with theirs, as AWS and as minio-go write them")
    func signed() {
        let chunks = "3;chunk-signature=\(Self.signature)\r\nabc\r\n0;chunk-signature=\(Self.signature)\r\n"
        let plain = Self.decode(chunks + "\r\n", byteCount: 3, isSigned: true, hasTrailers: false)
        #expect(plain.error == nil && plain.signatures == [Self.signature, Self.signature])
        for tail in ["\r\n", "\n\r\n"] {
            for end in ["\r\n", "\r\n\r\n"] {
                let body = chunks + "x-amz-checksum-crc32c:sOO8/Q==\(tail)x-amz-trailer-signature:\(Self.signature)\(end)"
                let outcome = Self.decode(body, byteCount: 3, isSigned: true)
                #expect(outcome.error == nil && outcome.trailerSignature == Self.signature)
                #expect(outcome.trailers == ["x-amz-checksum-crc32c=sOO8/Q=="])
            }
        }
    }

    @Test("A body that was cut off anywhere is incomplete, never shorter")
    func truncation() {
        let unsigned = Array("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".utf8)
        for length in 0..<unsigned.count {
            #expect(Self.decode([Array(unsigned.prefix(length))], byteCount: 5).error == "IncompleteBody", "\(length)")
        }
        let signed = TestSigner().chunked([Array("hello".utf8), Array("world".utf8)], seed: Self.signature)
        for length in 0..<signed.count {
            let outcome = Self.decode([Array(signed.prefix(length))], byteCount: 10, isSigned: true, hasTrailers: false)
            #expect(outcome.error == "IncompleteBody", "\(length)")
        }
    }

    @Test(
        "More or fewer bytes than declared are refused",
        arguments: [
            ("5\r\nhello\r\n0\r\n\r\n", 4), ("5\r\nhello\r\n0\r\n\r\n", 6), ("ffffffffffffffff\r\nx", 5), ("0\r\n\r\n", 1),
        ]
            as [(String, UInt64)])
    func length(_ body: String, _ byteCount: UInt64) {
        #expect(Self.decode(body, byteCount: byteCount).error == "IncompleteBody")
    }

    @Test(
        "Broken framing is refused",
        arguments: [
            ("\r\nhello", "InvalidRequest"), (" 5\r\nhello\r\n0\r\n\r\n", "InvalidRequest"),
            ("5\nhello\r\n0\r\n\r\n", "InvalidRequest"), ("-5\r\nhello", "InvalidRequest"), ("0x5\r\nhello", "InvalidRequest"),
            ("5\r\nhelloX\r\n", "InvalidRequest"), ("5\r\nhello\n0\r\n\r\n", "InvalidRequest"),
            ("10000000000000005\r\nhello", "InvalidRequest"), (";x\r\n", "InvalidRequest"),
            ("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1", "InvalidRequest"),
            ("5\r\nhello\r\n0\r\nno colon\r\n\r\n", "MalformedTrailerError"),
            ("5\r\nhello\r\n0\r\n:empty\r\n\r\n", "MalformedTrailerError"),
            ("5\r\nhello\r\n0\r\na:1\r\nA:2\r\n\r\n", "MalformedTrailerError"),
            ("5\r\nhello\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n", "MalformedTrailerError"),
        ])
    func broken(_ body: String, _ code: String) {
        #expect(Self.decode(body, byteCount: 5).error == code)
    }

    @Test("A signed chunk needs a signature of 64 digits")
    func missingSignature() {
        for header in ["3", "3;chunk-signature=abc", "3;chunk-signature=\(Self.signature)0", "3;other=\(Self.signature)"] {
            #expect(Self.decode("\(header)\r\nabc\r\n", byteCount: 3, isSigned: true).error == "InvalidRequest")
        }
    }

    @Test("Lines that never end are cut short: a hostile body takes no memory")
    func bounded() {
        let line = Array(repeating: UInt8(ascii: "0"), count: 64)
        #expect(Self.decode(Array(repeating: line, count: 1000), byteCount: 5).error == "InvalidRequest")
        let trailers = [Array("0\r\n".utf8)] + Array(repeating: Array("a".utf8), count: 10_000)
        #expect(Self.decode(trailers, byteCount: 0).error == "MalformedTrailerError")
        let many = [Array("0\r\n".utf8)] + (0..<10_000).map { Array("a\($0):1\r\n".utf8) }
        #expect(Self.decode(many, byteCount: 0).error == "MalformedTrailerError")
        let blank =
            [Array("0;chunk-signature=\(Self.signature)\r\n".utf8)] + Array(repeating: Array("\r\n".utf8), count: 10_000)
        #expect(Self.decode(blank, byteCount: 0, isSigned: true).error == "MalformedTrailerError")
        let after = [Array("0\r\n\r\n".utf8)] + Array(repeating: Array("\r\n".utf8), count: 10_000)
        #expect(Self.decode(after, byteCount: 0).error == "InvalidRequest")
    }

    @Test("Random damage never yields other bytes than were sent without an error or a broken signature", arguments: 0..<20)
    func damage(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let content = generator.bytes(count: 300)
        let body = TestSigner.unsignedChunked(
            generator.split(content, upTo: 80), trailers: [("x-amz-checksum-crc32", "AAAAAA==")])
        for _ in 0..<200 {
            var damaged = body
            damaged[Int.random(in: 0..<damaged.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            let outcome = Self.decode(generator.split(damaged, upTo: 64), byteCount: 300)
            // Framing has no checksum: damage inside the content passes here and is found by the digests. It never changes the length.
            if outcome.error == nil { #expect(outcome.content.count == 300, "seed \(seed)") }
            #expect(outcome.content.count <= 300, "seed \(seed)")
        }
    }
}
