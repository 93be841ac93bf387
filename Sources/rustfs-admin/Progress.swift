import AdminDocuments
import NIOCore

/// What a person sees while a node is brought up to date: a line on the terminal, drawn anew twice a second.
struct Progress: Sendable {
    private static let barWidth = 20

    let node: UInt64
    private var entriesMax: UInt64 = 1
    private var bytesMax: UInt64 = 1

    init(node: UInt64) {
        self.node = node
    }

    /// - Parameter total: 0: not known.
    static func line(_ done: UInt64, of total: UInt64) -> String {
        let share = total == 0 ? 0 : min(1, Double(done) / Double(total))
        return "\(bar(share)) \(Amount.bytes(done)) of \(Amount.bytes(total))"
    }

    private static func bar(_ share: Double) -> String {
        let filled = Int(share * Double(barWidth))
        return "[\(String(repeating: "#", count: filled))\(String(repeating: "-", count: barWidth - filled))]"
    }

    /// Draws until it is cancelled; nothing where there is no terminal.
    static func draw(node: UInt64, _ client: AdminClient) async {
        guard Console.showsProgress else { return }
        var progress = Progress(node: node)
        while !Task.isCancelled {
            if let status = await progress.look(client) { Console.redraw(progress.line(status)) }
            try? await Task.sleep(for: .milliseconds(500))
        }
        Console.redraw("")
    }

    /// The leader knows most; else whoever answers.
    private func look(_ client: AdminClient) async -> ClusterStatusDocument? {
        var found: ClusterStatusDocument?
        for endpoint in client.endpoints {
            let one = AdminClient(endpoints: [endpoint], token: nil, tls: client.tls)
            guard let status = try? await one.status(seconds: 2).document else { continue }
            found = found ?? status
            if status.operation != nil { return status }
        }
        return found
    }

    mutating func line(_ status: ClusterStatusDocument) -> String {
        let step = status.operation.map { $0.step.replacingUnderscores } ?? "under way"
        guard let member = status.node(node) else { return "Node \(node): \(step)" }
        let (entries, bytes) = (member.lagEntries ?? 0, member.bodiesMissingBytes ?? 0)
        entriesMax = max(entriesMax, entries)
        bytesMax = max(bytesMax, bytes)
        let missing = max(Double(entries) / Double(entriesMax), Double(bytes) / Double(bytesMax))
        return
            "Node \(node): \(member.role), \(step) \(Self.bar(1 - missing)) lacks \(entries) entries, \(Amount.bytes(bytes)) of large objects"
    }
}

extension String {
    fileprivate var replacingUnderscores: String { String(map { $0 == "_" ? " " : $0 }) }
}

extension AdminCommand {
    /// Carries something out and shows meanwhile how a node comes along.
    func showingProgress(
        of node: UInt64, _ client: AdminClient, _ work: () async throws(AdminFailure) -> Void
    ) async throws(AdminFailure) {
        let drawing = Task { await Progress.draw(node: node, client) }
        let result: Result<Void, AdminFailure>
        do throws(AdminFailure) {
            try await work()
            result = .success(())
        } catch { result = .failure(error) }
        drawing.cancel()
        await drawing.value
        try result.get()
    }
}
