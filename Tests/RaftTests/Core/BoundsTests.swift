import Raft
import Testing

/// Nothing that waits in the core grows without a limit, however small its parts are.
@Suite("Bounds of the core")
struct BoundsTests {
    // MARK: Reads

    @Test("A leader has so many rounds of reads under way; the reads after them share the next one")
    func readRounds() throws {
        var lab = try Lab(voters: 3) { $0.readRoundCountMax = 3 }
        try lab.elect(1)
        try lab.settle()
        let positions = try (0..<50).map { _ in try lab.act(1) { try $0.readIndex() } }
        #expect(lab[1].openReadRounds == 3 && Set(positions).count == 4)
        #expect(lab.reads(1).isEmpty)
        // All that was sent for them is lost; the next heartbeat confirms every round, and lets the last one begin.
        lab.messages = []
        lab.act(1) { $0.tick() }
        try lab.settle()
        #expect(lab.reads(1).last?.position == positions.last && lab[1].openReadRounds == 0)
    }

    @Test("Who is no member asks a leader for nothing")
    func readsOfStrangers() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        try lab.settle()
        for stranger in 10..<60 as Range<UInt64> {
            try lab.act(1) {
                try $0.step(
                    Message(from: NodeID(stranger), to: NodeID(1), term: $0.term, .readIndex(position: stranger)))
            }
        }
        #expect(lab[1].openReadRounds == 0 && lab.messages.isEmpty)
    }

    // MARK: Entries

    @Test("Entries count although they are empty: uncommitted ones, and those of a message")
    func emptyProposals() throws {
        var lab = try Lab(voters: 3) {
            $0.uncommittedByteCountMax = 640
            $0.messageByteCountMax = 128
        }
        try lab.elect(1)
        var accepted = 0
        for _ in 0..<50 where (try? lab.act(1) { try $0.propose([UInt8]()) }) != nil { accepted += 1 }
        #expect(accepted == 10)
        try lab.settle()
        #expect(lab[1].uncommittedBytes == 0 && lab[2].lastIndex == lab[1].lastIndex)

        _ = try lab.act(1) { try $0.propose([[UInt8]](repeating: [], count: 10)) }
        let counts = lab.messages.compactMap { message -> Int? in
            if case .append(let request) = message.body { request.entries.count } else { nil }
        }
        #expect(counts.allSatisfy { $0 == 2 })
    }

    /// The only voter; its log is durable and committed at once, and nothing is applied before the test says so.
    private struct Alone {
        var core: RaftCore
        var entries: [Entry] = []
        var handedOut: [Entry] = []
        var fetches: [LogFetch] = []

        init(_ configure: (inout RaftSettings) -> Void) throws {
            var settings = RaftSettings()
            settings.usesPreVote = false
            configure(&settings)
            let configuration = Configuration(voters: [NodeID(1)])
            core = try RaftCore(
                id: NodeID(1), settings: settings, stored: Lab.stored(configuration),
                snapshot: SnapshotMark(index: Lab.start, term: Term(1), configuration: configuration), start: 1, seed: 1)
            core.campaign()
            drain()
        }

        mutating func drain() {
            while let ready = core.takeReady() {
                handedOut += ready.apply
                fetches += ready.fetches
                guard let append = ready.append else { continue }
                entries += append.entries
                core.written(upTo: append.token)
            }
        }

        func answer(_ fetch: LogFetch) -> [Entry] {
            entries.filter { $0.index >= fetch.first && $0.index <= fetch.last }
        }
    }

    @Test("What an applier lags behind does not stay in memory: it is read from the log, no more than may wait for it")
    func laggingApplier() throws {
        var alone = try Alone {
            $0.cacheByteCountMax = 640
            $0.unappliedByteCountMax = 320
            $0.applyByteCountMax = 128
        }
        for _ in 0..<100 {
            _ = try alone.core.propose([UInt8]())
            alone.drain()
        }
        #expect(alone.core.commit == alone.core.lastIndex && alone.core.cachedBytes <= 640)
        #expect(alone.handedOut.count == 5)
        while alone.core.applied < alone.core.commit {
            let last = try #require(alone.handedOut.last)
            alone.core.applied(to: last.index)
            alone.drain()
            while let fetch = alone.fetches.popLast() {
                // The whole rest at once, which is more than was asked for.
                alone.core.fetched(fetch, alone.answer(fetch))
                alone.drain()
            }
            let waiting = alone.handedOut.filter { $0.index > last.index }
            #expect(waiting.count <= 5)
        }
        #expect(alone.handedOut == alone.entries)
    }

    // MARK: Answers

    @Test("A disk that stands still keeps one answer, however often the leader asks")
    func stalledAnswers() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        try lab.settle()
        _ = try lab.act(1) { try $0.propose([1]) }
        let asked = lab.messages.filter { $0.to == NodeID(2) }
        for _ in 0..<100 {
            for message in asked { try lab.act(2) { try $0.step(message) } }
        }
        lab.messages = []
        lab.write(2)
        #expect(lab.messages.count == 1)
    }
}
