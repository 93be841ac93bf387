import Crypto
import Metadata
import NIOHTTP1
import S3API

/// Signs requests as a client does. What it shares with the verifier (the canonical form) is pinned by the vectors of AWS.
struct TestSigner {
    static let accessKey = "AKIAIOSFODNN7EXAMPLE"
    static let secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let owner = Owner(canonicalID: "0123456789abcdef", displayName: "example")
    static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    /// 2013-05-24T00:00:00Z
    static let nowMilliseconds: UInt64 = 1_369_353_600_000

    static let credentials = S3CredentialStore([
        S3Credential(accessKey: accessKey, secretKey: secretKey, owner: owner)
    ])

    var accessKey = Self.accessKey
    var secretKey = Self.secretKey
    var date = "20130524"
    var timestamp = "20130524T000000Z"
    var region = "us-east-1"
    var service = "s3"

    var scope: SigningScope { SigningScope(accessKey: accessKey, date: date, region: region, service: service) }
    var key: SigningKey { SigningKey(secretKey: secretKey, scope: scope) }

    static func verifier(region: String = "us-east-1", limits: S3Limits = S3Limits()) -> SignatureVerifier {
        SignatureVerifier(region: region, credentials: credentials, limits: limits)
    }

    /// Adds `host`, `x-amz-date`, `x-amz-content-sha256` (unless there) and `Authorization` over all headers.
    func sign(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], payload: String = Self.emptyHash,
        leavingOut unsigned: Set<String> = []
    ) throws -> HTTPHeaders {
        var headers = headers
        if !headers.contains(name: "host") { headers.add(name: "Host", value: "localhost:9000") }
        if !headers.contains(name: "x-amz-date") { headers.add(name: "x-amz-date", value: timestamp) }
        headers.replaceOrAdd(name: "x-amz-content-sha256", value: payload)
        let names = Set(headers.map { $0.name.lowercased() }).subtracting(unsigned).sorted()
        let signature = try signature(method, target, headers: headers, names: names, payload: payload)
        headers.add(
            name: "Authorization",
            value: "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope.text), SignedHeaders=\(names.joined(separator: ";")), "
                + "Signature=\(signature)")
        return headers
    }

    /// The target with the parameters of a presigned URL appended.
    func presign(
        _ method: HTTPMethod, _ target: String, expires: String = "900", host: String = "localhost:9000",
        headers: HTTPHeaders = [:]
    ) throws -> (target: String, headers: HTTPHeaders) {
        var headers = headers
        headers.add(name: "Host", value: host)
        let names = Set(headers.map { $0.name.lowercased() }).sorted()
        let credential = "\(accessKey)/\(scope.text)".split(separator: "/", omittingEmptySubsequences: false)
            .joined(separator: "%2F")
        let unsigned =
            target + (target.contains("?") ? "&" : "?")
            + "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(credential)&X-Amz-Date=\(timestamp)"
            + "&X-Amz-Expires=\(expires)&X-Amz-SignedHeaders=\(names.joined(separator: "%3B"))"
        let signature = try signature(method, unsigned, headers: headers, names: names, payload: "UNSIGNED-PAYLOAD")
        return (unsigned + "&X-Amz-Signature=\(signature)", headers)
    }

    func signature(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders, names: [String], payload: String
    ) throws -> String {
        let target = try S3Target(parsing: target)
        let canonical = CanonicalRequest(
            method: method, path: .encoded(target.path), query: target.query, headers: SignedHeaders(names: names, in: headers),
            payloadHash: payload)
        return hexadecimal(
            key.sign(StringToSign.request(canonicalRequest: canonical.bytes, timestamp: timestamp, scope: scope)))
    }

    // MARK: Chunks

    /// A body in signed chunks, with signed trailers if there are any.
    func chunked(_ pieces: [[UInt8]], seed: String, trailers: [(String, String)] = []) -> [UInt8] {
        var previous = Array(seed.utf8)
        var body: [UInt8] = []
        for piece in pieces + [[]] {
            let signature = Array(
                hexadecimal(
                    key.sign(
                        StringToSign.chunk(
                            previousSignature: previous, chunkHash: SHA256.hash(data: piece), timestamp: timestamp, scope: scope
                        ))
                ).utf8)
            body += Array(String(piece.count, radix: 16).utf8) + ";chunk-signature=".utf8 + signature + "\r\n".utf8 + piece
            if !piece.isEmpty { body += "\r\n".utf8 }
            previous = signature
        }
        if trailers.isEmpty { return body + "\r\n".utf8 }
        let canonical = trailers.map { "\($0.0):\($0.1)\n" }.joined()
        let signature = hexadecimal(
            key.sign(
                StringToSign.trailers(
                    previousSignature: previous, trailers: Array(canonical.utf8), timestamp: timestamp, scope: scope)))
        for trailer in trailers { body += "\(trailer.0):\(trailer.1)\r\n".utf8 }
        return body + "x-amz-trailer-signature:\(signature)\r\n\r\n".utf8
    }

    static func unsignedChunked(_ pieces: [[UInt8]], trailers: [(String, String)] = []) -> [UInt8] {
        var body: [UInt8] = []
        for piece in pieces { body += "\(String(piece.count, radix: 16))\r\n".utf8 + piece + "\r\n".utf8 }
        body += "0\r\n".utf8
        for trailer in trailers { body += "\(trailer.0):\(trailer.1)\r\n".utf8 }
        return body + "\r\n".utf8
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Hexadecimal.encode(bytes), as: UTF8.self)
}

/// The error that the work throws; `nil` when it throws none.
func errorThrown<Value>(_ work: () throws(S3Error) -> Value) -> S3Error? {
    do throws(S3Error) {
        _ = try work()
        return nil
    } catch {
        return error
    }
}

func errorThrown<Value>(_ work: () async throws(S3Error) -> Value) async -> S3Error? {
    do throws(S3Error) {
        _ = try await work()
        return nil
    } catch {
        return error
    }
}
