import Raft

/// Tables of quorum arithmetic.
///
///     committed cfg=(1,2,3) cfgj=(2,3,4) idx=(100,101,99,_)
///     vote cfg=(1,2,3) votes=(y,n,_)
///
/// `cfg` has the voters, `cfgj` those of the other half (`zero`: none); a value follows for each voter, in the order in which
/// they appear first; `_` is a voter that nothing is known of.
package struct QuorumTable: TranscriptEnvironment {
    package init() {}

    package func run(_ command: TranscriptCommand) throws(TranscriptError) -> String {
        switch command.name {
        case "committed":
            try command.expect(words: 0...0, of: "none", keys: ["cfg", "cfgj", "idx"])
            let indexes = try known("idx", command) { text throws(TranscriptError) in try command.number(text, of: "idx") }
            let committed = try quorum(command).committed { node in indexes.value(node).map { LogIndex($0) } }
            return committed == MajorityQuorum.unbounded ? "∞" : "\(committed)"
        case "vote":
            try command.expect(words: 0...0, of: "none", keys: ["cfg", "cfgj", "votes"])
            let votes = try known("votes", command) { text throws(TranscriptError) in
                switch text {
                case "y": return true
                case "n": return false
                default: throw command.mistake("a vote is y, n or _, not \(text)")
                }
            }
            return try quorum(command).vote { votes.value($0) }.description
        default:
            throw command.mistake("unknown command; there are committed and vote")
        }
    }

    private func nodes(_ key: String, _ command: TranscriptCommand) throws(TranscriptError) -> [NodeID] {
        let texts = command.values(key)
        if key == "cfgj", texts == ["zero"] { return [] }
        var nodes: [NodeID] = []
        for text in texts {
            let node = NodeID(try command.number(text, of: key))
            guard !nodes.contains(node) else { throw command.mistake("\(key) names \(node) twice") }
            nodes.append(node)
        }
        return nodes
    }

    private func quorum(_ command: TranscriptCommand) throws(TranscriptError) -> JointQuorum {
        JointQuorum(
            incoming: MajorityQuorum(try nodes("cfg", command).sorted()),
            outgoing: MajorityQuorum(try nodes("cfgj", command).sorted())
        )
    }

    /// What the list of values says of each voter.
    private func known<Value>(
        _ key: String, _ command: TranscriptCommand, _ parse: (String) throws(TranscriptError) -> Value
    ) throws(TranscriptError) -> KnownValues<Value> {
        var voters = try nodes("cfg", command)
        for node in try nodes("cfgj", command) where !voters.contains(node) { voters.append(node) }
        let texts = command.values(key)
        guard texts.count == voters.count else {
            throw command.mistake("\(key) has \(texts.count) values for \(voters.count) voters")
        }
        var known = KnownValues<Value>(entries: [])
        for (voter, text) in zip(voters, texts) where text != "_" { known.entries.append((voter, try parse(text))) }
        return known
    }

    private struct KnownValues<Value> {
        var entries: [(node: NodeID, value: Value)]

        func value(_ node: NodeID) -> Value? { entries.first { $0.node == node }?.value }
    }
}
