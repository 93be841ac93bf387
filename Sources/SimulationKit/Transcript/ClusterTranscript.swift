package import Raft

/// A scripted cluster of cores with logs in memory. Nothing happens by itself: commands let time pass, deliver messages, and run
/// the threads of the nodes. docs/transcripts.md has the list.
package struct ClusterTranscript: TranscriptEnvironment {
    /// Node n is at position n - 1.
    var nodes: [TranscriptNode] = []
    /// On their way, in the order in which they were sent.
    var parcels: [Parcel] = []
    var output = TranscriptOutput()

    /// Bugs that all nodes have.
    let mutations: RaftMutations

    /// - Parameter mutations: bugs to be found, for tests that show that a transcript would find them.
    package init(mutations: RaftMutations = []) {
        self.mutations = mutations
    }

    package mutating func run(_ command: TranscriptCommand) throws(TranscriptError) -> String {
        switch command.name {
        case "add-nodes": try addNodes(command)
        case "restart": try restart(command)
        case "log-level": try setLogLevel(command)

        case "campaign": try campaign(command)
        case "propose": try propose(command)
        case "propose-conf-change": try proposeChange(command)
        case "read-index": try readIndex(command)
        case "transfer-leadership": try transferLeadership(command)
        case "forget-leader": try forgetLeader(command)
        case "connection-lost": try loseConnection(command)
        case "report-unreachable": try reportUnreachable(command)
        case "report-snapshot": try reportSnapshot(command)
        case "storage-stalled": try stallStorage(command)
        case "tick-election": try tick(command, \.electionTicks)
        case "tick-heartbeat": try tick(command, \.heartbeatTicks)
        case "set-randomized-election-timeout": try setElectionTimeout(command)
        case "compact": try compact(command)
        case "send-snapshot": try sendSnapshot(command)

        case "process-ready": try processReady(command)
        case "process-append-thread": try processAppendThread(command)
        case "process-apply-thread": try processApplyThread(command)
        case "deliver-msgs": try deliverMessages(command)
        case "stabilize": try stabilize(command)

        case "raft-log": try showLog(command)
        case "raft-state": try showStates(command)
        case "status": try showStatus(command)
        case "state": try showImage(command)
        default: throw command.mistake("unknown command")
        }
        return output.take()
    }

    // MARK: Arguments

    /// The position of a node that exists.
    func node(_ text: String, _ command: TranscriptCommand) throws(TranscriptError) -> Int {
        let number = try command.number(text, of: "node \(text)")
        guard number >= 1, number <= UInt64(nodes.count) else {
            throw command.mistake("there is no node \(number); there are \(nodes.count)")
        }
        return Int(number) - 1
    }

    /// The one node that a command is about.
    func onlyNode(_ command: TranscriptCommand, keys: [String] = []) throws(TranscriptError) -> Int {
        try command.expect(words: 1...1, of: "node", keys: keys)
        return try node(command.words[0], command)
    }

    /// The nodes that a command names, or all.
    func someNodes(_ command: TranscriptCommand, keys: [String] = []) throws(TranscriptError) -> [Int] {
        try command.expect(words: 0...nodes.count, of: "nodes", keys: keys)
        var named: [Int] = []
        for word in command.words { named.append(try node(word, command)) }
        return named.isEmpty ? Array(nodes.indices) : named
    }
}
