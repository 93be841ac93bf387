import ArgumentParser
import Raft

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How fast the core alone replicates: three nodes in one thread, whose disks and network are memory.
@main
struct RaftCoreBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "raft-core", abstract: "Replicates entries among three cores in one thread.")

    @Option(help: "Entries that are proposed and not yet applied on the leader.") var inflight = 1024
    @Option(help: "Bytes of each entry.") var size = 256
    @Option(help: "Measured seconds, after half of one of warming up.") var seconds = 3.0

    func run() throws {
        guard inflight > 0, size >= 0, seconds > 0 else { throw ValidationError("the numbers must be greater than 0") }
        var cluster = try MemoryCluster(nodeCount: 3)
        let payload = [UInt8](repeating: 1, count: size)
        _ = try cluster.replicate(payload, inflight: inflight, seconds: 0.5)
        let start = processorSeconds()
        let (count, elapsed) = try cluster.replicate(payload, inflight: inflight, seconds: seconds)
        print(
            "entries=\(count) seconds=\(elapsed) entries_per_second=\(Int(Double(count) / elapsed))",
            "cpu_us_per_entry=\((processorSeconds() - start) / Double(count) * 1e6)")
    }
}

/// Cores that hand each other everything at once, in rounds: all messages of one round are delivered in the next.
private struct MemoryCluster {
    private var cores: [RaftCore] = []
    private var inboxes: [[Message]]
    private var appliedOnLeader = 0

    init(nodeCount: Int) throws {
        let voters = (1...nodeCount).map { NodeID(UInt64($0)) }
        var stored = StoredLog()
        (stored.baseIndex, stored.baseTerm, stored.lastIndex) = (LogIndex(1), Term(1), LogIndex(1))
        (stored.term, stored.commit, stored.applied) = (Term(1), LogIndex(1), LogIndex(1))
        stored.baseConfiguration = Configuration(voters: voters)
        let mark = SnapshotMark(index: LogIndex(1), term: Term(1), configuration: stored.baseConfiguration)
        inboxes = Array(repeating: [], count: nodeCount)
        for voter in voters {
            let core = try RaftCore(
                id: voter, settings: RaftSettings(), stored: stored, snapshot: mark, start: 1, seed: voter.rawValue)
            cores.append(core)
        }
        cores[0].campaign()
        while cores[0].role != .leader { try round() }
    }

    /// - Returns: entries applied on the leader, and the seconds it took.
    mutating func replicate(_ payload: [UInt8], inflight: Int, seconds: Double) throws -> (count: Int, seconds: Double) {
        appliedOnLeader = 0
        var proposed = 0
        let start = wallSeconds()
        var now = start
        while now - start < seconds {
            for _ in 0..<64 {
                while proposed - appliedOnLeader < inflight {
                    _ = try cores[0].propose(payload)
                    proposed += 1
                }
                try round()
            }
            // What the log has forgotten in a real node, too.
            let mark = SnapshotMark(
                index: cores[0].applied, term: cores[0].term, configuration: cores[0].configuration)
            for position in cores.indices where cores[position].applied >= mark.index {
                cores[position].snapshotTaken(mark)
                cores[position].compacted(to: mark.index)
            }
            now = wallSeconds()
        }
        return (appliedOnLeader, now - start)
    }

    private mutating func round() throws {
        for position in cores.indices {
            let messages = inboxes[position]
            inboxes[position].removeAll(keepingCapacity: true)
            for message in messages { try cores[position].step(message) }
            while let ready = cores[position].takeReady() {
                for message in ready.messages { inboxes[Int(message.to.rawValue) - 1].append(message) }
                if let append = ready.append { cores[position].written(upTo: append.token) }
                if let last = ready.apply.last {
                    cores[position].applied(to: last.index)
                    if position == 0 { appliedOnLeader += ready.apply.count }
                }
            }
        }
    }
}

private func wallSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

private func processorSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
