import Metadata
import Raft
import Replication
import Testing

@Suite("Snapshots: taken, sent, installed, and the log behind them")
struct SnapshotTests {
    /// Snapshots early, and no log kept for anybody.
    static var settings: ReplicaSettings {
        var settings = TestCluster.settings
        settings.snapshots.entryCountMax = 20
        settings.snapshots.spacingMilliseconds = 100
        settings.snapshots.keptForFollowersByteCountMax = 0
        return settings
    }

    /// A cluster whose log has forgotten what the returned node lacks.
    static func withLateNode(_ settings: ReplicaSettings = settings) throws -> (TestCluster, TestNode) {
        let cluster = try TestCluster.ready(3, settings: settings)
        let late = try #require(cluster.followers.first)
        late.crash()
        let leader = try #require(cluster.leader)
        // Until the leader misses it.
        cluster.run(milliseconds: 1000)
        for number in 0..<60 { try cluster.putAndWait("k\(number)", UInt64(number), on: leader) }
        try cluster.run { (leader.replica?.core.baseIndex ?? .zero) > LogIndex(20) }
        return (cluster, late)
    }

    @Test("A follower whose entries are forgotten receives a snapshot and goes on from there")
    func catchUp() throws {
        let (cluster, late) = try Self.withLateNode()
        try late.begin(at: cluster.now)
        try cluster.settle()
        #expect(late.installCount == 1)
        #expect(try late.value("k59") == 59)
        try cluster.putAndWait("after", 1, on: late)
        try cluster.expectSound()
        // What was installed is where the next start begins.
        late.crash(losingUnflushed: true)
        try late.begin(at: cluster.now)
        try cluster.settle()
        #expect(late.installCount == 1)
        try cluster.expectSound()
    }

    /// Nothing was begun, and nobody began it later: on an idle cluster the caller waited for ever (seed 177 of the simulator's restores).
    @Test("Who asks for a snapshot while one is being installed gets one afterwards")
    func askedWhileInstalling() throws {
        let (cluster, late) = try Self.withLateNode()
        late.holdsInstall = true
        try late.begin(at: cluster.now)
        cluster.run(milliseconds: 2000)
        let token = cluster.command(.takeSnapshot, on: late)
        cluster.run(milliseconds: 500)
        #expect(late.installCount == 0 && late.commands[token] == nil)
        late.releaseInstall(at: cluster.now)
        try cluster.run { late.commands[token] != nil }
        guard case .snapshot? = late.commands[token] else {
            Issue.record("\(String(describing: late.commands[token]))")
            return
        }
    }

    @Test(
        "Triggers: entries, bytes, time and command; not closer together than the spacing",
        arguments: ["entries", "bytes", "time", "command", "none"])
    func triggers(trigger: String) throws {
        var settings = TestCluster.settings
        settings.snapshots.entryCountMax = trigger == "entries" ? 10 : 1_000_000
        settings.snapshots.byteCountMax = trigger == "bytes" ? 2000 : 1 << 40
        settings.snapshots.intervalMilliseconds = trigger == "time" ? 3000 : nil
        let cluster = try TestCluster.ready(1, settings: settings)
        let node = cluster.nodes[0]
        for number in 0..<30 { try cluster.putAndWait("k\(number)", 1, on: node) }
        switch trigger {
        case "entries", "bytes":
            let first = try #require(node.compactedTo, "the first one waits for nothing")
            for number in 0..<30 { try cluster.putAndWait("k\(number)", 1, on: node) }
            cluster.run(milliseconds: 500)
            #expect(node.compactedTo == first, "within the spacing")
            cluster.run(milliseconds: 1000)
            #expect(try #require(node.compactedTo) > first)
        case "time":
            cluster.run(milliseconds: 1500)
            #expect(node.compactedTo == nil)
            cluster.run(milliseconds: 2000)
            #expect(node.compactedTo != nil)
        case "command":
            let token = cluster.command(.takeSnapshot, on: node)
            guard case .snapshot(let id)? = node.commands[token] else {
                Issue.record("\(String(describing: node.commands[token]))")
                return
            }
            #expect(id.index == node.replica?.applied)
        default: #expect(node.compactedTo == nil)
        }
    }

    /// The story: the spacing counted from the start, so that a node that was restarted once a minute kept all its log, up to 1 GiB.
    @Test("A node that is restarted oftener than the spacing takes snapshots all the same, of all that it had")
    func restarted() throws {
        var settings = TestCluster.settings
        settings.snapshots.entryCountMax = 50
        settings.snapshots.spacingMilliseconds = 60_000
        // A replay is applied in many pieces.
        settings.raft.applyByteCountMax = 1_000
        settings.raft.unappliedByteCountMax = 1_000
        let cluster = try TestCluster.ready(1, settings: settings)
        let node = cluster.nodes[0]
        for _ in 0..<4 {
            for number in 0..<30 { try cluster.putAndWait("k\(number)", 1, on: node) }
            cluster.run(milliseconds: 500)
            node.crash(losingUnflushed: true)
            try node.begin(at: cluster.now)
            try cluster.settle()
        }
        #expect(try #require(node.compactedTo) >= LogIndex(50))
        for number in 0..<60 { try cluster.putAndWait("k\(number)", 1, on: node) }
        let before = try #require(node.compactedTo)
        for number in 0..<200 { try cluster.putAndWait("k\(number)", 1, on: node) }
        #expect(node.compactedTo == before, "within the spacing")
        node.crash(losingUnflushed: true)
        let committed = node.log.stored.commit
        #expect(committed - before > 150)
        try node.begin(at: cluster.now)
        try cluster.settle()
        #expect(try #require(node.compactedTo) >= committed, "not of the middle of the replay")
        try cluster.expectSound()
    }

    @Test("The log that passes its urgent size does not wait for the spacing")
    func urgent() throws {
        var settings = TestCluster.settings
        settings.snapshots.spacingMilliseconds = 1_000_000
        settings.snapshots.urgentByteCount = 3000
        let cluster = try TestCluster.ready(1, settings: settings)
        let node = cluster.nodes[0]
        let token = cluster.command(.takeSnapshot, on: node)
        try cluster.run { node.commands[token] != nil }
        let first = try #require(node.compactedTo)
        for number in 0..<40 { try cluster.putAndWait("k\(number)", 1, on: node) }
        cluster.run(milliseconds: 300)
        #expect(try #require(node.compactedTo) > first)
    }

    @Test("Log stays for the slowest follower that is there, up to a number of bytes")
    func keptForFollowers() throws {
        for (byteCount, isKept) in [(UInt64(1) << 30, true), (0, false)] {
            var settings = Self.settings
            settings.snapshots.keptForFollowersByteCountMax = byteCount
            let cluster = try TestCluster.ready(3, settings: settings)
            let slow = try #require(cluster.followers.first)
            let leader = try #require(cluster.leader)
            let behind = try #require(slow.replica?.core.lastIndex)
            slow.holdsLog = true
            for number in 0..<60 { try cluster.putAndWait("k\(number)", 1, on: leader) }
            cluster.run(milliseconds: 500)
            let base = try #require(leader.replica?.core.baseIndex)
            #expect((base <= behind) == isKept)
            slow.releaseLog(at: cluster.now)
            try cluster.settle()
            try cluster.expectSound()
        }
    }

    @Test("A broken transfer goes on with the chunk that is missing, not with the first")
    func resumed() throws {
        var settings = Self.settings
        settings.snapshots.keptForFollowersByteCountMax = 1 << 20
        let (cluster, late) = try Self.withLateNode(settings)
        var asked: [UInt64] = []
        var cuts = false
        cluster.loses = { envelope in
            if case .snapshotRequest(let request) = envelope.message {
                asked.append(request.chunk)
                if request.chunk == 3, asked.filter({ $0 == 3 }).count == 1 { cuts = true }
            }
            return cuts && (envelope.to == late.node || envelope.from.node == late.node)
        }
        try late.begin(at: cluster.now)
        try cluster.run { cuts }
        // Long enough that the sender gives up.
        cluster.run(milliseconds: 1500)
        cuts = false
        try cluster.run { late.installCount == 1 }
        #expect(asked.count { $0 == 0 } == 1)
        #expect(asked.count { $0 == 2 } == 1)
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test(
        "A chunk with a wrong checksum is asked for again; a snapshot that stays wrong is refused with the old state untouched, and another one is made"
    )
    func damaged() throws {
        for count in [1, 3] {
            let (cluster, late) = try Self.withLateNode()
            let leader = try #require(cluster.leader)
            leader.damagesChunks = count
            try late.begin(at: cluster.now)
            try cluster.run { late.installCount == 1 }
            let wasRefused = late.notes.contains { if case .snapshotReceptionFailed(.damaged) = $0 { true } else { false } }
            #expect(wasRefused == (count == 3))
            #expect(leader.checkedSnapshots.count == (count == 3 ? 1 : 0))
            try cluster.settle()
            try cluster.expectSound()
        }
    }

    /// The story: a follower receives from one leader, another one is elected and sends its own, and chunks of both are on their way.
    @Test("Chunks of two leaders never make one snapshot")
    func interleaved() throws {
        let (cluster, late) = try Self.withLateNode()
        let first = try #require(cluster.leader)
        var kept: [PeerEnvelope] = []
        cluster.loses = { envelope in
            guard case .snapshotChunk(let chunk) = envelope.message, chunk.number == 2 else { return false }
            kept.append(envelope)
            return true
        }
        try late.begin(at: cluster.now)
        try cluster.run { !kept.isEmpty }
        let other = try #require(cluster.followers.first { $0 !== late })
        let token = cluster.command(.transferLeadership(to: other.node), on: first)
        try cluster.run { first.commands[token] != nil }
        // The new leader's snapshot is another one, in every chunk.
        for number in 0..<60 { try cluster.putAndWait("k\(number)", UInt64(number) + 100, on: other) }
        _ = cluster.command(.takeSnapshot, on: other)
        cluster.loses = { envelope in
            if case .snapshotChunk(let chunk) = envelope.message, chunk.number == 2 {
                // The old one's chunk comes first, at the place where it would fit.
                let late = kept
                kept = []
                for old in late { cluster.deliver(old) }
            }
            return false
        }
        try cluster.run { late.installCount == 1 }
        let hasFailed = late.notes.contains { if case .snapshotReceptionFailed = $0 { true } else { false } }
        #expect(!hasFailed, "nothing was mixed that the whole snapshot's check had to find")
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A chunk of another snapshot, whole in itself and at the place that is waited for, is not taken")
    func chunkOfAnother() throws {
        let (cluster, late) = try Self.withLateNode()
        var isDone = false
        cluster.loses = { envelope in
            guard case .snapshotChunk(var chunk) = envelope.message, chunk.number == 2, !isDone else { return false }
            isDone = true
            chunk.id.fingerprint ^= 1
            chunk.bytes[0] ^= 1
            var strange = envelope
            strange.message = .snapshotChunk(SnapshotChunk(id: chunk.id, number: 2, bytes: chunk.bytes))
            cluster.deliver(strange)
            return false
        }
        try late.begin(at: cluster.now)
        try cluster.run { late.installCount == 1 }
        #expect(!late.notes.contains { if case .snapshotReceptionFailed = $0 { true } else { false } }, "a snapshot of two")
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A stale snapshot moves nothing back: it is answered as not needed")
    func stale() throws {
        let cluster = try TestCluster.ready(3, settings: Self.settings)
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        let token = cluster.command(.takeSnapshot, on: leader)
        guard case .snapshot(let id)? = leader.commands[token], let core = leader.replica?.core else {
            Issue.record("no snapshot")
            return
        }
        try cluster.putAndWait("newer", 1, on: leader)
        try cluster.settle()
        let before = node.replica?.applied
        let offer = SnapshotOffer(
            term: core.term, mark: SnapshotMark(index: id.index, term: id.term, configuration: core.configuration),
            fingerprint: id.fingerprint, byteCount: 100, chunkByteCount: 10, version: .first)
        cluster.recordsSent = true
        cluster.deliver(
            PeerEnvelope(
                cluster: leader.replica?.cluster, from: leader.identity, to: node.node,
                toIncarnation: node.identity.incarnation,
                message: .snapshotOffer(offer)))
        cluster.deliver()
        let answers = cluster.sent.compactMap { if case .snapshotAnswer(let answer) = $0.message { answer } else { nil } }
        #expect(answers == [SnapshotAnswer(id: id, result: .received)])
        #expect(node.replica?.applied == before)
        #expect(node.installCount == 0)
    }

    @Test("At most two snapshots are sent at once, and all followers get theirs")
    func atMostTwo() throws {
        let cluster = try TestCluster.ready(5, settings: Self.settings)
        let leader = try #require(cluster.leader)
        let late = Array(cluster.followers.prefix(2))
        for node in late { node.crash() }
        for number in 0..<60 { try cluster.putAndWait("k\(number)", UInt64(number), on: leader) }
        let third = try cluster.add(MembershipTests.newcomer(6, settings: Self.settings))
        var most = 0
        var isHeld = true
        var open: Set<NodeID> = []
        cluster.loses = { envelope in
            switch envelope.message {
            case .snapshotOffer: open.insert(envelope.to)
            case .snapshotAnswer: open.remove(envelope.from.node)
            default: break
            }
            most = max(most, open.count)
            // Nobody is done before all three want one.
            if case .snapshotChunk = envelope.message { return isHeld }
            return false
        }
        for node in late { try node.begin(at: cluster.now) }
        _ = cluster.command(.add(NodeID(6), address: []), on: leader)
        cluster.run(milliseconds: 500)
        isHeld = false
        try cluster.run { (late + [third]).allSatisfy { $0.installCount == 1 } }
        #expect(most == 2)
        try cluster.settle()
        try cluster.expectSound()
    }

    /// The story: each snapshot took longer to arrive than the log was kept, so that the follower needed the next one, for ever.
    @Test("The log is not cut while a snapshot is on its way, however long it takes")
    func slowerThanTheLog() throws {
        let (cluster, late) = try Self.withLateNode()
        let leader = try #require(cluster.leader)
        late.holdsInstall = true
        // One chunk for every twenty writes.
        var number = 101
        cluster.loses = { envelope in
            if case .snapshotRequest = envelope.message { return number % 20 != 0 }
            return false
        }
        try late.begin(at: cluster.now)
        try cluster.run(upTo: 2000) { leader.replica?.core.progress(of: late.node)?.state == .snapshot }
        let base = leader.replica?.core.baseIndex
        while late.installCount == 0, number < 1000 {
            try cluster.putAndWait("k\(number)", 1, on: leader)
            number += 1
            if number == 400 { late.releaseInstall(at: cluster.now) }
            if leader.replica?.core.progress(of: late.node)?.state == .snapshot {
                #expect(leader.replica?.core.baseIndex == base)
            }
        }
        cluster.loses = { _ in false }
        try cluster.settle()
        #expect(late.installCount == 1, "one was enough")
        try cluster.expectSound()
    }

    @Test("While a snapshot is being installed reads see the old state or wait, and never less than was confirmed")
    func readsDuringInstall() throws {
        let (cluster, late) = try Self.withLateNode()
        late.holdsInstall = true
        try late.begin(at: cluster.now)
        cluster.run(milliseconds: 500)
        let before = try #require(late.replica?.applied)
        let eventual = cluster.read(.eventual, on: late)
        #expect(late.reads[eventual] == .ready(before))
        let linearizable = cluster.read(.linearizable, on: late)
        let bounded = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 5000), on: late)
        cluster.run(milliseconds: 300)
        #expect(late.reads[linearizable] == nil)
        #expect(late.reads[bounded] == nil, "a fresh index is confirmed, but the state here is the old one")
        late.releaseInstall(at: cluster.now)
        try cluster.run { late.reads[linearizable] != nil && late.reads[bounded] != nil }
        #expect(try late.value("k59") == 59)
    }

    @Test("A write whose entry arrives inside a snapshot gets its outcome from the session table")
    func outcomeFromSnapshot() throws {
        let cluster = try TestCluster.ready(3, settings: Self.settings)
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        cluster.loses = { envelope in
            // The node hears nothing of the log for a while, nor of a snapshot.
            switch envelope.message {
            case .raft(_, .append), .snapshotOffer: return envelope.to == node.node
            default: return false
            }
        }
        let token = try cluster.put("inside", 7, on: node)
        try cluster.run { (try? leader.value("inside")) == 7 }
        for number in 0..<60 { try cluster.putAndWait("k\(number)", 1, on: leader) }
        cluster.run(milliseconds: 300)
        #expect(node.outcomes[token] == nil)
        cluster.loses = { _ in false }
        try cluster.run { node.outcomes[token] != nil }
        #expect(node.installCount == 1)
        guard case .committed(let index, .change(.success(.put(let result))))? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
        #expect(result.etag.low == 7)
        #expect(index < node.replica?.applied ?? .zero)
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A snapshot of rules that this build does not know is refused")
    func unknownVersion() throws {
        let cluster = try TestCluster.ready(3, settings: VersionTests.settings(2))
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == ClusterVersion(2) } }
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        let core = try #require(leader.replica?.core)
        let mark = SnapshotMark(index: core.lastIndex + 10, term: core.term, configuration: core.configuration)
        let offer = SnapshotOffer(
            term: core.term, mark: mark, fingerprint: 1, byteCount: 100, chunkByteCount: 10, version: ClusterVersion(3))
        cluster.recordsSent = true
        cluster.deliver(
            PeerEnvelope(
                cluster: leader.replica?.cluster, from: leader.identity, to: node.node,
                toIncarnation: node.identity.incarnation,
                message: .snapshotOffer(offer)))
        cluster.deliver()
        let answers = cluster.sent.compactMap { if case .snapshotAnswer(let answer) = $0.message { answer } else { nil } }
        #expect(answers == [SnapshotAnswer(id: offer.id, result: .unknownVersion)])
    }
}
