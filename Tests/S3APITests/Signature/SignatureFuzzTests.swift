import NIOHTTP1
import S3API
import Testing

@Suite("Damaged requests are refused, whatever the damage")
struct SignatureFuzzTests {
    private static let interesting = Array(" ,;=/%?&#\"'<>\u{7f}AZaz09+-_.~:".utf8)

    private func damaged(_ text: String, _ generator: inout SeededGenerator) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let position = Int.random(in: 0...bytes.count, using: &generator)
            let byte = Self.interesting[Int.random(in: 0..<Self.interesting.count, using: &generator)]
            switch Int.random(in: 0..<3, using: &generator) {
            case 0 where position < bytes.count: bytes[position] = byte
            case 1 where position < bytes.count: bytes.remove(at: position)
            default: bytes.insert(byte, at: position)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func isAccepted(_ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders) -> Bool {
        errorThrown { () throws(S3Error) in
            let target = try S3Target(parsing: target)
            _ = try S3Router.route(method: method, target: target, headers: headers)
            return try TestSigner.verifier().verify(
                method: method, target: target, headers: headers, nowMilliseconds: TestSigner.nowMilliseconds)
        } == nil
    }

    @Test("A damaged Authorization header authenticates nobody", arguments: 0..<20 as Range<UInt64>)
    func authorization(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let headers = try TestSigner().sign(.GET, "/bucket/key", headers: ["x-amz-meta-a": "b"])
        let value = try #require(headers.first(name: "authorization"))
        #expect(isAccepted(.GET, "/bucket/key", headers))
        for _ in 0..<200 {
            let other = damaged(value, &generator)
            var headers = headers
            headers.replaceOrAdd(name: "Authorization", value: other)
            // Spaces and empty fields between the fields, and the case of the signature's digits, mean nothing.
            let meaning = { (text: String) in text.filter { $0 != " " && $0 != "," }.lowercased() }
            if meaning(other) == meaning(value) { continue }
            #expect(!isAccepted(.GET, "/bucket/key", headers), "seed \(seed): \(other)")
        }
    }

    @Test("A damaged presigned URL opens nothing", arguments: 0..<20 as Range<UInt64>)
    func presigned(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let (target, headers) = try TestSigner().presign(.GET, "/bucket/some%20key?versionId=abc")
        #expect(isAccepted(.GET, target, headers))
        let signed = try S3Target(parsing: target)
        for _ in 0..<200 {
            let other = damaged(target, &generator)
            // Another spelling of the same path and parameters is the same request.
            if let parsed = try? S3Target(parsing: other), parsed.path == signed.path {
                let items = { (target: S3Target) in
                    target.query.items.map { "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self).lowercased())" }
                        .sorted()
                }
                if items(parsed) == items(signed) { continue }
            }
            #expect(!isAccepted(.GET, other, headers), "seed \(seed): \(other)")
        }
    }
}
