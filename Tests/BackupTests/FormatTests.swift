import Backup
import FileSystem
import KeyValueStore
import Metadata
import Testing

@Suite("The format of a backup file")
struct FormatTests {
    @Test("docs/formats/backup.md and the code agree on every constant")
    func constants() throws {
        let expected = [
            "version": "\(BackupFormat.version)",
            "header magic": String(decoding: BackupFormat.headerMagic, as: UTF8.self),
            "end magic": String(decoding: BackupFormat.endMagic, as: UTF8.self),
            "head of a body, bytes": "\(BackupFormat.bodyHeadByteCount)",
            "checksum, bytes": "\(BackupFormat.checksumByteCount)",
            "end, bytes": "\(BackupFormat.endByteCount)",
            "header, bytes at most": "\(BackupFormat.headerByteCountMax)",
            "files at most": "\(BackupFormat.fileCountMax)",
        ]
        #expect(try documentedConstants() == expected)
    }

    /// The rows of the first table of the document.
    private func documentedConstants() throws -> [String: String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try POSIXFileSystem().readFile("/\(root)/docs/formats/backup.md", byteCountMax: 1 << 20)
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

    private func header(cluster: BackupHeader.Cluster?, hasBodies: Bool = true, files: [(String, UInt64)]) -> BackupHeader {
        var figures = BackupFigures()
        (figures.buckets, figures.objects, figures.versions, figures.bytes) = (1, 2, 3, 4)
        (figures.bodies, figures.bodyBytes, figures.framedBodyByteCount) = (1, 300, 336)
        return BackupHeader(
            created: 5, program: "ü 1.0", cluster: cluster, schemaVersion: 2, index: 6, digest: StateDigest(low: 7, high: 8),
            figures: figures, hasBodies: hasBodies,
            files: files.compactMap { name, byteCount in
                RocksDBFileName(name).map { BackupHeader.StoreFile(name: $0, byteCount: byteCount) }
            })
    }

    @Test("A header is read as it was written", arguments: [nil, BackupHeader.Cluster(id: 9, version: 1, term: 10)])
    func roundTrip(cluster: BackupHeader.Cluster?) throws {
        let header = header(cluster: cluster, files: [("000001.sst", 11), ("CURRENT", 12)])
        #expect(try BackupHeader(decoding: header.encode()) == header)
        #expect(header.fileByteCount == UInt64(header.encode().count + 11 + 4 + 12 + 4 + 336 + 36))
        var without = header
        without.hasBodies = false
        let smaller = self.header(cluster: cluster, hasBodies: false, files: [("000001.sst", 11), ("CURRENT", 12)])
        #expect(smaller.fileByteCount == header.fileByteCount - 336)
        #expect(throws: RecordDamage.self) { try BackupHeader(decoding: without.encode()) }
    }

    @Test(
        "A header that names no store, or its files out of order or twice, or too large ones, is refused",
        arguments: [
            [], [("000001.sst", 1)], [("CURRENT", 1), ("000001.sst", 1)], [("CURRENT", 1), ("CURRENT", 1)],
            [("000001.sst", 1 << 60), ("CURRENT", 1)],
        ] as [[(String, UInt64)]])
    func refused(files: [(String, UInt64)]) {
        let header = header(cluster: nil, files: files)
        #expect(throws: RecordDamage.self) { try BackupHeader(decoding: header.encode()) }
    }

    /// The story: found by script/fuzz. Such a header was read as a single node's, and would have been written with other bytes.
    @Test("A header that says that there is no cluster, and names one, is refused", arguments: [33, 41, 45])
    func clusterOfSingleNode(offset: Int) {
        var bytes = header(cluster: nil, files: [("CURRENT", 12)]).encode()
        bytes[offset] = 1
        #expect(throws: RecordDamage("header", "it names a cluster and says that there is none")) {
            try BackupHeader(decoding: bytes)
        }
    }

    @Test("No length of a header's bytes but the right one is read")
    func lengths() {
        let bytes = header(cluster: nil, files: [("CURRENT", 12)]).encode()
        for count in 0..<bytes.count {
            #expect(throws: RecordDamage.self) { try BackupHeader(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: RecordDamage.self) { try BackupHeader(decoding: bytes + [0]) }
    }

    @Test("Whatever bytes a header has, it is read or refused", arguments: [1, 2, 3] as [UInt64])
    func anyBytes(seed: UInt64) {
        let whole = header(cluster: nil, files: [("000001.sst", 11), ("000002.blob", 3), ("CURRENT", 12)]).encode()
        var state = seed
        func next(below count: Int) -> Int {
            // Knuth's multiplier (MMIX).
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        var readCount = 0
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0...next(below: 3) { bytes[next(below: bytes.count)] = UInt8(next(below: 256)) }
            if next(below: 4) == 0 { bytes.removeLast(next(below: bytes.count)) }
            guard let header = try? BackupHeader(decoding: bytes) else { continue }
            readCount += 1
            #expect(header.fileByteCount >= header.storeByteCount)
            // Magic, version, byte count and checksum are for whoever opens the file.
            #expect(header.encode()[16...].dropLast(4).elementsEqual(bytes[16...].dropLast(4)))
        }
        #expect(readCount > 0)
    }
}
