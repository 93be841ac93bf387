import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct RestoreSnapshot: AdminCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Replace the state of the whole running cluster by that of a snapshot file.",
        discussion:
            "The file is on the machine of the first --endpoint. All that was written since it was made is gone afterwards; members, addresses and rules stay."
    )

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("Absolute.", valueName: "file.snap"))
    var path: String

    @Flag(help: "Do not ask.")
    var yes = false

    private static let secondsDefault = 24 * 3600
    /// Between two looks at how far it is.
    private static let lookMilliseconds = 500

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        try Console.confirm(
            "Replace all buckets and objects of the cluster by those of \(path)? What was written since is gone then.",
            isGiven: yes)
        // Whoever was asked is asked how far it is.
        let node = AdminClient(endpoints: Array(client.endpoints.prefix(1)), token: client.token, tls: client.tls)
        let request = RestoreRequest(path: path)
        _ = try await node.ask(.POST, "/metadata/restores", body: AdminJSON.encode(request), seconds: 60)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds(otherwise: Self.secondsDefault))
        while true {
            let bytes: [UInt8]
            do throws(AdminFailure) { bytes = try await node.ask(.GET, "/metadata/restores", seconds: 60) } catch {
                throw .unknown("The node does not tell any more how far it is: \(error.message)")
            }
            let restore = try AdminClient.decode(RestoreDocument.self, bytes)
            guard restore.path == path else {
                throw .unknown("The node restores another snapshot now (\(restore.path)): look at its log for \(path).")
            }
            if restore.state == .running {
                guard clock.now < end else {
                    throw .unknown(
                        "The time is over, and the node goes on restoring: GET /metadata/restores tells how far it is.")
                }
                if Console.showsProgress {
                    let phase = restore.phase ?? ""
                    Console.redraw("\(phase) \(Progress.line(restore.bytesDone, of: restore.bytesTotal))")
                }
                try? await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
                continue
            }
            if Console.showsProgress { Console.redraw("") }
            return try show(restore, bytes)
        }
    }

    private func show(_ restore: RestoreDocument, _ bytes: [UInt8]) throws(AdminFailure) {
        if let error = restore.error {
            throw .answered(
                status: 409,
                AdminErrorDocument(
                    code: restore.errorCode ?? "Failed", message: "The snapshot was not restored: \(error)"))
        }
        guard connection.output == .table else { return Console.write(bytes: bytes) }
        Console.write(
            "The cluster has the state of \(path) (snapshot \(Amount.orUnknown(restore.id))) from entry "
                + "\(Amount.orUnknown(restore.entry)) of its log on.")
    }
}
