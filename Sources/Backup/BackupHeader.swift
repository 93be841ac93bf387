package import KeyValueStore
package import Metadata

/// What is in a backup file, at its beginning: who made it of which state, and the sizes of all that follows.
package struct BackupHeader: Hashable, Sendable {
    /// The cluster that the state was taken of.
    package struct Cluster: Hashable, Sendable {
        package var id: UInt64
        /// The rules that its log is applied by.
        package var version: UInt32
        /// Of the last entry that the state contains.
        package var term: UInt64

        package init(id: UInt64, version: UInt32, term: UInt64) {
            self.id = id
            self.version = version
            self.term = term
        }
    }

    /// A file of the checkpoint.
    package struct StoreFile: Hashable, Sendable {
        package var name: RocksDBFileName
        package var byteCount: UInt64

        package init(name: RocksDBFileName, byteCount: UInt64) {
            self.name = name
            self.byteCount = byteCount
        }
    }

    /// Of the whole file, from the first byte to the last.
    package var fileByteCount: UInt64
    /// Milliseconds UTC.
    package var created: UInt64
    /// The program that made it, with its version; at most 255 bytes.
    package var program: String
    /// Nil: a single node's (`engine_type: local`).
    package var cluster: Cluster?
    package var schemaVersion: UInt32
    /// The last operation that the state contains.
    package var index: UInt64
    package var digest: StateDigest
    package var figures: BackupFigures
    /// Whether the stored bodies that the state names are in the file.
    package var hasBodies: Bool
    /// Sorted by name, each once.
    package var files: [StoreFile]

    package init(
        created: UInt64, program: String, cluster: Cluster?, schemaVersion: UInt32, index: UInt64, digest: StateDigest,
        figures: BackupFigures, hasBodies: Bool, files: [StoreFile]
    ) {
        self.created = created
        self.program = program
        self.cluster = cluster
        self.schemaVersion = schemaVersion
        self.index = index
        self.digest = digest
        self.figures = figures
        self.hasBodies = hasBodies
        self.files = files
        fileByteCount = 0
        let storeByteCount = files.reduce(UInt64(0)) { $0 + $1.byteCount + UInt64(BackupFormat.checksumByteCount) }
        fileByteCount =
            UInt64(encode().count) + storeByteCount + (hasBodies ? figures.framedBodyByteCount : 0)
            + UInt64(BackupFormat.endByteCount)
    }

    /// Bytes of the store's files.
    package var storeByteCount: UInt64 { files.reduce(0) { $0 + $1.byteCount } }

    // MARK: Bytes

    package func encode() -> [UInt8] {
        var bytes = BackupFormat.headerMagic
        bytes.appendLittleEndian(BackupFormat.version)
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(fileByteCount)
        bytes.appendLittleEndian(created)
        bytes.append(cluster == nil ? 0 : 1)
        bytes.appendLittleEndian(cluster?.id ?? 0)
        bytes.appendLittleEndian(cluster?.version ?? 0)
        bytes.appendLittleEndian(cluster?.term ?? 0)
        bytes.appendLittleEndian(schemaVersion)
        bytes.appendLittleEndian(index)
        bytes.appendLittleEndian(digest.low)
        bytes.appendLittleEndian(digest.high)
        figures.append(to: &bytes)
        bytes.append(hasBodies ? 1 : 0)
        let name = Array(program.utf8.prefix(Int(UInt8.max)))
        bytes.append(UInt8(name.count))
        bytes.append(contentsOf: name)
        bytes.appendLittleEndian(UInt32(files.count))
        for file in files {
            let name = Array(file.name.text.utf8)
            bytes.append(UInt8(name.count))
            bytes.append(contentsOf: name)
            bytes.appendLittleEndian(file.byteCount)
        }
        let byteCount = UInt32(bytes.count + BackupFormat.checksumByteCount)
        bytes.replaceSubrange(12..<16, with: [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: byteCount >> $0) })
        bytes.appendLittleEndian(BackupFormat.checksum(bytes))
        return bytes
    }

    /// - Parameter bytes: all of the header, whose checksum was compared.
    package init(decoding bytes: [UInt8]) throws(RecordDamage) {
        let span = bytes.span.bytes
        var reader = RecordReader("header")
        _ = try reader.skip(BackupFormat.headByteCount, span)
        fileByteCount = try reader.readUInt64(span)
        created = try reader.readUInt64(span)
        let hasCluster = try Self.readFlag(&reader, span)
        let named = Cluster(
            id: try reader.readUInt64(span), version: try reader.readUInt32(span), term: try reader.readUInt64(span))
        // What is read is what would be written.
        guard hasCluster || named == Cluster(id: 0, version: 0, term: 0) else {
            throw RecordDamage("header", "it names a cluster and says that there is none")
        }
        cluster = hasCluster ? named : nil
        schemaVersion = try reader.readUInt32(span)
        index = try reader.readUInt64(span)
        let low = try reader.readUInt64(span)
        digest = StateDigest(low: low, high: try reader.readUInt64(span))
        figures = try BackupFigures(&reader, span)
        hasBodies = try Self.readFlag(&reader, span)
        let programByteCount = Int(try reader.readUInt8(span))
        program = try reader.readString(programByteCount, span)
        files = try Self.readFiles(&reader, span)
        _ = try reader.skip(BackupFormat.checksumByteCount, span)
        try reader.expectEnd(span)
        guard self == Self(copying: self) else { throw RecordDamage("header", "its sizes contradict one another") }
    }

    /// With the size that its parts add up to.
    private init(copying other: BackupHeader) {
        self.init(
            created: other.created, program: other.program, cluster: other.cluster, schemaVersion: other.schemaVersion,
            index: other.index, digest: other.digest, figures: other.figures, hasBodies: other.hasBodies, files: other.files)
    }

    private static func readFlag(_ reader: inout RecordReader, _ span: RawSpan) throws(RecordDamage) -> Bool {
        switch try reader.readUInt8(span) {
        case 0: return false
        case 1: return true
        default: throw RecordDamage("header", "a flag is neither 0 nor 1")
        }
    }

    private static func readFiles(_ reader: inout RecordReader, _ span: RawSpan) throws(RecordDamage) -> [StoreFile] {
        let count = Int(try reader.readUInt32(span))
        guard count <= BackupFormat.fileCountMax else { throw RecordDamage("header", "it names too many files") }
        var files: [StoreFile] = []
        var sum: UInt64 = 0
        for _ in 0..<count {
            let nameByteCount = Int(try reader.readUInt8(span))
            guard let name = RocksDBFileName(utf8: try reader.readBytes(nameByteCount, span)) else {
                throw RecordDamage("header", "it names a file that is no store's")
            }
            if let last = files.last, last.name >= name { throw RecordDamage("header", "its files are not in order") }
            let byteCount = try reader.readUInt64(span)
            guard byteCount <= BackupFormat.byteCountMax - sum else { throw RecordDamage("header", "a file is too large") }
            sum += byteCount
            files.append(StoreFile(name: name, byteCount: byteCount))
        }
        guard files.contains(where: { $0.name.text == RocksDBFileName.current }) else {
            throw RecordDamage("header", "it has no store")
        }
        return files
    }
}

/// How much is in a state.
package struct BackupFigures: Hashable, Sendable {
    package var buckets: UInt64 = 0
    /// Keys whose newest version is no delete marker.
    package var objects: UInt64 = 0
    package var versions: UInt64 = 0
    /// Bytes of the bodies of all versions, inline and stored.
    package var bytes: UInt64 = 0
    /// Stored bodies that the state names, those of parts of unfinished uploads among them.
    package var bodies: UInt64 = 0
    package var bodyBytes: UInt64 = 0
    /// What the stored bodies take up in a file that has them, with their heads and checksums.
    package var framedBodyByteCount: UInt64 = 0

    package init() {}

    fileprivate func append(to bytes: inout [UInt8]) {
        for value in [buckets, objects, versions, self.bytes, bodies, bodyBytes, framedBodyByteCount] {
            bytes.appendLittleEndian(value)
        }
    }

    fileprivate init(_ reader: inout RecordReader, _ span: RawSpan) throws(RecordDamage) {
        buckets = try reader.readUInt64(span)
        objects = try reader.readUInt64(span)
        versions = try reader.readUInt64(span)
        bytes = try reader.readUInt64(span)
        bodies = try reader.readUInt64(span)
        bodyBytes = try reader.readUInt64(span)
        framedBodyByteCount = try reader.readUInt64(span)
        guard bodyBytes <= framedBodyByteCount, framedBodyByteCount <= BackupFormat.byteCountMax else {
            throw RecordDamage("header", "its bodies are too large")
        }
    }
}
