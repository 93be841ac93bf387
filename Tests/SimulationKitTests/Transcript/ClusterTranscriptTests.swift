import Foundation
import Raft
import SimulationKit
import Testing

/// Cases that broke others, one file each: Tests/SimulationKitTests/Transcripts.
@Suite("Scripted clusters")
struct ClusterTranscriptTests {
    @Test("There are transcripts")
    func notEmpty() {
        #expect(TranscriptFiles.list("Transcripts").count >= 30)
    }

    @Test("A scripted cluster shows what it should", arguments: TranscriptFiles.list("Transcripts"))
    func transcript(file: String) throws {
        let transcript = try TranscriptFiles.read(file)
        #expect(transcript.stanzas.first?.prose.first?.hasPrefix("# ") == true, "a case says what it is about")
        var cluster = ClusterTranscript()
        let differences = try transcript.run(in: &cluster).differences(from: transcript)
        #expect(differences.isEmpty, "\(differences)")
    }

    /// What each of the commands shows.
    private func run(_ commands: [String]) throws -> [String] {
        let text = commands.map { $0 + "\n----\n" }.joined(separator: "\n")
        var cluster = ClusterTranscript()
        return try Transcript(parsing: text, file: "t").run(in: &cluster).outputs
    }

    @Test(
        "A mistake in a script is told with its line",
        arguments: [
            ("elect 1", "unknown command"), ("campaign", "node"), ("campaign 4", "no node 4"), ("campaign 0", "no node 0"),
            ("campaign x", "not a number"), ("campaign 1 force=true", "unknown argument force"),
            ("propose 1", "2 are expected"),
            ("add-nodes", "count"), ("add-nodes 1 voter=(1)", "unknown argument voter"), ("add-nodes 2000", "too many"),
            ("add-nodes 1 voters=(1,1) index=2", "not sorted, each once"), ("add-nodes 1 voters=(0) index=2", "nobody"),
            ("add-nodes 1 voters=(1) learners=(1) index=2", "learner and a voter"),
            ("add-nodes 1 prevote=maybe", "neither true nor false"),
            ("add-nodes 1 index=18446744073709551615", "too large"), ("add-nodes 1 inflight=-1", "not a number"),
            ("add-nodes 1 read-only=fast", "safe or lease-based"),
            ("propose-conf-change 1 transition=slow\nv4", "auto, implicit or explicit"),
            ("propose-conf-change 1 v1=true\nv4 v5", "one step"), ("propose-conf-change 1\nx4", "v, l, r or u"),
            ("set-randomized-election-timeout 1", "timeout=TICKS"), ("deliver-msgs 1 type=MsgNone", "no type MsgNone"),
            ("deliver-msgs 1 drop=(1)", "both delivered and dropped"), ("log-level loud", "no level"),
            ("transfer-leadership from=1", "to=NODE"), ("storage-stalled 1 maybe", "true or false"),
            ("report-snapshot 1 2 perhaps", "received or failed"), ("compact 1", "index"), ("raft-state 1", "0 are expected"),
        ]
    )
    func mistakes(command: String, message: String) {
        let error = #expect(throws: TranscriptError.self) { try run(["add-nodes 3 voters=(1,2,3) index=10", command]) }
        #expect(error?.location.line == 4)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("What the cluster refuses is output, also when nothing else is")
    func refusals() throws {
        let seen = try run([
            "log-level none", "add-nodes 3 voters=(1,2,3)", "add-nodes 3 voters=(1,2,3) index=10", "propose 1 foo",
            "read-index 1",
            "compact 1 10", "compact 1 11", "raft-log 1", "log-level info", "raft-log 1", "deliver-msgs 1", "process-ready 1",
            "process-append-thread 1", "process-apply-thread 1", "status 1",
        ])
        #expect(
            seen == [
                "ok", "index must be specified as > 1 due to bootstrap", "ok", "raft proposal dropped",
                "not the leader; nobody is known to be", "requested index is unavailable due to compaction",
                "index 11 is not applied; 10 is", "ok", "ok", "log is empty: first index=11, last index=10", "no messages",
                "<empty Ready>", "no append work to perform", "no apply work to perform", "ok",
            ])
    }

    @Test("A leader that is asked by its followers takes proposals and hands over")
    func forwarding() throws {
        let seen = try run([
            "add-nodes 3 voters=(1,2,3) index=10", "campaign 1", "stabilize log-level=none", "propose 2 foo",
            "transfer-leadership from=3 to=2", "process-ready 2", "deliver-msgs 1", "stabilize log-level=none", "raft-state",
            "raft-log 3",
        ])
        #expect(seen[5] == "Ready:\nMessages:\n2->1 MsgProp Entries:[0/0 EntryNormal \"foo\"]")
        #expect(seen[8].hasPrefix("1: StateFollower (Voter) Term:2 Lead:2\n2: StateLeader (Voter) Term:2 Lead:2\n"))
        #expect(seen[9] == "1/11 EntryNormal \"\"\n1/12 EntryNormal \"foo\"\n2/13 EntryNormal \"\"")
    }

    @Test("A leader that would serve reads by its lease is not forgotten")
    func lease() throws {
        let seen = try run([
            "add-nodes 3 voters=(1,2,3) index=10 read-only=lease-based checkquorum=true", "campaign 1",
            "stabilize log-level=none",
            "forget-leader 2", "raft-state",
        ])
        #expect(seen[3].hasPrefix("ERROR "))
        #expect(seen[4].contains("2: StateFollower (Voter) Term:1 Lead:1"))
    }

    /// Commands at random, with losses, repetitions, crashes and compaction: whatever a script does, the states of any two nodes are one
    /// the beginning of the other, and in the end all are equal.
    @Test("No script makes two nodes apply different entries", arguments: 1...60)
    func randomScript(seed: UInt64) throws {
        var random = RaftRandom(seed: seed)
        let threads = random.next(in: 0...1) == 1
        let rules = ["", " prevote=true", " prevote=true checkquorum=true", " inflight=2 max-size-per-msg=1"]
        var commands = [
            "add-nodes 3 voters=(1,2,3) index=10 async-storage-writes=\(threads)" + rules[random.next(in: 0...3)]
        ]
        for step in 0..<250 { commands.append(Self.command(step, &random)) }
        commands += ["campaign 1", "stabilize log-level=none"]
        for _ in 0..<20 { commands += (1...3).map { "tick-election \($0)" } + ["stabilize log-level=none"] }
        let states = (1...3).map { "state \($0)" }
        for (count, _) in commands.enumerated().reversed() where count % 10 == 0 {
            commands.insert(contentsOf: states, at: count + 1)
        }
        commands += states
        let seen = try run(commands)
        var last: [String] = []
        for (command, output) in zip(commands, seen) where command.hasPrefix("state ") {
            last.append(output)
            guard command == "state 3" else { continue }
            let contents = last.suffix(3).map(content).sorted { $0.count < $1.count }
            #expect(contents[1].hasPrefix(contents[0]) && contents[2].hasPrefix(contents[1]), "seed \(seed): \(contents)")
        }
        #expect(Set(last.suffix(3)).count == 1, "seed \(seed): \(last.suffix(3))")
    }

    /// What the state machine holds, of what `state` shows.
    private func content(_ state: String) -> Substring {
        state.split(separator: "content=", omittingEmptySubsequences: false).last?.dropFirst().dropLast() ?? ""
    }

    private static func command(_ step: Int, _ random: inout RaftRandom) -> String {
        let node = random.next(in: 1...3)
        switch random.next(in: 0...19) {
        case 0: return "campaign \(node)"
        case 1, 2, 3: return "propose \(node) .\(step)"
        case 4: return "tick-election \(node)"
        case 5: return "tick-heartbeat \(node)"
        case 6: return "restart \(node)"
        case 7: return "deliver-msgs drop=(\(node))"
        case 8: return "deliver-msgs \(node) keep=true reverse=true"
        case 9: return "deliver-msgs \(node) reverse=true count=2"
        case 10: return "compact \(node) \(10 + step / 8)"
        case 11: return "transfer-leadership \(node) \(random.next(in: 1...3))"
        case 12: return "process-append-thread \(node)"
        case 13: return "process-apply-thread \(node)"
        case 14, 15: return "process-ready \(node)"
        case 16, 17: return "deliver-msgs \(node)"
        case 18: return "stabilize \(node) \(node % 3 + 1) log-level=none"
        default: return "stabilize log-level=none"
        }
    }
}
