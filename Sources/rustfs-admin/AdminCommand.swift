import AdminDocuments
import ArgumentParser
import NIOHTTP1

/// A subcommand: it asks, and shows what comes.
protocol AdminCommand: AsyncParsableCommand {
    var connection: ConnectionOptions { get }
    func carryOut(with client: AdminClient) async throws(AdminFailure)
}

extension AdminCommand {
    mutating func run() async throws {
        do throws(AdminFailure) { try await carryOut(with: try connection.client()) } catch {
            throw error.show(as: connection.output)
        }
    }

    /// Seconds that a command may take.
    func seconds(otherwise: Int = 60) -> Int { connection.timeout ?? otherwise }

    /// Has a command carried out. - Parameter sentence: what a person is told when it is done.
    func command(
        _ client: AdminClient, _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, query: String = "",
        seconds: Int, sentence: String
    ) async throws(AdminFailure) {
        let target = "\(path)?timeout_ms=\(seconds * 1000)" + (query.isEmpty ? "" : "&\(query)")
        let answer = try await client.ask(method, target, body: body, seconds: seconds)
        switch connection.output {
        case .json: Console.write(bytes: answer)
        case .table: Console.write(sentence)
        }
    }
}

extension AdminFailure {
    /// - Returns: what the program ends with.
    func show(as output: ConnectionOptions.Output) -> ExitCode {
        if output == .json { Console.write(bytes: AdminJSON.encode(document)) }
        Console.warn("rustfs-admin: \(message)")
        return exitCode
    }
}

/// The id of a node as an argument.
struct NodeNumber: ExpressibleByArgument {
    var rawValue: UInt64

    init?(argument: String) {
        guard let value = UInt64(argument), (1...UInt64(Int64.max)).contains(value) else { return nil }
        rawValue = value
    }
}

/// `host:port` as an argument.
struct NodeAddress: ExpressibleByArgument {
    var text: String

    init?(argument: String) {
        guard PeerAddress.problem(argument) == nil else { return nil }
        text = argument
    }
}
