import AdminAPI
import Foundation
import NIOHTTP1
import Testing
import Yams

@Suite("docs/admin-api.yaml is the administration interface")
struct DocumentTests {
    private static func document() throws -> Node {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/admin-api.yaml"), encoding: .utf8)
        return try #require(try Yams.compose(yaml: text))
    }

    /// `GET /metadata/lag` and so on, with whether it needs credentials.
    private static func documented() throws -> [String: Bool] {
        var found: [String: Bool] = [:]
        for (path, item) in try #require(try document()["paths"]?.mapping) {
            for (method, operation) in try #require(item.mapping) {
                let isForAll = operation["security"].map { $0.sequence?.isEmpty ?? true } ?? false
                found["\(method.string?.uppercased() ?? "") \(path.string ?? "")"] = !isForAll
            }
        }
        return found
    }

    @Test("Every path and method of the code is in the document, and the reverse")
    func paths() throws {
        var expected: [String: Bool] = [:]
        for path in AdminService.publicPaths { expected["GET \(path)"] = false }
        for route in AdminRoute.all { expected["\(route.method.rawValue) \(route.path)"] = true }
        #expect(try Self.documented() == expected)
    }

    @Test("Every code of an error that the code has is in the document")
    func codes() throws {
        let schema = try Self.document()["components"]?["schemas"]?["Error"]?["properties"]?["code"]?["enum"]
        let documented = Set(try #require(schema?.sequence).compactMap(\.string))
        for (_, _, code) in OperationTests.outcomes { #expect(documented.contains(code), "\(code)") }
        for code in [
            "AccessDisabled", "BodyTooLarge", "CredentialsUnavailable", "MethodNotAllowed", "Unauthorized",
            "UnsupportedMediaType",
        ] {
            #expect(documented.contains(code), "\(code)")
        }
    }

    @Test("Every reference leads somewhere")
    func references() throws {
        let document = try Self.document()
        var count = 0
        func look(_ node: Node) {
            if let mapping = node.mapping {
                for (key, value) in mapping {
                    if key.string == "$ref", let target = value.string {
                        count += 1
                        var place: Node? = document
                        for part in target.split(separator: "/").dropFirst() { place = place?[String(part)] }
                        #expect(place != nil, "\(target)")
                    } else {
                        look(value)
                    }
                }
            } else if let sequence = node.sequence {
                for element in sequence { look(element) }
            }
        }
        look(document)
        #expect(count > 30)
    }
}
