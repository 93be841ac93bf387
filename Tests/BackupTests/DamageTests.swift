import Backup
import Checksum
import FileSystem
import Metadata
import Testing

/// A backup file that is changed and made to look whole again, by docs/formats/backup.md alone.
struct CraftedBackup {
    var bytes: [UInt8]

    private static let key = SipHash128.Key(k0: 0x7275_7374_6673_2d73, k1: 0x6e61_7073_686f_7431)
    static let endByteCount = 36
    /// Of the header: magic, version, byte count; size, time, cluster (flag, id, version, term); then the schema, the index, the digest.
    static let schemaOffset = 16 + 8 + 8 + 1 + 8 + 4 + 8
    static let indexOffset = schemaOffset + 4
    static let digestOffset = indexOffset + 8
    static let figuresOffset = digestOffset + 16

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var headerByteCount: Int { Int(bytes[12]) | Int(bytes[13]) << 8 | Int(bytes[14]) << 16 | Int(bytes[15]) << 24 }

    /// Puts the checksums of header and end right.
    mutating func seal() {
        let headerEnd = headerByteCount - 4
        replace(headerEnd, with: checksum(0..<headerEnd))
        let endStart = bytes.count - Self.endByteCount
        let digest = bytes[..<endStart].withUnsafeBytes { SipHash128.hash($0, key: Self.key) }
        replace(endStart + 16, with: digest)
        replace(endStart + 32, with: checksum(endStart..<endStart + 32))
    }

    mutating func replace(_ offset: Int, with value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    private func checksum(_ range: Range<Int>) -> UInt32 { bytes[range].withUnsafeBytes { CRC32C.checksum($0) } }
}

@Suite("Damaged and foreign files are known", .timeLimit(.minutes(10)))
struct DamageTests {
    private func verify(_ path: String) throws(BackupError) {
        try OpenedBackup(opening: path, fileSystem: POSIXFileSystem()).verify()
    }

    @Test("Every flipped byte of a small file is found, whatever part it is of")
    func flippedBytes() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let bytes = try bed.bytes(of: path)
        try verify(path)
        let file = try POSIXFileSystem().open(path, .update)
        var missed: [Int] = []
        var isFileToBlame = true
        for place in bytes.indices {
            try file.write([~bytes[place]], at: UInt64(place))
            do throws(BackupError) {
                try verify(path)
                missed.append(place)
            } catch { isFileToBlame = isFileToBlame && error.isOfFile }
            try file.write([bytes[place]], at: UInt64(place))
        }
        #expect(missed == [])
        #expect(isFileToBlame)
        try verify(path)
    }

    @Test("Every single bit of the header and of the end counts")
    func flippedBits() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let bytes = try bed.bytes(of: path)
        let file = try POSIXFileSystem().open(path, .update)
        let places = Array(0..<400) + Array(bytes.count - CraftedBackup.endByteCount..<bytes.count)
        for place in places {
            for bit in 0..<8 {
                try file.write([bytes[place] ^ 1 << UInt8(bit)], at: UInt64(place))
                let error = await failure { () throws(BackupError) in try verify(path) }
                #expect(error?.isOfFile == true, "byte \(place), bit \(bit)")
            }
            try file.write([bytes[place]], at: UInt64(place))
        }
        try verify(path)
    }

    @Test("A file that was cut short anywhere, or has grown, is known before it is read")
    func lengths() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let bytes = try bed.bytes(of: path)
        try bed.write(bytes + [0], to: path)
        let error = await failure { () throws(BackupError) in
            _ = try OpenedBackup(opening: path, fileSystem: POSIXFileSystem())
        }
        #expect(error.map { "\($0)" }?.contains("1 bytes follow its end") == true)
        let file = try POSIXFileSystem().open(path, .update)
        var missed: [Int] = []
        for count in bytes.indices.reversed() {
            try file.truncate(to: UInt64(count))
            do throws(BackupError) {
                _ = try OpenedBackup(opening: path, fileSystem: POSIXFileSystem())
                missed.append(count)
            } catch {
                switch error {
                case .cutShort, .foreign(_, reason: "it is empty"): break
                default: missed.append(count)
                }
            }
        }
        #expect(missed == [])
    }

    @Test("What is no backup file is called foreign, and what to do is said")
    func foreign() async throws {
        let bed = try BackupBed()
        let contents: [[UInt8]] = [
            [], [0], Array("hello".utf8), Array("RFSMSNAP".utf8) + [UInt8](repeating: 1, count: 100),
            Array("RFSMBODY".utf8) + [UInt8](repeating: 0, count: 5000), [UInt8](repeating: 0xFF, count: 100_000),
        ]
        for content in contents {
            let path = bed.path("foreign.snap")
            try bed.write(content, to: path)
            let error = await failure { () throws(BackupError) in try await bed.restore(path, to: "restored") }
            guard case .foreign? = error else {
                Issue.record("\(content.prefix(8)): \(String(describing: error))")
                continue
            }
            #expect(error.map { "\($0)" }?.contains("not a snapshot file of rustfs-metadata") == true)
        }
        for path in [bed.path("missing.snap"), bed.directory] {
            let error = await failure { () throws(BackupError) in try await bed.restore(path, to: "restored") }
            guard case .fileSystem? = error else {
                Issue.record("\(path): \(String(describing: error))")
                continue
            }
        }
        #expect(bed.names(in: bed.path("restored")) == [])
    }

    @Test("Files of newer releases are called so")
    func newer() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let bytes = try bed.bytes(of: path)
        var crafted = CraftedBackup(bytes)
        crafted.replace(8, with: UInt32(2))
        crafted.seal()
        try bed.write(crafted.bytes, to: path)
        guard case .unknownVersion(_, 2)? = await failure({ () throws(BackupError) in try verify(path) }) else {
            Issue.record("the version was not noticed")
            return
        }
        crafted = CraftedBackup(bytes)
        crafted.replace(CraftedBackup.schemaOffset, with: UInt32(99))
        crafted.seal()
        try bed.write(crafted.bytes, to: path)
        guard case .unknownSchema(_, 99)? = await failure({ () throws(BackupError) in try verify(path) }) else {
            Issue.record("the schema was not noticed")
            return
        }
    }

    @Test("A header that was changed, and has a checksum that is right, is read or refused; what is read is whole")
    func changedHeaders() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let whole = CraftedBackup(try bed.bytes(of: path))
        var refusedCount = 0
        for place in 16..<whole.headerByteCount - 4 {
            var crafted = whole
            crafted.bytes[place] ^= 1 << UInt8(place % 8)
            crafted.seal()
            try bed.write(crafted.bytes, to: path)
            do throws(BackupError) { try verify(path) } catch {
                refusedCount += 1
                #expect(error.isOfFile, "byte \(place)")
            }
        }
        #expect(refusedCount > 50)
    }

    @Test(
        "A file whose checksums are right, and whose header tells of another state, is not restored",
        arguments: [
            CraftedBackup.indexOffset, CraftedBackup.digestOffset, CraftedBackup.digestOffset + 8, CraftedBackup.figuresOffset,
            CraftedBackup.figuresOffset + 8,
        ])
    func contradictions(offset: Int) async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        var crafted = CraftedBackup(try bed.bytes(of: path))
        crafted.bytes[offset] ^= 1
        crafted.seal()
        try bed.write(crafted.bytes, to: path)
        try verify(path)
        let error = await failure { () throws(BackupError) in try await bed.restore(path, to: "restored") }
        #expect(error.map { "\($0)" }?.contains("the state in it is not the one that its header tells of") == true)
        #expect(bed.names(in: bed.path("restored/kv")) == [] && bed.names(in: bed.path("restored/mx")) == [])
        // Another one may be tried at once.
        try await bed.restore(try await bed.makeSmallFile("other.snap"), to: "restored")
    }
}
