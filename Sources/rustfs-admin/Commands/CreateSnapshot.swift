import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct CreateSnapshot: AdminCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Have a node write its state to a file.",
        discussion: "The file is written on the machine of the first --endpoint, by the user that the server runs as.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("Absolute; no file that is there already.", valueName: "file.snap"))
    var path: String

    @Flag(help: "The bodies of objects above 128 KiB, too.")
    var withData = false

    @Option(help: ArgumentHelp("MiB written in a second, at most.", valueName: "MiB"))
    var rateMib: UInt64?

    private static let secondsDefault = 24 * 3600
    /// Between two looks at how far it is.
    private static let lookMilliseconds = 500

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        // Whoever was asked is asked how far it is.
        let node = AdminClient(endpoints: Array(client.endpoints.prefix(1)), token: client.token, tls: client.tls)
        let request = SnapshotFileRequest(path: path, withData: withData, rateMib: rateMib)
        _ = try await node.ask(.POST, "/metadata/snapshots", body: AdminJSON.encode(request), seconds: 60)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds(otherwise: Self.secondsDefault))
        while true {
            let bytes = try await node.ask(.GET, "/metadata/snapshots", seconds: 60)
            let export = try AdminClient.decode(SnapshotExportDocument.self, bytes)
            guard export.path == path else {
                throw .unknown("The node writes another snapshot now (\(export.path)): look whether \(path) is there.")
            }
            if export.state == .running {
                guard clock.now < end else {
                    throw .unknown(
                        "The time is over, and the node goes on writing: GET /metadata/snapshots tells how far it is.")
                }
                if Console.showsProgress { Console.redraw(Progress.line(export.bytesDone, of: export.bytesTotal)) }
                try? await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
                continue
            }
            if Console.showsProgress { Console.redraw("") }
            return try show(export, bytes)
        }
    }

    private func show(_ export: SnapshotExportDocument, _ bytes: [UInt8]) throws(AdminFailure) {
        if let error = export.error {
            throw .answered(
                status: 409, AdminErrorDocument(code: "SnapshotFailed", message: "The snapshot was not written: \(error)"))
        }
        guard connection.output == .table else { return Console.write(bytes: bytes) }
        Console.write(
            "\(path): snapshot \(Amount.orUnknown(export.id)), \(Amount.bytes(export.bytesTotal)), contains the log up to entry "
                + "\(Amount.orUnknown(export.index))")
    }
}
