import ArgumentParser
import Backup
import FileSystem
import Foundation
import Metadata

/// `rustfs-metadata snapshot`: what can be done with snapshot files without a server.
struct Snapshot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at snapshot files.", subcommands: [Inspect.self])

    enum Output: String, ExpressibleByArgument {
        case text, json
    }

    /// `snapshot inspect`.
    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell what is in a snapshot file, and compare all of it with its checksums.",
            discussion: """
                Nothing is changed, and no server is needed. docs/operations/backup.md tells of snapshot files.

                Exit codes: 0 the file is whole, 1 it could not be read, 64 wrong command line, 65 it is damaged or no snapshot file.
                """
        )

        @Option(help: ArgumentHelp("The snapshot file.", valueName: "file"))
        var path: String

        @Option(help: ArgumentHelp("text or json.", valueName: "format"))
        var output = Output.text

        @Flag(help: "Read only the beginning and the end, not what is between.")
        var quick = false

        mutating func run() async throws {
            do throws(BackupError) {
                let opened = try OpenedBackup(opening: AbsolutePath.of(path), fileSystem: POSIXFileSystem())
                if !quick { try opened.verify() }
                SnapshotReport(opened.summary, isVerified: !quick).write(output)
            } catch {
                StandardError.write("rustfs-metadata: \(error)")
                throw error.isOfFile ? ExitCode.badData : ExitCode.cannotRun
            }
        }
    }
}

/// What is told of a snapshot file.
struct SnapshotReport {
    private struct Document: Encodable {
        var path: String
        var id: String
        var format_version: UInt32
        var bytes: UInt64
        var created: String
        var program: String
        var cluster_id: String?
        var cluster_version: UInt32?
        var term: UInt64?
        var index: UInt64
        var digest: String
        var schema_version: UInt32
        var buckets: UInt64
        var objects: UInt64
        var versions: UInt64
        var object_bytes: UInt64
        var bodies: UInt64
        var body_bytes: UInt64
        var with_data: Bool
        var store_files: Int
        var store_bytes: UInt64
        var verified: Bool
    }

    private let document: Document

    init(_ file: BackupFile, isVerified: Bool) {
        let header = file.header
        let created = Date(timeIntervalSince1970: Double(header.created) / 1000)
        document = Document(
            path: file.path, id: file.end.id, format_version: BackupFormat.version, bytes: header.fileByteCount,
            created: created.formatted(.iso8601), program: header.program, cluster_id: header.cluster.map { "\($0.id)" },
            cluster_version: header.cluster?.version, term: header.cluster?.term, index: header.index,
            digest: header.digest.hexadecimal, schema_version: header.schemaVersion, buckets: header.figures.buckets,
            objects: header.figures.objects, versions: header.figures.versions, object_bytes: header.figures.bytes,
            bodies: header.figures.bodies, body_bytes: header.figures.bodyBytes, with_data: header.hasBodies,
            store_files: header.files.count, store_bytes: header.storeByteCount, verified: isVerified)
    }

    func write(_ output: Snapshot.Output) {
        switch output {
        case .json: print(String(decoding: JSONDocument.encode(document, pretty: true), as: UTF8.self), terminator: "")
        case .text: for (name, value) in lines { print(name.padding(toLength: 10, withPad: " ", startingAt: 0) + value) }
        }
    }

    private var lines: [(String, String)] {
        let origin = document.cluster_id.map { "cluster \($0) (version \(document.cluster_version ?? 0))" } ?? "a single node"
        let term = document.term.map { " of term \($0)" } ?? ""
        let bodies =
            document.bodies == 0
            ? "none"
            : "\(document.bodies) of \(document.body_bytes) bytes, \(document.with_data ? "in the file" : "not in the file")"
        return [
            ("file", "\(document.path), \(document.bytes) bytes, format \(document.format_version)"), ("id", document.id),
            ("created", "\(document.created) by \(document.program)"), ("of", origin), ("index", "\(document.index)\(term)"),
            ("digest", "\(document.digest), schema \(document.schema_version)"),
            (
                "content",
                "\(document.buckets) buckets, \(document.objects) objects, \(document.versions) versions of \(document.object_bytes) bytes"
            ),
            ("bodies", bodies), ("store", "\(document.store_files) files of \(document.store_bytes) bytes"),
            ("checked", document.verified ? "every checksum is right" : "beginning and end only"),
        ]
    }
}
