package import FileSystem
import Foundation
import Metadata

/// What people and programs are told of a backup file: the one answer of every command that looks at one.
///
/// Its encoding is a document of the administration interface, whose members are those of docs/operations/backup.md.
package struct BackupReport: Encodable, Hashable, Sendable {
    private static let nameWidth = 10

    package let path: String
    /// The digest of the file, in hexadecimal digits.
    package let id: String
    package let formatVersion: UInt32
    /// Of the whole file.
    package let bytes: UInt64
    /// ISO 8601, UTC.
    package let created: String
    package let program: String
    /// A text, because JSON's numbers are not safe beyond 2^53. Nil, as are the next two: the file was taken of a single node.
    package let clusterId: String?
    package let clusterVersion: UInt32?
    package let term: UInt64?
    package let index: UInt64
    package let digest: String
    package let schemaVersion: UInt32
    package let buckets: UInt64
    package let objects: UInt64
    package let versions: UInt64
    package let objectBytes: UInt64
    package let bodies: UInt64
    package let bodyBytes: UInt64
    package let withData: Bool
    package let storeFiles: Int
    package let storeBytes: UInt64
    /// Whether all of the file was read, and every checksum is right.
    package let verified: Bool

    package init(_ file: BackupFile, isVerified: Bool) {
        let header = file.header
        path = file.path
        id = file.end.id
        formatVersion = BackupFormat.version
        bytes = header.fileByteCount
        created = Date(timeIntervalSince1970: Double(header.created) / 1000).formatted(.iso8601)
        program = header.program
        clusterId = header.cluster.map { "\($0.id)" }
        clusterVersion = header.cluster?.version
        term = header.cluster?.term
        index = header.index
        digest = header.digest.hexadecimal
        schemaVersion = header.schemaVersion
        buckets = header.figures.buckets
        objects = header.figures.objects
        versions = header.figures.versions
        objectBytes = header.figures.bytes
        bodies = header.figures.bodies
        bodyBytes = header.figures.bodyBytes
        withData = header.hasBodies
        storeFiles = header.files.count
        storeBytes = header.storeByteCount
        verified = isVerified
    }

    /// Looks at a file, and changes nothing. Blocks for as long as it takes to read it.
    ///
    /// - Parameters:
    ///   - path: absolute, so that what is said of it can be understood elsewhere.
    ///   - isQuick: only its beginning and its end are read, not what is between.
    /// - Throws: `.foreign`, `.unknownVersion`, `.unknownSchema`, `.cutShort`, `.damaged`: the file is at fault; `.fileSystem`: it
    ///   cannot be read.
    package init(
        inspecting path: String, isQuick: Bool, fileSystem: any FileSystem = POSIXFileSystem()
    ) throws(BackupError) {
        let opened = try OpenedBackup(opening: path, fileSystem: fileSystem)
        if !isQuick { try opened.verify() }
        self.init(opened.summary, isVerified: !isQuick)
    }

    /// For people: a name and what it is on each line.
    package var lines: [String] {
        let origin = clusterId.map { "cluster \($0) (version \(clusterVersion ?? 0))" } ?? "a single node"
        let term = term.map { " of term \($0)" } ?? ""
        let place = withData ? "in the file" : "not in the file"
        let rows = [
            ("file", "\(path), \(bytes) bytes, format \(formatVersion)"),
            ("id", id),
            ("created", "\(created) by \(program)"),
            ("of", origin),
            ("index", "\(index)\(term)"),
            ("digest", "\(digest), schema \(schemaVersion)"),
            ("content", "\(buckets) buckets, \(objects) objects, \(versions) versions of \(objectBytes) bytes"),
            ("bodies", bodies == 0 ? "none" : "\(bodies) of \(bodyBytes) bytes, \(place)"),
            ("store", "\(storeFiles) files of \(storeBytes) bytes"),
            ("checked", verified ? "every checksum is right" : "beginning and end only"),
        ]
        return rows.map { name, text in name + String(repeating: " ", count: Self.nameWidth - name.count) + text }
    }
}
