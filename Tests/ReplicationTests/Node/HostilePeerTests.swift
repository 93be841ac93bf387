import Foundation
import LogTestKit
import Logging
import Metadata
import NIOCore
import NIOPosix
import ObjectDataStore
import PeerTransport
import Raft
import RaftStorage
import Replication
import Synchronization
import Testing

/// A node over a real directory and real sockets, and somebody who is let in as a peer and speaks nonsense.
@Suite("A peer that speaks nonsense is disconnected and logged once, and the node serves on", .timeLimit(.minutes(2)))
struct HostilePeerTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "hostile-\(UUID().uuidString)").path
    private let log = RecordedLog(level: .warning)
    private static let owner = Owner(canonicalID: "owner", displayName: "Owner")

    /// - Parameter nodes: those that are configured; the first is this one.
    private func use(_ nodes: [UInt64], _ body: (ReplicatedMetadataEngine, Int) async throws -> Void) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let log = log
        var node = RaftNodeConfiguration(
            nodeID: NodeID(1), nodes: nodes.map { RaftNodeConfiguration.Node(id: NodeID($0), address: "127.0.0.1:1") },
            listenHost: "127.0.0.1", listenPort: 0, dataDirectory: directory, logDirectory: "\(directory)/log",
            statePaths: StateStorage.Paths(keyValue: "\(directory)/kv", snapshots: "\(directory)/snapshots"),
            logger: Logger(label: "test") { _ in log })
        node.log.segmentByteCount = 1 << 20
        node.replica.raft.electionTicks = 10
        var configuration = ReplicatedMetadataEngineConfiguration(node: node, objectDataPath: "\(directory)/mx")
        configuration.reservedByteCount = 0
        configuration.bodyExchange.receptionCountMax = 100
        let engine = try ReplicatedMetadataEngine(configuration)
        do {
            let address = try await engine.start()
            try await body(engine, address.port ?? 0)
        } catch {
            await engine.close()
            throw error
        }
        await engine.close()
    }

    private func write(_ name: String, _ engine: ReplicatedMetadataEngine) async throws {
        // The first election takes a moment.
        while true {
            do throws(MetadataError) {
                return try await engine.createBucket(CreateBucket(name: name, owner: Self.owner, location: ""))
            } catch {
                guard error.code == .timeout else { throw error }
            }
        }
    }

    struct Nonsense: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var lane = PeerLane.control
        var body: [UInt8]
    }

    private static func envelope(from node: UInt64 = 2, _ message: PeerMessage) -> [UInt8] {
        PeerEnvelope(
            cluster: nil, from: NodeIdentity(NodeID(node), Incarnation(node * 10)), to: NodeID(1), toIncarnation: nil,
            message: message
        ).encoded()
    }

    static let nonsense = [
        Nonsense(testDescription: "garbage", body: [9, 9, 9]),
        Nonsense(testDescription: "a message cut short", body: envelope(.raft(Term(3), .timeoutNow)).dropLast()),
        Nonsense(testDescription: "a message with more behind it", body: envelope(.raft(Term(3), .timeoutNow)) + [0]),
        Nonsense(testDescription: "a message in another's name", body: envelope(from: 3, .raft(Term(3), .timeoutNow))),
        Nonsense(
            testDescription: "a leader without a term", body: envelope(.raft(Term(0), .heartbeat(Heartbeat(commit: .zero))))),
        Nonsense(
            testDescription: "entries of a later term than their sender's", lane: .log,
            body: envelope(
                .raft(
                    Term(1),
                    .append(
                        AppendRequest(
                            previousIndex: LogIndex(1), previousTerm: Term(1), commit: LogIndex(1),
                            entries: [Entry(index: LogIndex(2), term: Term(9), payload: [])]))))),
        Nonsense(testDescription: "garbage among chunks", lane: .snapshot, body: [9, 9, 9]),
        Nonsense(testDescription: "garbage among bodies", lane: .body, body: [9, 9, 9]),
        Nonsense(testDescription: "no chunk among chunks", lane: .snapshot, body: envelope(.raft(Term(3), .timeoutNow))),
    ]

    @Test("What no peer says", arguments: nonsense)
    func disconnected(each: Nonsense) async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use([1]) { engine, _ in try await write("before", engine) }
        // Who is configured may speak, before it is a member.
        try await use([1, 2]) { engine, port in
            try await write("first", engine)
            let control = try await HostilePeer(port: port, lane: .control)
            for number in 0..<3 {
                let peer = each.lane == .control && number == 0 ? control : try await HostilePeer(port: port, lane: each.lane)
                try await peer.send(each.body)
                while !peer.isClosed { try await Task.sleep(for: .milliseconds(2)) }
            }
            let count = log.count("a connection sent what no peer sends") + log.count("A peer breaks the protocol")
            #expect(count == 1, "\(log.lines)")
            try await write("second", engine)
        }
    }

    @Test("Chunks that nobody asked for, whole or not, change nothing, however many they are")
    func chunks() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use([1]) { engine, _ in try await write("before", engine) }
        try await use([1, 2]) { engine, port in
            try await write("first", engine)
            let control = try await HostilePeer(port: port, lane: .control)
            let peer = try await HostilePeer(port: port, lane: .snapshot)
            let id = SnapshotID(index: LogIndex(100), term: Term(1), fingerprint: 7)
            for number in 0..<50 as Range<UInt64> {
                var chunk = SnapshotChunk(id: id, number: number, bytes: [UInt8](repeating: 1, count: 1 << 20))
                if number % 2 == 0 { chunk.bytes[5] = 0 }
                try await peer.send(Self.envelope(.snapshotChunk(chunk)))
            }
            try await write("second", engine)
            #expect(!control.isClosed && !peer.isClosed)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory)/snapshots/incoming") == [])
        }
    }
}

extension HostilePeerTests {
    private static func bytes(_ message: BodyMessage) -> [UInt8] {
        let (head, rest) = message.encoded()
        return Array(head.readableBytesView) + (rest.map { Array($0.readableBytesView) } ?? [])
    }

    /// Half-written and whole files of bodies.
    private func bodyFiles() throws -> [String] {
        let root = "\(directory)/mx"
        return try FileManager.default.subpathsOfDirectory(atPath: root).filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(root)/\($0)", isDirectory: &isDirectory)
                && !isDirectory.boolValue && $0 != "START"
        }
    }

    @Test("Bodies with gaps, with wrong checksums, of a sender that is gone, and too many at once leave nothing behind")
    func bodies() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use([1]) { engine, _ in try await write("before", engine) }
        try await use([1, 2]) { engine, port in
            try await write("first", engine)
            let control = try await HostilePeer(port: port, lane: .control)
            let peer = try await HostilePeer(port: port, lane: .body)
            let content = ByteBuffer(repeating: 7, count: 300_000)
            let id = { (number: UInt64) in BodyID(origin: 2 << 48, sequence: number) }
            for stream: UInt64 in 1...1_100 {
                try await peer.send(Self.bytes(.open(stream, id(stream))))
                try await peer.send(Self.bytes(.data(stream, offset: 0, content)))
                switch stream % 4 {
                case 0: try await peer.send(Self.bytes(.data(stream, offset: 7, content)))
                case 1: try await peer.send(Self.bytes(.finish(stream, length: 300_000, tableChecksum: 1)))
                case 2: try await peer.send(Self.bytes(.finish(stream, length: 3, tableChecksum: 1)))
                // Nothing more comes of it.
                default: break
                }
            }
            // Answers that nobody waits for, and requests for what is not there.
            try await peer.send(Self.bytes(.accepted(5, byteCount: 1 << 40)))
            try await peer.send(Self.bytes(.durable(5)))
            try await peer.send(Self.bytes(.failed(6, .noSpace)))
            try await peer.send(Self.bytes(.discard([id(1), id(9_999)])))
            try await peer.send(Self.bytes(.read(request: 1, id(9_999), offset: 0, byteCount: 1 << 20)))
            try await write("second", engine)
            #expect(!peer.isClosed)
            control.close()
            while try !bodyFiles().isEmpty { try await Task.sleep(for: .milliseconds(10)) }
            try await write("third", engine)
        }
    }
}

/// Greets as node 2, and sends bodies in whole frames.
private final class HostilePeer: Sendable {
    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let receivedByteCount = Atomic(0)
        let isClosed = Atomic(false)

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            receivedByteCount.add(unwrapInboundIn(data).readableBytes, ordering: .relaxed)
        }
        func channelInactive(context: ChannelHandlerContext) { isClosed.store(true, ordering: .relaxed) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let handler = Handler()

    /// Returns when it is welcome.
    init(port: Int, lane: PeerLane) async throws {
        let handler = handler
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(handler) }
            .connect(host: "127.0.0.1", port: port).get()
        var greeting = PeerOpening.encoded(lane)
        greeting.writeImmutableBuffer(
            PeerHandshake(
                .hello(lane), versions: 1...1, sender: PeerIdentity(cluster: nil, node: 2, incarnation: 20), receiverNode: 1,
                receiverIncarnation: nil
            ).encoded())
        try await channel.writeAndFlush(greeting).get()
        while handler.receivedByteCount.load(ordering: .relaxed) < PeerHandshake.byteCount {
            try #require(!isClosed, "it was refused")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    var isClosed: Bool { handler.isClosed.load(ordering: .relaxed) }

    func close() { channel.close(promise: nil) }

    func send(_ body: [UInt8]) async throws {
        var frame = ByteBuffer()
        PeerFrame.writeHeader(of: ByteBuffer(bytes: body), nil, into: &frame)
        frame.writeBytes(body)
        try await channel.writeAndFlush(frame).get()
    }
}
