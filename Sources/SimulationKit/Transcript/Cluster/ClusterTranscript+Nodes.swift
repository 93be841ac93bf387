import Raft

/// Nodes come, die and come back.
extension ClusterTranscript {
    /// A scripted cluster is small; the bound keeps a mistyped number from filling the memory.
    private static let nodeCountMax: UInt64 = 1000

    mutating func addNodes(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 1...1, of: "count", keys: TranscriptNodeOptions.keys)
        let count = try command.number(word: 0, of: "count")
        guard count + UInt64(nodes.count) <= Self.nodeCountMax else { throw command.mistake("\(count) nodes are too many") }
        var options = try TranscriptNodeOptions(command)
        options.settings.mutations.formUnion(mutations)
        let begins = ["voters", "learners", "index", "content"].contains(where: command.has)
        guard !begins || options.image.mark.index.rawValue > 1 else {
            output.failure("index must be specified as > 1 due to bootstrap")
            return
        }
        for _ in 0..<count {
            do {
                nodes.append(try TranscriptNode(NodeID(UInt64(nodes.count) + 1), options))
            } catch { throw command.mistake("\(error)") }
        }
    }

    mutating func restart(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command)
        let (applied, last) = (nodes[position].image.mark.index, nodes[position].log.lastIndex)
        guard applied <= last else {
            output.failure(
                "node \(nodes[position].id) cannot start: its state contains \(applied), and its log ends at \(last)")
            return
        }
        do {
            try nodes[position].restart()
        } catch { throw command.mistake("\(error)") }
        let id = nodes[position].id
        parcels.removeAll { $0.isLocal && $0.to == id }
    }

    mutating func setLogLevel(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 1...1, of: "level")
        output.level = try level(command.words[0], command)
    }

    func level(_ text: String, _ command: TranscriptCommand) throws(TranscriptError) -> TranscriptOutput.Level {
        guard let level = TranscriptOutput.Level(rawValue: text.lowercased()) else {
            let all = TranscriptOutput.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw command.mistake("\(text) is no level; there are \(all)")
        }
        return level
    }
}
