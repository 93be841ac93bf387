import AdminDocuments
import Testing

@Suite("The documents of the administration interface")
struct DocumentTests {
    @Test("A status is written with names_like_this, sorted, and read again")
    func status() throws {
        let status = RemovalRiskTests.status([RemovalRiskTests.node(1, missing: nil)])
        let bytes = AdminJSON.encode(status)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("{\"applied_index\":5,\"bodies\":{\"abandoned\":0,\"damaged_blocks\":0,"))
        #expect(text.contains("\"nodes\":[{\"address\":\"n1:7000\",\"applied_index\":5,\"id\":1,\"lag_entries\":0,\"role\""))
        #expect(text.hasSuffix("\"version\":1}\n"))
        #expect(try AdminJSON.decode(ClusterStatusDocument.self, bytes) == status)
    }

    @Test("Members that a later version adds are left out")
    func unknownMembers() throws {
        let bytes = Array("{\"code\":\"Busy\",\"message\":\"m\",\"later\":[1]}".utf8)
        #expect(try AdminJSON.decode(AdminErrorDocument.self, bytes) == AdminErrorDocument(code: "Busy", message: "m"))
    }

    @Test(
        "Addresses of nodes",
        arguments: [
            ("host:7000", true), ("10.0.0.1:1", true), ("[::1]:65535", true), ("a-b.c_d:80", true), ("host", false),
            ("host:", false),
            (":7000", false), ("host:0", false), ("host:65536", false), ("host:+1", false), ("::1:7000", false),
            ("[]:1", false),
            ("[::1:1", false), ("[host]:1", false), ("ho st:1", false), ("hö:1", false), ("http://a:1", false),
            (String(repeating: "a", count: 254) + ":1", false), (String(repeating: "a", count: 253) + ":1", true),
        ])
    func addresses(text: String, isOne: Bool) {
        #expect((PeerAddress.problem(text) == nil) == isOne)
    }
}
