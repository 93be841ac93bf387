import Foundation
import KeyValueStore
import Testing

/// A store on disk with known records, to be damaged.
private struct Specimen {
    static let objects = ColumnFamily(index: 0, name: "objects")
    static let bodies = ColumnFamily(index: 1, name: "bodies", holdsLargeValues: true)
    static let families = [objects, bodies]

    let directory: TemporaryDirectory
    var path: String { directory.appending("store") }

    /// - Parameter flushed: the records are in table and blob files; else only in the write-ahead log, as a crash leaves it.
    init(flushed: Bool) throws {
        directory = try TemporaryDirectory()
        let live = directory.appending("live")
        let store = try RocksDBStore(path: live, families: Self.families)
        for index in 0..<20 {
            let transaction = store.makeTransaction()
            transaction.put(Self.value(index), for: Self.key(index), in: Self.objects)
            if index < 4 { transaction.put(Self.body(index), for: Self.key(index), in: Self.bodies) }
            try store.commit(transaction, durability: .synced)
        }
        if flushed {
            try store.flush()
            store.close()
        }
        // Copied while it is open, when not flushed: this is what a crash leaves.
        try FileManager.default.copyItem(atPath: live, toPath: path)
        store.close()
    }

    static func key(_ index: Int) -> [UInt8] { Array("object/\(index + 100)".utf8) }
    static func value(_ index: Int) -> [UInt8] { Array("record \(index)".utf8) }
    static func body(_ index: Int) -> [UInt8] { [UInt8](repeating: UInt8(index), count: 5_000) }

    func files(_ kind: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.contains(kind) }.sorted()
            .filter { (try? Data(contentsOf: URL(fileURLWithPath: path + "/" + $0)).isEmpty) == false }
    }

    func bytes(_ file: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path + "/" + file)) }

    func write(_ bytes: Data, to file: String) throws {
        try bytes.write(to: URL(fileURLWithPath: path + "/" + file))
    }

    /// Opens the store and reads all that was written.
    /// - Returns: the errors met. Wrong or missing data is recorded as an issue: damage must never pass for data.
    func readAll(_ comment: Comment) -> [KeyValueStoreError] {
        var errors: [KeyValueStoreError] = []
        func attempt(_ body: () throws(KeyValueStoreError) -> Void) {
            do { try body() } catch { errors.append(error) }
        }
        attempt { () throws(KeyValueStoreError) in
            let store = try RocksDBStore(path: path, families: Self.families)
            defer { store.close() }
            let snapshot = store.makeSnapshot()
            for index in 0..<20 {
                attempt { () throws(KeyValueStoreError) in
                    let value = try snapshot.withValue(Self.key(index), in: Self.objects, tier: .all, copy)
                    #expect(value == Self.value(index), comment)
                    guard index < 4 else { return }
                    let body = try snapshot.withValue(Self.key(index), in: Self.bodies, tier: .all, copy)
                    #expect(body == Self.body(index), comment)
                }
            }
            for (family, expected) in [(Self.objects, 20), (Self.bodies, 4)] {
                attempt { () throws(KeyValueStoreError) in
                    let cursor = try snapshot.makeCursor(in: family, from: nil, to: nil, tier: .all)
                    var count = 0
                    try cursor.seekToFirst()
                    while cursor.isValid {
                        count += 1
                        try cursor.next()
                    }
                    #expect(count == expected, comment)
                }
            }
        }
        return errors
    }
}

private func copy(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }

@Suite("A damaged RocksDB store")
struct RocksDBDamageTests {
    struct Damage: CustomStringConvertible, Sendable {
        var kind: String
        var flushed: Bool
        /// Bytes that mean nothing may be flipped without effect.
        var hasPadding = false

        var description: String { "\(kind) \(flushed ? "after a flush" : "after a crash")" }
    }

    static let damages = [
        Damage(kind: ".sst", flushed: true, hasPadding: true), Damage(kind: ".blob", flushed: true),
        Damage(kind: "MANIFEST", flushed: true), Damage(kind: "MANIFEST", flushed: false),
        Damage(kind: "CURRENT", flushed: true), Damage(kind: ".log", flushed: false),
    ]

    @Test("answers a flipped byte with corruption and the file's name, never with wrong data", arguments: damages)
    func flippedByte(_ damage: Damage) throws {
        let specimen = try Specimen(flushed: damage.flushed)
        let file = try #require(specimen.files(damage.kind).first)
        let original = try specimen.bytes(file)
        let pristine = specimen.directory.appending("pristine")
        try FileManager.default.copyItem(atPath: specimen.path, toPath: pristine)
        var silent = 0
        // A prime step meets every part of the file; the last 60 bytes hold a table's footer, the first a record's header.
        let step = max(1, original.count / 48) | 1
        let offsets = Set(stride(from: 0, to: original.count, by: step)).union(0..<min(8, original.count))
            .union(max(0, original.count - 60)..<original.count)
        for offset in offsets.sorted() {
            try FileManager.default.removeItem(atPath: specimen.path)
            try FileManager.default.copyItem(atPath: pristine, toPath: specimen.path)
            var bytes = original
            bytes[offset] ^= 0x81
            try specimen.write(bytes, to: file)
            let errors = specimen.readAll("offset \(offset) of \(file)")
            if errors.isEmpty { silent += 1 }
            for error in errors {
                #expect(error.code == .corruption, "offset \(offset): \(error)")
                // A damaged CURRENT names a manifest that is not there, and that name is what can be said.
                let names = damage.kind == "CURRENT" ? ["/CURRENT", "/MANIFEST-"] : ["/\(file)"]
                #expect(names.contains { error.detail.contains(specimen.path + $0) }, "offset \(offset): \(error)")
            }
        }
        #expect(damage.hasPadding ? silent < 40 : silent == 0)
    }

    @Test("is refused when a file is missing", arguments: [".sst", ".blob", "MANIFEST", "CURRENT"])
    func missingFile(_ kind: String) throws {
        let specimen = try Specimen(flushed: true)
        let file = try #require(specimen.files(kind).first)
        try FileManager.default.removeItem(atPath: specimen.path + "/" + file)
        let errors = specimen.readAll("without \(file)")
        #expect(errors.map(\.code).allSatisfy { $0 == .corruption })
        let number = file.filter(\.isNumber).drop { $0 == "0" }
        #expect(errors.contains { $0.detail.contains(number.isEmpty ? file : String(number)) }, "\(errors)")
    }

    @Test("is refused when a table file was cut short")
    func truncatedTable() throws {
        let specimen = try Specimen(flushed: true)
        let file = try #require(specimen.files(".sst").first)
        try specimen.write(specimen.bytes(file).dropLast(10), to: file)
        let errors = specimen.readAll("cut \(file)")
        #expect(errors.first?.code == .corruption)
        #expect(errors.first?.detail.contains(file) == true, "\(errors)")
    }

    /// RocksDB takes a record that reaches beyond the file for a torn one and drops the rest of the log: a flipped length
    /// in the last block would cost every commit behind it.
    @Test("is refused for a flipped length of any record in the log", arguments: [UInt8(0x40), 0x10, 0x7F])
    func flippedLengths(_ mask: UInt8) throws {
        let specimen = try Specimen(flushed: false)
        let file = try #require(specimen.files(".log").first)
        let original = try specimen.bytes(file)
        var offset = 0
        var count = 0
        while offset + 7 <= original.count {
            let length = Int(original[offset + 4]) | Int(original[offset + 5]) << 8
            var bytes = original
            bytes[offset + 5] ^= mask
            try specimen.write(bytes, to: file)
            let errors = specimen.readAll("length at offset \(offset)")
            #expect(errors.map(\.code) == [.corruption], "offset \(offset): \(errors)")
            #expect(errors.first?.detail.contains(file) == true, "offset \(offset): \(errors)")
            offset += 7 + length
            count += 1
        }
        #expect(count == 20)
    }

    @Test("opens without the last record when a crash tore it", arguments: [1, 5, 20])
    func tornTail(_ lost: Int) throws {
        let specimen = try Specimen(flushed: false)
        let file = try #require(specimen.files(".log").first)
        try specimen.write(specimen.bytes(file).dropLast(lost), to: file)
        let store = try RocksDBStore(path: specimen.path, families: Specimen.families)
        let snapshot = store.makeSnapshot()
        for index in 0..<20 {
            let value = try snapshot.withValue(Specimen.key(index), in: Specimen.objects, tier: .all, copy)
            #expect(value == (index < 19 ? Specimen.value(index) : nil))
        }
    }
}
