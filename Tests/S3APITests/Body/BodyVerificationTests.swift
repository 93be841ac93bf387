import Checksum
import Crypto
import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1
import NIOPosix
import S3API
import Synchronization
import Testing

/// A body that arrives in given pieces, and perhaps breaks off.
final class ScriptedBody: HTTPBodyStream {
    private let pieces: Mutex<ArraySlice<[UInt8]>>
    private let ending: HTTPBodyError?

    init(_ pieces: [[UInt8]], ending: HTTPBodyError? = nil) {
        self.pieces = Mutex(pieces[...])
        self.ending = ending
    }

    func next() async throws(HTTPBodyError) -> ByteBuffer? {
        if let piece = pieces.withLock({ $0.popFirst() }) { return ByteBuffer(bytes: piece) }
        if let ending { throw ending }
        return nil
    }
}

@Suite("A body is what its head promised, or it is refused")
struct BodyVerificationTests {
    /// How a body reaches the service.
    enum Arrival: Sendable, CaseIterable {
        case collected
        case streamed
        /// In pieces of random size, hashed on the pool from the first byte on.
        case piecemeal
    }

    static let hello = Array("hello world".utf8)
    private static let pool = NIOThreadPool(numberOfThreads: 2)

    /// Reads a body with the headers given through all of the front but the operation.
    static func read(
        _ body: [UInt8], headers: HTTPHeaders, payload: String = "UNSIGNED-PAYLOAD", operation: S3Operation = .putObject,
        arrival: Arrival = .collected, seed: UInt64 = 1, ending: HTTPBodyError? = nil, setsLength: Bool = true
    ) async throws -> Result<(content: [UInt8], digests: S3BodyDigests), S3Error> {
        let signed = try TestSigner().sign(.PUT, "/b/k", headers: headers, payload: payload)
        return try await read(
            body, signed: signed, operation: operation, arrival: arrival, seed: seed, ending: ending, setsLength: setsLength)
    }

    static func read(
        _ body: [UInt8], signed: HTTPHeaders, target: String = "/b/k", operation: S3Operation = .putObject,
        arrival: Arrival = .collected,
        seed: UInt64 = 1, ending: HTTPBodyError? = nil, setsLength: Bool = true
    ) async throws -> Result<(content: [UInt8], digests: S3BodyDigests), S3Error> {
        pool.start()
        var headers = signed
        if setsLength, !headers.contains(name: "content-length") {
            headers.add(name: "Content-Length", value: "\(body.count)")
        }
        var generator = SeededGenerator(seed: seed)
        let pieces = arrival == .piecemeal ? generator.split(body, upTo: max(1, body.count / 3)) : [body]
        var limits = S3Limits()
        if arrival == .piecemeal { limits.offloadedHashByteCountMin = 1 }
        let source: HTTPRequestBody =
            arrival == .collected ? .collected(ByteBuffer(bytes: body)) : .streamed(ScriptedBody(pieces, ending: ending))
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        do throws(S3Error) {
            let verified = try TestSigner.verifier().verify(
                method: .PUT, target: S3Target(parsing: target), headers: headers, nowMilliseconds: TestSigner.nowMilliseconds)
            let plan = try BodyPlan(operation: operation, headers: headers, signature: verified, limits: limits)
            let body = try await S3RequestBody(source, plan: plan, hashing: S3HashingPool(threads: pool), eventLoop: loop)
            let (bytes, digests) = try await body.collect(upTo: 1 << 24)
            return .success((Array(bytes.readableBytesView), digests))
        } catch {
            return .failure(error)
        }
    }

    private static func code<Value>(_ result: Result<Value, S3Error>) -> String? {
        if case .failure(let error) = result { error.code } else { nil }
    }

    // MARK: Plain bodies

    @Test("The MD5 is computed for objects, and the bytes are untouched", arguments: Arrival.allCases)
    func plain(_ arrival: Arrival) async throws {
        let (content, digests) = try await Self.read(Self.hello, headers: [:], arrival: arrival).get()
        #expect(content == Self.hello)
        #expect(hexadecimal(digests.md5) == "5eb63bbbe01eeed093cb22bb8f5acdc3")
        #expect(digests.checksum == nil)
    }

    @Test("Other operations do not pay for an MD5")
    func noMD5() async throws {
        #expect(try await Self.read(Self.hello, headers: [:], operation: .deleteObjects).get().digests.md5.isEmpty)
        #expect(try await Self.read([], headers: [:], operation: .getObject).get().digests.md5.isEmpty)
    }

    @Test("The payload's hash is compared", arguments: Arrival.allCases)
    func payloadHash(_ arrival: Arrival) async throws {
        let hash = hexadecimal(SHA256.hash(data: Self.hello))
        for operation in [S3Operation.putObject, .deleteObjects, .getObject] {
            let right = try await Self.read(Self.hello, headers: [:], payload: hash, operation: operation, arrival: arrival)
            #expect(Self.code(right) == nil)
            let wrong = try await Self.read(
                Self.hello + [0], headers: [:], payload: hash, operation: operation, arrival: arrival)
            #expect(Self.code(wrong) == "XAmzContentSHA256Mismatch")
        }
        let empty = try await Self.read([], headers: [:], payload: TestSigner.emptyHash, arrival: arrival)
        #expect(try empty.get().content.isEmpty)
        let missing = try await Self.read([], headers: [:], payload: hash, operation: .getObject, arrival: arrival)
        #expect(Self.code(missing) == "XAmzContentSHA256Mismatch")
    }

    @Test("Content-MD5 is compared", arguments: Arrival.allCases)
    func contentMD5(_ arrival: Arrival) async throws {
        for (value, code) in [
            ("XrY7u+Ae7tCTyyK7j1rNww==", nil), ("XrY7u+Ae7tCTyyK7j1rNwA==", "BadDigest"), ("abc", "InvalidDigest"),
            ("", "InvalidDigest"), ("XrY7u+Ae7tCTyyK7j1rN", "InvalidDigest"), ("XrY7u+Ae7tCTyyK7j1rNwx==", "InvalidDigest"),
            ("XrY7u+Ae7tCTyyK7j1rNw***", "InvalidDigest"),
        ] as [(String, String?)] {
            for operation in [S3Operation.putObject, .deleteObjects] {
                let result = try await Self.read(
                    Self.hello, headers: ["Content-MD5": value], operation: operation, arrival: arrival)
                #expect(Self.code(result) == code, "\(value)")
            }
        }
    }

    @Test("A body that stops early or goes on is incomplete")
    func length() async throws {
        for arrival in [Arrival.collected, .streamed] {
            for length in [10, 12] {
                let result = try await Self.read(Self.hello, headers: ["Content-Length": "\(length)"], arrival: arrival)
                #expect(Self.code(result) == "IncompleteBody")
            }
        }
        let broken = try await Self.read(
            Self.hello, headers: ["Content-Length": "20"], arrival: .streamed, ending: .connectionClosed)
        #expect(Self.code(broken) == "IncompleteBody")
        let slow = try await Self.read(Self.hello, headers: ["Content-Length": "20"], arrival: .streamed, ending: .timedOut)
        #expect(Self.code(slow) == "RequestTimeout")
    }

    @Test("An object without a length is refused, one above 5 GiB too, and chunked transfer alone will do")
    func declaredLength() async throws {
        #expect(Self.code(try await Self.read([], headers: [:], setsLength: false)) == "MissingContentLength")
        let tooLarge = try await Self.read([], headers: ["Content-Length": "5368709121"])
        #expect(Self.code(tooLarge) == "EntityTooLarge")
        let chunked = try await Self.read(
            Self.hello, headers: ["Transfer-Encoding": "chunked"], arrival: .streamed, setsLength: false)
        #expect(try chunked.get().content == Self.hello)
        #expect(Self.code(try await Self.read([], headers: ["Content-Length": "x"])) == "InvalidArgument")
    }

    // MARK: Additional checksums

    static let checksums: [(ChecksumAlgorithm, String)] = [
        (.crc32, "DUoRhQ=="), (.crc32c, "yZRlqg=="), (.crc64nvme, "jSnVw/bqjr4="), (.sha1, "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
        (.sha256, "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
    ]

    @Test("A checksum in a header is compared and returned", arguments: checksums, Arrival.allCases)
    func headerChecksum(_ checksum: (ChecksumAlgorithm, String), _ arrival: Arrival) async throws {
        let (algorithm, value) = checksum
        for payload in ["UNSIGNED-PAYLOAD", hexadecimal(SHA256.hash(data: Self.hello))] {
            let right = try await Self.read(
                Self.hello, headers: [algorithm.headerName: value, "x-amz-sdk-checksum-algorithm": algorithm.name],
                payload: payload, arrival: arrival)
            let found = try #require(try right.get().digests.checksum)
            #expect(found.algorithm == algorithm && found.kind == .fullObject)
            #expect(Base64.encode(found.digest) == value)
        }
        let wrong = try await Self.read(Array("hello World".utf8), headers: [algorithm.headerName: value], arrival: arrival)
        guard case .failure(let error) = wrong else {
            Issue.record("a wrong checksum was accepted")
            return
        }
        #expect(error.code == "BadDigest" && error.status == .badRequest)
        #expect(error.message == "The \(algorithm.name) you specified did not match the calculated checksum.")
    }

    @Test("A checksum in an unsigned trailer is compared and returned", arguments: checksums, Arrival.allCases)
    func trailerChecksum(_ checksum: (ChecksumAlgorithm, String), _ arrival: Arrival) async throws {
        let (algorithm, value) = checksum
        let headers: HTTPHeaders = ["x-amz-trailer": algorithm.headerName, "x-amz-decoded-content-length": "11"]
        let pieces = [Array("hello ".utf8), Array("world".utf8)]
        let body = TestSigner.unsignedChunked(pieces, trailers: [(algorithm.headerName, value)])
        let right = try await Self.read(
            body, headers: headers, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", arrival: arrival)
        #expect(try right.get().content == Self.hello)
        #expect(try right.get().digests.checksum?.digest == Base64.decode(value.utf8))
        #expect(hexadecimal(try right.get().digests.md5) == "5eb63bbbe01eeed093cb22bb8f5acdc3")

        let other = TestSigner.unsignedChunked(
            [Array("hello ".utf8), Array("World".utf8)], trailers: [(algorithm.headerName, value)])
        let wrong = try await Self.read(
            other, headers: headers, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", arrival: arrival)
        #expect(Self.code(wrong) == "BadDigest")
    }

    @Test(
        "Trailers must be those announced",
        arguments: [
            ([("x-amz-checksum-crc32", "DUoRhQ==")], nil), ([], "MalformedTrailerError"),
            ([("x-amz-checksum-crc32c", "yZRlqg==")], "MalformedTrailerError"),
            ([("x-amz-checksum-crc32", "DUoRhQ=="), ("x-amz-meta-a", "b")], "MalformedTrailerError"),
            ([("x-amz-checksum-crc32", "DUoRhQ")], "InvalidRequest"), ([("x-amz-checksum-crc32", "")], "InvalidRequest"),
            ([("x-amz-checksum-crc32", "yZRlqg==")], "BadDigest"),
        ] as [([(String, String)], String?)])
    func trailers(_ trailers: [(String, String)], _ code: String?) async throws {
        let result = try await Self.read(
            TestSigner.unsignedChunked([Self.hello], trailers: trailers),
            headers: ["x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": "11"],
            payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        #expect(Self.code(result) == code)
    }

    @Test(
        "Checksum headers that make no sense are refused",
        arguments: [
            (["x-amz-checksum-crc32": "DUoRhQ==", "x-amz-checksum-sha1": "Kq5sNclPz7QV2+lfQIuc6R7oRu0="], "InvalidRequest"),
            (["x-amz-checksum-crc32": "DUoR"], "InvalidRequest"), (["x-amz-checksum-crc32": "!!!!!!=="], "InvalidRequest"),
            (["x-amz-checksum-md5": "XrY7u+Ae7tCTyyK7j1rNww=="], "InvalidRequest"),
            (["x-amz-sdk-checksum-algorithm": "MD4"], "InvalidRequest"),
            (["x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": "DUoRhQ=="], "InvalidRequest"),
            (["x-amz-trailer": "x-amz-checksum-crc32"], "InvalidRequest"),
        ] as [(HTTPHeaders, String)])
    func senseless(_ headers: HTTPHeaders, _ code: String) async throws {
        #expect(Self.code(try await Self.read(Self.hello, headers: headers)) == code)
    }

    @Test("An algorithm that is named without a value is computed")
    func namedAlgorithm() async throws {
        let result = try await Self.read(Self.hello, headers: ["x-amz-sdk-checksum-algorithm": "crc32c"])
        #expect(try result.get().digests.checksum?.digest == Base64.decode("yZRlqg==".utf8))
    }

    @Test("On a completion the checksum is the object's, not the document's")
    func completion() async throws {
        let result = try await Self.read(
            Self.hello, headers: ["x-amz-checksum-crc32": "AAAAAA=="], operation: .completeMultipartUpload)
        #expect(Self.code(result) == nil)
    }

    // MARK: Chunked bodies

    @Test("The decoded length is needed, and nothing else will do")
    func decodedLength() async throws {
        let body = TestSigner.unsignedChunked([Self.hello])
        for (headers, code) in [
            ([:], "MissingContentLength"), (["x-amz-decoded-content-length": "x"], "InvalidArgument"),
            (["x-amz-decoded-content-length": "10"], "IncompleteBody"),
            (["x-amz-decoded-content-length": "12"], "IncompleteBody"),
            (["x-amz-decoded-content-length": "5368709121"], "EntityTooLarge"), (["x-amz-decoded-content-length": "11"], nil),
        ] as [(HTTPHeaders, String?)] {
            for arrival in Arrival.allCases {
                let result = try await Self.read(
                    body, headers: headers, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", arrival: arrival)
                #expect(Self.code(result) == code)
            }
        }
    }

    /// The documented examples: 65,536 and 1,024 times `a`.
    private static func example(_ signatures: [String], tail: String) -> [UInt8] {
        Array("10000;chunk-signature=\(signatures[0])\r\n".utf8) + Array(repeating: UInt8(ascii: "a"), count: 65_536)
            + Array("\r\n400;chunk-signature=\(signatures[1])\r\n".utf8) + Array(repeating: UInt8(ascii: "a"), count: 1024)
            + Array("\r\n0;chunk-signature=\(signatures[2])\r\n\(tail)\r\n".utf8)
    }

    @Test("The chunked upload of the S3 API reference verifies, chunk by chunk", arguments: Arrival.allCases)
    func publishedChunks(_ arrival: Arrival) async throws {
        let body = Self.example(
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ], tail: "")
        #expect(body.count == 66_824)
        let vector = SignatureVectorTests.published[4]
        var headers = HTTPHeaders(vector.headers)
        headers.add(name: "Authorization", value: Self.authorization(vector))
        let result = try await Self.readPublished(body, headers: headers, arrival: arrival)
        #expect(try result.get().content == Array(repeating: UInt8(ascii: "a"), count: 66_560))
        for position in [20, 100, 65_700, 66_700, 66_800] {
            var damaged = body
            damaged[position] = damaged[position] == UInt8(ascii: "b") ? UInt8(ascii: "c") : UInt8(ascii: "b")
            let result = try await Self.readPublished(damaged, headers: headers, arrival: arrival)
            #expect(result.isFailure, "byte \(position)")
        }
    }

    @Test("The upload with a signed trailer of the S3 API reference verifies", arguments: Arrival.allCases)
    func publishedTrailer(_ arrival: Arrival) async throws {
        let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        let body = { (trailer: String, signature: String) in
            Self.example(
                [
                    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
                ], tail: "x-amz-checksum-crc32c:\(trailer)\r\nx-amz-trailer-signature:\(signature)\r\n")
        }
        let vector = SignatureVectorTests.published[5]
        var headers = HTTPHeaders(vector.headers)
        headers.add(name: "Authorization", value: Self.authorization(vector))
        let right = try await Self.readPublished(body("sOO8/Q==", signature), headers: headers, arrival: arrival)
        #expect(try right.get().digests.checksum?.digest == [0xb0, 0xe3, 0xbc, 0xfd])
        let changed = try await Self.readPublished(body("sOO8/A==", signature), headers: headers, arrival: arrival)
        #expect(Self.code(changed) == "SignatureDoesNotMatch")
        let forged = "e" + signature.dropFirst()
        let other = try await Self.readPublished(body("sOO8/Q==", forged), headers: headers, arrival: arrival)
        #expect(Self.code(other) == "SignatureDoesNotMatch")
    }

    private static func authorization(_ vector: SignatureVectorTests.Vector) -> String {
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            + "SignedHeaders=\(vector.signedHeaders),Signature=\(vector.signature)"
    }

    private static func readPublished(
        _ body: [UInt8], headers: HTTPHeaders, arrival: Arrival
    ) async throws -> Result<(content: [UInt8], digests: S3BodyDigests), S3Error> {
        try await read(body, signed: headers, target: "/examplebucket/chunkObject.txt", arrival: arrival)
    }

    @Test("Signed chunks of any sizes verify; any changed byte is found", arguments: 0..<12)
    func signedChunks(_ seed: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let content = generator.bytes(count: 3000)
        let signer = TestSigner()
        let isTrailing = seed.isMultiple(of: 2)
        let checksum = Base64.encode(Array(Insecure.SHA1.hash(data: content)))
        var headers: HTTPHeaders = ["x-amz-decoded-content-length": "3000", "Content-Encoding": "aws-chunked"]
        if isTrailing { headers.add(name: "x-amz-trailer", value: "x-amz-checksum-sha1") }
        let signed = try signer.sign(
            .PUT, "/b/k", headers: headers,
            payload: isTrailing ? "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" : "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        let seedSignature = String(try #require(signed.first(name: "authorization")).suffix(64))
        let body = signer.chunked(
            generator.split(content, upTo: 900), seed: seedSignature,
            trailers: isTrailing ? [("x-amz-checksum-sha1", checksum)] : [])
        for arrival in Arrival.allCases {
            let result = try await Self.read(body, signed: signed, arrival: arrival, seed: UInt64(seed))
            #expect(try result.get().content == content)
        }
        for _ in 0..<25 {
            var damaged = body
            let position = Int.random(in: 0..<(body.count - 4), using: &generator)
            damaged[position] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            for arrival in [Arrival.collected, .piecemeal] {
                let result = try await Self.read(damaged, signed: signed, arrival: arrival, seed: UInt64(seed))
                // Digits of a size or a signature may change their case without changing their meaning.
                if case .success(let read) = result { #expect(read.content == content, "seed \(seed), byte \(position)") }
            }
        }
    }

    @Test("What failed once fails again, and no digests are given")
    func failureStays() async throws {
        Self.pool.start()
        let signed = try TestSigner().sign(.PUT, "/b/k", headers: ["Content-Length": "5"], payload: "UNSIGNED-PAYLOAD")
        let verified = try TestSigner.verifier().verify(
            method: .PUT, target: S3Target(parsing: "/b/k"), headers: signed, nowMilliseconds: TestSigner.nowMilliseconds)
        let plan = try BodyPlan(operation: .putObject, headers: signed, signature: verified, limits: S3Limits())
        let stream = VerifiedBodyStream(
            source: ScriptedBody([[1, 2]]), plan: plan, hashing: S3HashingPool(threads: Self.pool),
            eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        #expect(try await stream.next()?.readableBytes == 2)
        for _ in 0..<2 {
            let error = await errorThrown { () async throws(S3Error) in try await stream.next() }
            #expect(error?.code == "IncompleteBody")
        }
    }

    @Test("Collecting stops at its bound")
    func collectBound() async throws {
        let digests = S3BodyDigests(md5: [], checksum: nil)
        let body = S3RequestBody.collected(ByteBuffer(bytes: Self.hello), digests)
        #expect(await errorThrown { () async throws(S3Error) in try await body.collect(upTo: 10) }?.code == "EntityTooLarge")
        #expect(try await body.collect(upTo: 11).bytes.readableBytes == 11)
    }
}

extension Result {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
