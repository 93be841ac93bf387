import LogTestKit
import Logging
import NIOCore
import NIOEmbedded
import PeerTransport
import Testing

/// The handlers of an accepted connection, without sockets or time: every byte is where a test puts it.
@Suite("An accepted connection, read by read")
struct EmbeddedTests {
    private final class Owner: PeerTransportDelegate {
        var bodies: [String] = []
        var completionCount = 0

        func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool {
            bodies.append(String(buffer: body))
            return true
        }
        func readCompleted() { completionCount += 1 }
        func connected(_ peer: PeerIdentity, version: UInt16) {}
        func connectionLost(_ node: UInt64) {}
        func unreachable(_ node: UInt64) {}
        func refused(_ peer: PeerIdentity, reason: PeerRefusal) {}
        func refused(by peer: PeerIdentity, reason: PeerRefusal) {}
    }

    private struct Bench {
        let loop = EmbeddedEventLoop()
        let owner = Owner()
        let log = RecordedLog()
        let transport: PeerTransport

        init() {
            let log = log
            var settings = PeerTransportSettings()
            settings.handshakeCountMax = 3
            settings.versions = 2...3
            transport = PeerTransport(
                identity: PeerIdentity(cluster: 7, node: 1, incarnation: 10), eventLoop: loop, settings: settings,
                logger: Logger(label: "test", factory: { _ in log }))
            transport.begin(owner) { _ in nil }
        }

        func accept(from address: String = "192.0.2.7") throws -> EmbeddedChannel {
            let channel = EmbeddedChannel(loop: loop)
            let remote = try SocketAddress(ipAddress: address, port: 4000)
            channel.remoteAddress = remote
            try transport.accept(channel)
            channel.connect(to: remote, promise: nil)
            return channel
        }

        /// - Returns: whether the connection goes on.
        @discardableResult
        func read(_ bytes: ByteBuffer, on channel: EmbeddedChannel) throws -> Bool {
            try channel.writeInbound(bytes)
            loop.run()
            return channel.isActive
        }

        func answer(on channel: EmbeddedChannel) throws -> PeerHandshake.Kind? {
            guard var bytes = try channel.readOutbound(as: ByteBuffer.self) else { return nil }
            var reader = PeerHandshakeReader()
            return try reader.next(from: &bytes)?.kind
        }
    }

    private static func hello(
        cluster: UInt64? = 7, versions: ClosedRange<UInt16> = 1...2, lane: PeerLane = .log, receiver: UInt64 = 1,
        incarnation: UInt64? = 10
    ) -> ByteBuffer {
        PeerHandshake(
            .hello(lane), versions: versions, sender: PeerIdentity(cluster: cluster, node: 2, incarnation: 20),
            receiverNode: receiver, receiverIncarnation: incarnation
        ).encoded()
    }

    private static func joined(_ parts: ByteBuffer...) -> ByteBuffer {
        parts.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
    }

    private static func frame(_ text: String) -> ByteBuffer { FrameTests.frame(ByteBuffer(string: text)) }

    private static let greeting = joined(PeerOpening.encoded(.log), hello())

    @Test("Opening, hello and frames may come in any pieces", arguments: [1, 2, 3, 4, 5, 13, 64, 65, 66, 1000])
    func pieces(byteCount: Int) throws {
        let bench = Bench()
        let channel = try bench.accept()
        var input = Self.joined(Self.greeting, Self.frame("first"), Self.frame("second"), Self.frame("third"))
        while input.readableBytes > 0 {
            let piece = input.readSlice(length: min(byteCount, input.readableBytes))
            #expect(try bench.read(try #require(piece), on: channel))
        }
        #expect(try bench.answer(on: channel) == .welcome(.log))
        #expect(bench.owner.bodies == ["first", "second", "third"])
        #expect(bench.owner.completionCount > 0 && bench.log.lines.isEmpty)
    }

    @Test("Frames of one read are received before the owner is told to act")
    func together() throws {
        let bench = Bench()
        let channel = try bench.accept()
        try bench.read(Self.joined(Self.greeting, Self.frame("first"), Self.frame("second")), on: channel)
        #expect(bench.owner.bodies == ["first", "second"] && bench.owner.completionCount == 1)
        var (begin, end) = (Self.frame("third"), Self.frame("third"))
        begin.moveWriterIndex(to: begin.writerIndex - 1)
        end.moveReaderIndex(to: end.writerIndex - 1)
        try bench.read(begin, on: channel)
        #expect(bench.owner.completionCount == 1)
        try bench.read(end, on: channel)
        #expect(bench.owner.bodies == ["first", "second", "third"] && bench.owner.completionCount == 2)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: ByteBuffer
        var answer: PeerHandshake.Kind?
        var bodyCount = 0
    }

    private static let frameOfFourGiB = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
    private static let wrongChecksum = ByteBuffer(bytes: [4, 0, 0, 0, 1, 2, 3, 4] + Array("body".utf8))

    static let cases = [
        Case(testDescription: "garbage", bytes: ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), answer: nil),
        Case(testDescription: "an unknown lane", bytes: ByteBuffer(string: "rfs\u{9}"), answer: nil),
        Case(
            testDescription: "a hello of another lane", bytes: joined(PeerOpening.encoded(.control), hello()),
            answer: .refusal(.malformed)),
        Case(
            testDescription: "another cluster", bytes: joined(PeerOpening.encoded(.log), hello(cluster: 8)),
            answer: .refusal(.wrongCluster)),
        Case(
            testDescription: "only unknown versions", bytes: joined(PeerOpening.encoded(.log), hello(versions: 4...9)),
            answer: .refusal(.noCommonVersion)),
        Case(
            testDescription: "another node", bytes: joined(PeerOpening.encoded(.log), hello(receiver: 5)),
            answer: .refusal(.notThisNode)),
        Case(
            testDescription: "another disk", bytes: joined(PeerOpening.encoded(.log), hello(incarnation: 11)),
            answer: .refusal(.notThisIncarnation)),
        Case(
            testDescription: "a frame with a wrong checksum",
            bytes: joined(greeting, frame("good"), wrongChecksum, frame("late")),
            answer: .welcome(.log), bodyCount: 1),
        Case(
            testDescription: "a frame of 4 GiB", bytes: joined(greeting, frame("good"), frameOfFourGiB), answer: .welcome(.log),
            bodyCount: 1),
        Case(
            testDescription: "an empty frame", bytes: joined(greeting, ByteBuffer(repeating: 0, count: 8)),
            answer: .welcome(.log)),
    ]

    @Test("What cannot be ends the connection, in one read or byte by byte, and is logged once", arguments: cases)
    func ends(each: Case) throws {
        let bench = Bench()
        for isSlow in [false, true] {
            bench.owner.bodies = []
            let channel = try bench.accept()
            var (input, isOpen) = (each.bytes, true)
            while isOpen, let piece = input.readSlice(length: isSlow ? min(1, input.readableBytes) : input.readableBytes),
                piece.readableBytes > 0
            {
                isOpen = try bench.read(piece, on: channel)
            }
            #expect(!isOpen)
            #expect(try bench.answer(on: channel) == each.answer)
            #expect(bench.owner.bodies.count == each.bodyCount)
        }
        #expect(bench.log.lines.count == 1, "\(bench.log.lines)")
        // The node serves on.
        let good = try bench.accept()
        #expect(try bench.read(Self.joined(Self.greeting, Self.frame("good")), on: good))
        #expect(bench.owner.bodies.last == "good")
    }

    @Test("A handshake that does not end in its time ends the connection, wherever it stopped", arguments: [0, 3, 4, 20, 64])
    func slow(byteCount: Int) throws {
        let bench = Bench()
        let channel = try bench.accept()
        #expect(try bench.read(try #require(Self.greeting.getSlice(at: 0, length: byteCount)), on: channel))
        let time = bench.transport.settings.handshakeMilliseconds
        bench.loop.advanceTime(by: .milliseconds(time - 1))
        #expect(channel.isActive)
        bench.loop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
        #expect(bench.transport.statistics.handshakeTimeouts == 1 && bench.transport.statistics.connectionsOpen == 0)
    }

    @Test("A flood of one address evicts itself, and neither another's handshake nor an open connection")
    func eviction() throws {
        let bench = Bench()
        let open = try bench.accept()
        try bench.read(Self.greeting, on: open)
        let peer = try bench.accept(from: "192.0.2.9")
        var flood: [EmbeddedChannel] = []
        for _ in 0..<20 {
            flood.append(try bench.accept(from: "198.51.100.1"))
            bench.loop.run()
        }
        #expect(flood.map(\.isActive) == [Bool](repeating: false, count: 18) + [true, true])
        #expect(open.isActive && peer.isActive)
        #expect(bench.transport.statistics.handshakesEvicted == 18 && bench.log.lines.count == 1)
    }
}
