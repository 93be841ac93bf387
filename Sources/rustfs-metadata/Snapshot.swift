import AdminDocuments
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
        var formatVersion: UInt32
        var bytes: UInt64
        var created: String
        var program: String
        var clusterId: String?
        var clusterVersion: UInt32?
        var term: UInt64?
        var index: UInt64
        var digest: String
        var schemaVersion: UInt32
        var buckets: UInt64
        var objects: UInt64
        var versions: UInt64
        var objectBytes: UInt64
        var bodies: UInt64
        var bodyBytes: UInt64
        var withData: Bool
        var storeFiles: Int
        var storeBytes: UInt64
        var verified: Bool
    }

    private let document: Document

    init(_ file: BackupFile, isVerified: Bool) {
        let header = file.header
        let created = Date(timeIntervalSince1970: Double(header.created) / 1000)
        document = Document(
            path: file.path, id: file.end.id, formatVersion: BackupFormat.version, bytes: header.fileByteCount,
            created: created.formatted(.iso8601), program: header.program, clusterId: header.cluster.map { "\($0.id)" },
            clusterVersion: header.cluster?.version, term: header.cluster?.term, index: header.index,
            digest: header.digest.hexadecimal, schemaVersion: header.schemaVersion, buckets: header.figures.buckets,
            objects: header.figures.objects, versions: header.figures.versions, objectBytes: header.figures.bytes,
            bodies: header.figures.bodies, bodyBytes: header.figures.bodyBytes, withData: header.hasBodies,
            storeFiles: header.files.count, storeBytes: header.storeByteCount, verified: isVerified)
    }

    func write(_ output: Snapshot.Output) {
        switch output {
        case .json: print(String(decoding: AdminJSON.encode(document, isPretty: true), as: UTF8.self), terminator: "")
        case .text: for (name, value) in lines { print(name.padding(toLength: 10, withPad: " ", startingAt: 0) + value) }
        }
    }

    private var lines: [(String, String)] {
        let origin = document.clusterId.map { "cluster \($0) (version \(document.clusterVersion ?? 0))" } ?? "a single node"
        let term = document.term.map { " of term \($0)" } ?? ""
        let bodies =
            document.bodies == 0
            ? "none"
            : "\(document.bodies) of \(document.bodyBytes) bytes, \(document.withData ? "in the file" : "not in the file")"
        return [
            ("file", "\(document.path), \(document.bytes) bytes, format \(document.formatVersion)"), ("id", document.id),
            ("created", "\(document.created) by \(document.program)"), ("of", origin), ("index", "\(document.index)\(term)"),
            ("digest", "\(document.digest), schema \(document.schemaVersion)"),
            (
                "content",
                "\(document.buckets) buckets, \(document.objects) objects, \(document.versions) versions of \(document.objectBytes) bytes"
            ),
            ("bodies", bodies), ("store", "\(document.storeFiles) files of \(document.storeBytes) bytes"),
            ("checked", document.verified ? "every checksum is right" : "beginning and end only"),
        ]
    }
}
