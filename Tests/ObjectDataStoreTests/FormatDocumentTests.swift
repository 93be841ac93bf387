import FileSystem
import ObjectDataStore
import Testing

@Suite struct FormatDocumentTests {
    @Test("docs/formats/body.md and the code agree on every constant")
    func constants() throws {
        let expected = [
            "version": "\(BodyFormat.version)",
            "header magic": String(decoding: BodyFormat.headerMagic, as: UTF8.self),
            "trailer magic": String(decoding: BodyFormat.trailerMagic, as: UTF8.self),
            "header bytes": "\(BodyFormat.headerByteCount)",
            "block bytes": "\(BodyFormat.blockByteCount)",
            "block checksum bytes": "\(BodyFormat.blockChecksumByteCount)",
            "trailer bytes": "\(BodyFormat.trailerByteCount)",
            "start counter magic": String(decoding: StartCounter.magic, as: UTF8.self),
            "start counter bytes": "\(StartCounter.byteCount)",
        ]
        #expect(try documentedConstants() == expected)
    }

    @Test(
        "A file's size follows from its body's length",
        arguments: [(0, 4_140), (1, 4_145), (131_072, 135_216), (131_073, 135_221), (1 << 20, 1_052_748)] as [(UInt64, UInt64)]
    )
    func fileSizes(length: UInt64, byteCount: UInt64) {
        #expect(BodyFormat.fileByteCount(length: length) == byteCount)
    }

    @Test("The same content has another checksum at another place")
    func placesAreBound() {
        let id = BodyID(origin: 1, sequence: 2)
        let places: [(BodyID, UInt64)] = [
            (id, 0), (id, 1), (id, 256), (id, 1 << 31), (BodyID(origin: 1, sequence: 3), 0),
            (BodyID(origin: 2, sequence: 2), 0),
            (BodyID(origin: 2, sequence: 1), 0),
        ]
        let checksums = pseudoRandomBytes(1_000).withUnsafeBytes { content in
            places.map { BodyFormat.blockChecksum(content, id: $0.0, block: $0.1) }
        }
        #expect(Set(checksums).count == places.count)
    }

    /// The rows of the first table of the document.
    private func documentedConstants() throws -> [String: String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try POSIXFileSystem().readFile("/\(root)/docs/formats/body.md", byteCountMax: 1 << 20)
        let text = String(decoding: bytes, as: UTF8.self)
        var constants: [String: String] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).drop(while: { !$0.hasPrefix("| constant") }) {
            guard line.hasPrefix("|") else { break }
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            guard cells.count == 2, cells[0] != "constant", !cells[0].hasPrefix("-") else { continue }
            constants[cells[0]] = cells[1]
        }
        return constants
    }
}
