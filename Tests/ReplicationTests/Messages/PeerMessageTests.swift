import Raft
import Replication
import Testing

@Suite("The bytes of messages between peers")
struct PeerMessageTests {
    static let configuration: Configuration = {
        var configuration = Configuration(voters: [NodeID(1), NodeID(2)], learners: [NodeID(4)])
        configuration.outgoingVoters = [NodeID(1), NodeID(3)]
        configuration.learnersNext = [NodeID(3)]
        configuration.autoLeave = true
        return configuration
    }()

    static let id = SnapshotID(index: LogIndex(9), term: Term(2), fingerprint: 0xfeed)
    static let genesis = Genesis(
        cluster: ClusterID(5), index: LogIndex(1), configuration: Configuration(voters: [NodeID(1), NodeID(2)]),
        members: [
            Member(NodeIdentity(NodeID(1), Incarnation(11)), address: Array("one:7000".utf8)),
            Member(NodeIdentity(NodeID(2), Incarnation(12))),
        ])

    static let bodies: [Message.Body] = [
        .append(
            AppendRequest(
                previousIndex: LogIndex(7), previousTerm: Term(2), commit: LogIndex(6),
                entries: [
                    Entry(index: LogIndex(8), term: Term(2), payload: [1, 2, 3]),
                    Entry(index: LogIndex(9), term: Term(3), type: .configurationChange, payload: []),
                ])),
        .append(AppendRequest(previousIndex: .zero, previousTerm: .zero, commit: .zero, entries: [])),
        .appendResponse(AppendResponse(index: LogIndex(9))),
        .appendResponse(
            AppendResponse(
                index: LogIndex(9), rejection: AppendResponse.Rejection(hintIndex: LogIndex(4), hintTerm: Term(1)))),
        .heartbeat(Heartbeat(commit: LogIndex(3), readPosition: 1 << 50)),
        .heartbeatResponse(HeartbeatResponse(readPosition: .max)),
        .vote(VoteRequest(lastIndex: LogIndex(3), lastTerm: Term(1), priority: -2, isPreVote: true, isTransfer: true)),
        .voteResponse(VoteResponse(isPreVote: true, isGranted: false)),
        .voteResponse(VoteResponse(isPreVote: false, isGranted: true)),
        .timeoutNow, .readIndex(position: 7), .readIndexResponse(position: 7, index: LogIndex(3)),
        .removed(since: LogIndex(4)),
    ]

    static let messages: [PeerMessage] =
        bodies.map { .raft(Term(3), $0) } + [
            .forward(
                Forward(
                    term: Term(3), start: 4, sequence: 5,
                    commands: [
                        ForwardedCommand(level: .all, payload: [1]), ForwardedCommand(level: .eventual, payload: []),
                    ])),
            .forwardAnswer(ForwardAnswer(term: Term(3), start: 4, sequence: 5, result: .appended(first: LogIndex(8)))),
            .progress(LeaderProgress(term: Term(3), durable: LogIndex(8), everywhere: LogIndex(7))),
            .awaitProgress(AwaitProgress(term: Term(3), everywhere: LogIndex(8))),
            .snapshotOffer(
                SnapshotOffer(
                    term: Term(3), mark: SnapshotMark(index: LogIndex(9), term: Term(2), configuration: configuration),
                    fingerprint: 1, byteCount: 1000, chunkByteCount: 300, version: ClusterVersion(2))),
            .snapshotRequest(SnapshotRequest(id: id, chunk: 3)),
            .snapshotChunk(SnapshotChunk(id: id, number: 3, checksum: 77, bytes: [9, 8, 7])),
            .formation(
                FormationReport(
                    configurationFingerprint: 4,
                    standing: .empty(seen: [
                        Founder(NodeIdentity(NodeID(1), Incarnation(11)), start: 1),
                        Founder(NodeIdentity(NodeID(2), Incarnation(12)), start: 3),
                    ]))),
            .formation(FormationReport(configurationFingerprint: 4, standing: .member(genesis))),
            .status(NodeStatus(version: ClusterVersion(2), applied: LogIndex(8), isEmpty: true)),
        ]
        + ForwardAnswer.Refusal.allCases.map {
            .forwardAnswer(ForwardAnswer(term: Term(3), start: 4, sequence: 5, result: .refused($0)))
        } + SnapshotAnswer.Result.allCases.map { .snapshotAnswer(SnapshotAnswer(id: id, result: $0)) }
        + MessageRefusal.allCases.map { .refusal($0) }
        + CommandMessageCases.messages

    static func envelope(_ message: PeerMessage) -> PeerEnvelope {
        PeerEnvelope(
            cluster: ClusterID(5), from: NodeIdentity(NodeID(1), Incarnation(11)), to: NodeID(2),
            toIncarnation: Incarnation(12), message: message)
    }

    @Test("Every message decodes to what was encoded, and every kind is among these")
    func roundTrip() throws {
        var kinds: Set<UInt8> = []
        for message in Self.messages {
            let bytes = Self.envelope(message).encoded()
            #expect(try PeerEnvelope(decoding: bytes) == Self.envelope(message))
            kinds.insert(bytes[PeerEnvelope.headerByteCount])
        }
        #expect(kinds == Set(PeerMessage.Kind.allCases.map(\.rawValue)))
    }

    @Test("What is not known of the addressing is left out")
    func optionals() throws {
        var envelope = Self.envelope(.refusal(.removed))
        envelope.cluster = nil
        #expect(try PeerEnvelope(decoding: envelope.encoded()) == envelope)
        envelope.toIncarnation = nil
        #expect(try PeerEnvelope(decoding: envelope.encoded()) == envelope)
        var bytes = envelope.encoded()
        bytes[2] = 1
        #expect(throws: DecodingFault.invalid(field: "cluster")) { try PeerEnvelope(decoding: bytes) }
    }

    @Test("Every cut is refused, and so is a byte too many")
    func cut() {
        for message in Self.messages {
            let bytes = Self.envelope(message).encoded()
            for count in 0..<bytes.count {
                #expect(throws: DecodingFault.self) { try PeerEnvelope(decoding: Array(bytes.prefix(count))) }
            }
            #expect(throws: DecodingFault.trailing(byteCount: 1)) { try PeerEnvelope(decoding: bytes + [0]) }
        }
    }

    @Test("No bytes make it trap, and what decodes of changed bytes encodes to the same", arguments: 1...20)
    func random(seed: UInt64) {
        var random = TestRandom(seed: seed)
        for message in Self.messages {
            let whole = Self.envelope(message).encoded()
            for _ in 0..<200 {
                var bytes = whole
                for _ in 0...random.below(3) {
                    switch random.below(3) {
                    case 0: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                    case 1: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
                    default:
                        // Counts and lengths of all sizes.
                        let place = random.below(bytes.count)
                        for offset in 0..<4 where place + offset < bytes.count { bytes[place + offset] = 0xff }
                    }
                }
                do throws(DecodingFault) {
                    let decoded = try PeerEnvelope(decoding: bytes)
                    #expect(decoded.encoded() == bytes)
                } catch { continue }
            }
        }
        for _ in 0..<1000 {
            let bytes = (0..<random.below(100)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = try? PeerEnvelope(decoding: bytes)
        }
    }

    @Test("Decoded messages of any bytes do no harm to a replica", arguments: 1...10)
    func harmless(seed: UInt64) throws {
        let cluster = try TestCluster.ready(3)
        var random = TestRandom(seed: seed)
        for message in Self.messages {
            // A leader's entries are believed.
            if case .raft(_, .append(let request)) = message, !request.entries.isEmpty { continue }
            for node in cluster.nodes {
                for sender in cluster.nodes where sender !== node {
                    var bytes = PeerEnvelope(
                        cluster: node.replica?.cluster, from: sender.identity, to: node.node,
                        toIncarnation: node.identity.incarnation, message: message
                    ).encoded()
                    let body = PeerEnvelope.headerByteCount
                    if bytes.count > body + 1 {
                        bytes[body + 1 + random.below(bytes.count - body - 1)] = UInt8(random.below(8))
                    }
                    guard let decoded = try? PeerEnvelope(decoding: bytes) else { continue }
                    // What a broken node says may cost a leader its office, but never a node its life.
                    node.handle(.received(decoded), at: cluster.now)
                    _ = node.takeOutbox()
                }
            }
        }
        #expect(cluster.nodes.map(\.stopReason) == [nil, nil, nil])
    }
}
