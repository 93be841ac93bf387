/// The links between the nodes: which are cut, and what becomes of a message.
struct Network {
    /// How bad the weather is, in thousandths of all messages.
    struct Weather {
        var lossPerMille = 0
        var duplicationPerMille = 0
        /// Of messages with a delay of up to fifty times the usual.
        var reorderingPerMille = 0
        /// Of messages that arrive after seconds.
        var latenessPerMille = 0

        /// The usual delay on the way, in microseconds.
        var delay: ClosedRange<Int> = 80...400
    }

    /// Nodes that were ever there.
    static var nodeCountMax: Int { 16 }
    static var stride: Int { nodeCountMax + 1 }

    var weather = Weather()
    /// How many cuts there are in each direction, by sender and receiver.
    private var cuts: [UInt8] = Array(repeating: 0, count: stride * stride)
    /// Grows when a connection is reset: what was on its way is lost.
    private var epochs: [UInt32] = Array(repeating: 0, count: stride * stride)

    func isCut(from sender: Int, to receiver: Int) -> Bool { cuts[sender * Self.stride + receiver] > 0 }

    mutating func cut(_ links: [Link]) { for link in links { cuts[link.from * Self.stride + link.to] += 1 } }
    mutating func mend(_ links: [Link]) { for link in links { cuts[link.from * Self.stride + link.to] -= 1 } }

    func epoch(_ first: Int, _ second: Int) -> UInt32 { epochs[min(first, second) * Self.stride + max(first, second)] }
    mutating func reset(_ first: Int, _ second: Int) {
        epochs[min(first, second) * Self.stride + max(first, second)] += 1
    }

    /// The delays after which a message arrives: none if it is lost, two if it is doubled.
    func delays(_ random: inout SeededRandom) -> (first: UInt64?, second: UInt64?) {
        let dice = random.next(below: 1000)
        if dice < weather.lossPerMille { return (nil, nil) }
        let isDoubled = dice >= 1000 - weather.duplicationPerMille
        return (delay(&random), isDoubled ? delay(&random) : nil)
    }

    private func delay(_ random: inout SeededRandom) -> UInt64 {
        let usual = random.next(in: weather.delay)
        guard weather.reorderingPerMille + weather.latenessPerMille > 0 else { return UInt64(usual) }
        let dice = random.next(below: 1000)
        if dice < weather.latenessPerMille { return UInt64(random.next(in: 500_000...4_000_000)) }
        if dice < weather.latenessPerMille + weather.reorderingPerMille { return UInt64(usual * random.next(in: 2...50)) }
        return UInt64(usual)
    }
}

/// One direction between two nodes.
struct Link: Hashable, Sendable {
    var from: Int
    var to: Int
}

extension Link {
    /// All links between two groups, in both directions.
    static func between(_ first: [Int], _ second: [Int]) -> [Link] {
        first.flatMap { one in second.flatMap { other in [Link(from: one, to: other), Link(from: other, to: one)] } }
    }

    /// All links but those between neighbours in a ring.
    static func outsideRing(_ nodes: [Int]) -> [Link] {
        var links: [Link] = []
        for (place, node) in nodes.enumerated() {
            for (otherPlace, other) in nodes.enumerated() where other != node {
                let distance = (otherPlace - place + nodes.count) % nodes.count
                if distance != 1, distance != nodes.count - 1 { links.append(Link(from: node, to: other)) }
            }
        }
        return links
    }
}
