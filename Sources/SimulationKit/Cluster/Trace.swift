import NIOCore
import Raft
import Replication

/// What has happened: a digest of all of it, by which two runs are compared, and the newest events of each node.
struct Trace {
    /// How many events of each node are kept.
    static let ringCount = 24

    struct Line {
        var time: UInt64
        var number: Int
        var what: What
    }

    enum What {
        case tick
        case received(PeerEnvelope)
        case receivedBody(BodyDelivery)
        case work(NodeWork)
        case started(String)
        case stopped(String)
        case standing(Standing)
        case fault(String)
    }

    private(set) var digest: UInt64 = 0x7472_6163_6531
    private(set) var eventCount = 0
    private var rings: [[Line]] = []
    private var places: [Int] = []

    /// - Parameter node: 0 for what concerns no node.
    mutating func note(_ what: What, node: Int, at time: UInt64) {
        while rings.count <= node {
            rings.append([])
            places.append(0)
        }
        let line = Line(time: time, number: eventCount, what: what)
        if rings[node].count < Self.ringCount {
            rings[node].append(line)
        } else {
            rings[node][places[node]] = line
            places[node] = (places[node] + 1) % Self.ringCount
        }
    }

    mutating func beginEvent(_ kind: UInt64, node: Int, at time: UInt64) {
        eventCount += 1
        mix(time ^ kind << 56 ^ UInt64(node) << 48)
    }

    mutating func mix(_ value: UInt64) {
        digest = (digest ^ value) &* 0x9e37_79b9_7f4a_7c15
        digest ^= digest >> 29
    }

    /// The newest events of a node, oldest first.
    func lines(of node: Int) -> [String] {
        guard node < rings.count else { return [] }
        let ring = rings[node]
        let ordered = ring.count < Self.ringCount ? ring : Array(ring[places[node]...] + ring[..<places[node]])
        return ordered.map { "\(Self.time($0.time)) #\($0.number) \(Self.text($0.what))" }
    }

    static func time(_ microseconds: UInt64) -> String {
        let thousandths = String(microseconds / 1000 % 1000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 3 - thousandths.count) + thousandths + " s"
    }

    private static func text(_ what: What) -> String {
        switch what {
        case .tick: "tick"
        case .received(let envelope): "from \(envelope.from.node): \(text(envelope.message))"
        case .receivedBody(let delivery): "from \(delivery.from): \(text(delivery.message))"
        case .work(let work): text(work)
        case .started(let detail): "starts: \(detail)"
        case .stopped(let reason): "stops: \(reason)"
        case .standing(let standing):
            "is \(standing.role) in term \(standing.term), leader \(standing.leader.map { "\($0)" } ?? "unknown")"
        case .fault(let detail): "fault: \(detail)"
        }
    }

    private static func text(_ work: NodeWork) -> String {
        switch work {
        case .writeLog: "writes its log"
        case .synchronizeLog: "synchronizes its log"
        case .retryLog: "tries to write its log again"
        case .apply: "applies"
        case .fetch(let fetch): "reads entries \(fetch.first)…\(fetch.last) of its log"
        case .replaceState: "replaces its state"
        case .takeSnapshot: "takes a snapshot"
        case .sendChunk(let id, let number, let node): "sends chunk \(number) of the snapshot at \(id.index) to \(node)"
        case .replica(let event): text(event)
        case .body(let work): "bodies: \(work)"
        case .restore(let work): "restores: \(work)"
        }
    }

    private static func text(_ message: BodyMessage) -> String {
        switch message {
        case .data(let stream, let offset, let bytes): "\(bytes.readableBytes) bytes at \(offset) of body stream \(stream)"
        case .bytes(let answer): "\(answer.bytes.readableBytes) bytes at \(answer.offset) of a body, to read \(answer.request)"
        default: "\(message)"
        }
    }

    private static func text(_ event: ReplicaEvent) -> String {
        let whole = "\(event)"
        return whole.count > 160 ? whole.prefix(160) + "…" : whole
    }

    private static func text(_ message: PeerMessage) -> String {
        guard case .raft(let term, let body) = message else {
            let whole = "\(message)"
            return whole.count > 200 ? whole.prefix(200) + "…" : whole
        }
        let detail =
            switch body {
            case .append(let request):
                "append behind \(request.previousIndex) of term \(request.previousTerm), \(request.entries.count) entries, commit "
                    + "\(request.commit)"
            case .appendResponse(let response):
                response.rejection.map { "append at \(response.index) rejected, hint \($0.hintIndex) of term \($0.hintTerm)" }
                    ?? "acknowledges \(response.index)"
            case .heartbeat(let heartbeat): "heartbeat, commit \(heartbeat.commit), reads \(heartbeat.readPosition)"
            case .heartbeatResponse(let response): "answers heartbeat, reads \(response.readPosition)"
            case .vote(let request):
                "\(request.isPreVote ? "pre-vote" : "vote") asked, last \(request.lastIndex) of term \(request.lastTerm)"
                    + (request.isTransfer ? ", transfer" : "")
            case .voteResponse(let response):
                "\(response.isPreVote ? "pre-vote" : "vote") \(response.isGranted ? "granted" : "refused")"
            case .snapshot(let mark): "snapshot at \(mark.index)"
            case .timeoutNow: "campaign now"
            case .readIndex(let position): "asks to confirm reads up to \(position)"
            case .readIndexResponse(let position, let index): "reads up to \(position) confirmed at \(index)"
            case .removed(let index): "you are removed since \(index)"
            }
        return "term \(term), \(detail)"
    }
}
