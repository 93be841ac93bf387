/// What recovery knows of a file before it reads more than its first block.
package struct SegmentFacts: Sendable {
    package var name: String
    package var number: UInt64
    package var byteCount: UInt64
    /// Nil if the first block is no valid header of any version.
    package var header: Result<SegmentHeader, SegmentHeader.Fault>

    package init(name: String, number: UInt64, byteCount: UInt64, header: Result<SegmentHeader, SegmentHeader.Fault>) {
        self.name = name
        self.number = number
        self.byteCount = byteCount
        self.header = header
    }
}

/// Which files are the log, which wait to be used, and which are left over: decided from their names, sizes and headers alone.
package struct SegmentSurvey: Sendable {
    /// The segments in use, without a gap, oldest first, as positions in the facts.
    package private(set) var live: [Int] = []
    /// Behind the last one in use: never begun, or begun by a write that may have been torn.
    package private(set) var ahead: [Int] = []
    /// Of those ahead, the ones that seem to be a segment that has its own name too.
    package private(set) var duplicates: [Int] = []
    /// Before a gap: needed by nobody if the log turns out to begin behind it.
    package private(set) var behind: [Int] = []
    /// What is right before the first segment in use; the refusal if the log needs entries from there.
    package private(set) var gap: LogRefusal?

    /// - Parameter facts: sorted by number, each number once.
    /// - Throws: the refusal of a set of files that no crash leaves.
    package init(_ facts: [SegmentFacts], identity: LogIdentity) throws(LogRefusal) {
        var lastLive: Int?
        var reused: Int?
        for (position, fact) in facts.enumerated() {
            switch try Self.use(fact, identity) {
            case .live: lastLive = position
            case .reused: reused = position
            case .none: break
            }
        }
        guard let lastLive else {
            // A file that was reused proves that there was a log.
            if let reused {
                throw LogRefusal(
                    .missingSegment, file: facts[reused].name, offset: 0, "the file was reused, but no segment is in use")
            }
            ahead = Array(facts.indices)
            return
        }
        ahead = Array(facts.indices[(lastLive + 1)...])
        duplicates = ahead.filter { position in
            guard case .success(let header) = facts[position].header else { return false }
            return facts.contains { $0.number == header.number }
        }
        var first = lastLive
        while first > 0, facts[first - 1].number + 1 == facts[first].number,
            try Self.use(facts[first - 1], identity) == .live
        {
            first -= 1
        }
        live = Array(first...lastLive)
        behind = Array(0..<first)
        for position in live {
            guard case .success(let header) = facts[position].header, header.segmentByteCount == facts[position].byteCount
            else {
                throw LogRefusal(
                    .wrongSegmentSize, file: facts[position].name, offset: facts[position].byteCount,
                    "the file has another size than its header says")
            }
        }
        if first > 0, facts[first - 1].number + 1 == facts[first].number {
            gap = LogRefusal(.damagedHeader, file: facts[first - 1].name, offset: 0, "the segment's header is damaged")
        } else {
            gap = LogRefusal(
                .missingSegment, file: LogFormat.segmentName(max(1, facts[first].number - 1)), offset: 0,
                "the segment before \(facts[first].name) is missing")
        }
    }

    private enum Use {
        case live
        /// The header is of an earlier use of the file.
        case reused
        case none
    }

    private static func use(_ fact: SegmentFacts, _ identity: LogIdentity) throws(LogRefusal) -> Use {
        func refusal(_ finding: RecoveryFinding, _ detail: String) -> LogRefusal {
            LogRefusal(finding, file: fact.name, offset: 0, detail)
        }
        let header: SegmentHeader
        switch fact.header {
        case .failure(.invalid):
            return .none
        case .failure(.unknownVersion(let version)):
            throw refusal(.unknownVersion, "its format version is \(version), this program knows \(LogFormat.version)")
        case .success(let valid):
            header = valid
        }
        guard header.identity.clusterID == identity.clusterID else { throw refusal(.wrongCluster, "it is another cluster's") }
        guard header.identity.groupID == identity.groupID else {
            throw refusal(.wrongGroup, "it is group \(header.identity.groupID)'s, not \(identity.groupID)'s")
        }
        guard header.identity.nodeID == identity.nodeID else {
            throw refusal(.wrongNode, "it is node \(header.identity.nodeID)'s, not \(identity.nodeID)'s")
        }
        if header.number == fact.number { return .live }
        guard header.number < fact.number else {
            throw refusal(.misnamedSegment, "its header has the later number \(header.number)")
        }
        return .reused
    }
}
