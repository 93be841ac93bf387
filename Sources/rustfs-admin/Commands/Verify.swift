import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct Verify: AdminCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the digests of all members' states at one index of the log.",
        discussion: "Exit code 1 if they differ, 2 if a member did not tell its digest.")

    @OptionGroup var connection: ConnectionOptions

    mutating func run() async throws {
        var verdict = VerificationDocument.Verdict.equal
        do throws(AdminFailure) { verdict = try await compare(with: try connection.client()) } catch {
            throw error.show(as: connection.output)
        }
        switch verdict {
        case .equal: break
        case .incomplete: throw ExitCode.unknownOutcome
        case .different: throw ExitCode.refused
        }
    }

    func carryOut(with client: AdminClient) async throws(AdminFailure) { _ = try await compare(with: client) }

    private func compare(with client: AdminClient) async throws(AdminFailure) -> VerificationDocument.Verdict {
        let seconds = seconds()
        let bytes = try await client.ask(.GET, "/metadata/verify?timeout_ms=\(seconds * 1000)", seconds: seconds)
        let document = try AdminClient.decode(VerificationDocument.self, bytes)
        guard connection.output == .table else {
            Console.write(bytes: bytes)
            return document.verdict
        }
        let sentence =
            switch document.verdict {
            case .equal: "all members have the same state"
            case .incomplete: "not every member has told its digest; those that have are the same"
            case .different: "THE MEMBERS HAVE DIFFERENT STATES"
            }
        Console.write("At index \(document.index): \(sentence)")
        Console.write("")
        var table = TextTable([("ID", .right), ("DIGEST", .left), ("AGREES", .left)])
        for node in document.nodes {
            table.add(["\(node.id)", Amount.orUnknown(node.digest), Amount.orUnknown(node.agrees.map { $0 ? "yes" : "NO" })])
        }
        for line in table.lines { Console.write(line) }
        return document.verdict
    }
}
