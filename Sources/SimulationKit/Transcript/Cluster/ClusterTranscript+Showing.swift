import Raft

/// What can be seen of a cluster.
extension ClusterTranscript {
    mutating func showLog(_ command: TranscriptCommand) throws(TranscriptError) {
        showLog(at: try onlyNode(command))
    }

    /// What is durable.
    mutating func showLog(at position: Int) {
        let log = nodes[position].log
        if log.entries.isEmpty {
            output.line("log is empty: first index=\(log.firstIndex), last index=\(log.lastIndex)")
        }
        for entry in log.entries { output.line(entry.text) }
    }

    mutating func showStates(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 0...0, of: "none")
        for node in nodes {
            let core = node.core
            let vote = core.configuration.hasVoter(node.id) ? "Voter" : "Non-Voter"
            let leader = core.leader?.description ?? "0"
            output.line("\(node.id): \(core.role.stateName) (\(vote)) Term:\(core.term) Lead:\(leader)")
        }
    }

    /// A leader's view of all members; others have none.
    mutating func showStatus(_ command: TranscriptCommand) throws(TranscriptError) {
        let core = nodes[try onlyNode(command)].core
        guard core.role == .leader else { return }
        for peer in core.peers { output.line(peer.text(core.settings)) }
    }

    /// The positions of the core, and what its state machine holds.
    mutating func showImage(_ command: TranscriptCommand) throws(TranscriptError) {
        let node = nodes[try onlyNode(command)]
        let core = node.core
        output.line("commit=\(core.commit) durable=\(core.durable) applied=\(node.image.mark.index) last=\(core.lastIndex)")
        output.line(core.configuration.summary)
        output.line("content=\(node.image.content.quoted)")
    }
}
