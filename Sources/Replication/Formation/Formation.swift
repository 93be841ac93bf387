import Checksum
import Metadata
package import Raft

/// How far an empty node is on its way into a cluster.
package enum FormationState: Hashable, Sendable {
    /// These configured nodes were not heard from, or have not heard of the same starts of all.
    case gathering(missing: [NodeID])
    /// That node is configured for other nodes or other addresses.
    case differentConfiguration(NodeID)
    /// Two disks have spoken under that node's id. Nothing is founded before this node is started again.
    case twoDisks(NodeID)
    /// The genesis is being written.
    case founding
    /// A cluster exists, or none is configured here: the node waits to be added.
    case waiting
}

/// How the configured nodes of a fresh cluster agree that it begins.
///
/// Were it enough to have heard of all others, two nodes could found two clusters: one that heard of a third one before its disk was
/// wiped, one after. So every node reports which starts of which disks it has seen, and a node founds only when *all* of them, itself
/// included, have reported the very same list:
///
///     node 1 sees 1a.1 2b.1 3c.1 ┐
///     node 2 sees 1a.1 2b.1 3c.1 ├─► found, with exactly these disks
///     node 3 sees 1a.1 2b.1 3c.1 ┘
///
/// Within a start a node's list only grows and the starts in it only rise (another disk under a known id ends it), and who has founded
/// reports no other list ever; hence no two lists can both be reported by all. A configured node that is late adopts the genesis if it
/// names its disk. Any other empty node waits to be added: it may have voted before its disk was wiped.
package struct Formation: Sendable {
    enum Decision: Equatable {
        case found(Genesis)
        case wait
    }

    let own: Founder
    /// The configured nodes, with their addresses, sorted.
    private let nodes: [ConfiguredNode]
    let fingerprint: UInt64
    private let mutations: ReplicationMutations
    /// Starts that were heard of, this one among them, sorted by node.
    private(set) var seen: [Founder]
    /// What each of the others has reported last.
    private var reports: [(node: NodeID, seen: [Founder])] = []
    private var differing: NodeID?
    private var twoDisks: NodeID?

    /// - Precondition: the configured nodes are sorted, each once, this one among them.
    init(own: Founder, nodes: [ConfiguredNode], mutations: ReplicationMutations) {
        self.own = own
        self.nodes = nodes
        self.mutations = mutations
        fingerprint = ConfiguredNode.fingerprint(nodes)
        seen = [own]
    }

    var others: [NodeID] { nodes.map(\.node).filter { $0 != own.node } }

    package var state: FormationState {
        if let twoDisks { return .twoDisks(twoDisks) }
        if let differing { return .differentConfiguration(differing) }
        return .gathering(missing: others.filter { node in !reports.contains { $0.node == node && $0.seen == seen } })
    }

    var report: FormationReport {
        FormationReport(configurationFingerprint: fingerprint, standing: .empty(seen: seen))
    }

    /// Takes a report of another node. - Returns: what to do, if that is clear now.
    mutating func receive(_ report: FormationReport, from sender: NodeIdentity) -> Decision? {
        switch report.standing {
        case .member(let genesis):
            // The founders have agreed on this disk, which has therefore never voted.
            return genesis.members.contains { $0.identity == own.identity } ? .found(genesis) : .wait
        case .empty(let theirs):
            guard others.contains(sender.node), let start = theirs.first(where: { $0.identity == sender }) else { return nil }
            guard report.configurationFingerprint == fingerprint else {
                differing = sender.node
                return nil
            }
            if differing == sender.node { differing = nil }
            guard see(start) else { return nil }
            reports.removeAll { $0.node == sender.node }
            reports.append((sender.node, theirs))
            return decision
        }
    }

    /// - Returns: false for what is late.
    private mutating func see(_ founder: Founder) -> Bool {
        guard let place = seen.firstIndex(where: { $0.node == founder.node }) else {
            seen.insert(founder, at: seen.firstIndex { $0.node > founder.node } ?? seen.count)
            return true
        }
        if seen[place].identity != founder.identity {
            twoDisks = founder.node
            return false
        }
        guard founder.start >= seen[place].start else { return false }
        seen[place].start = founder.start
        return true
    }

    var decision: Decision? {
        guard twoDisks == nil, differing == nil, seen.count == nodes.count else { return nil }
        let areAgreed = others.allSatisfy { node in reports.contains { $0.node == node && $0.seen == seen } }
        return areAgreed || mutations.contains(.foundsWithoutAgreement) ? .found(genesis) : nil
    }

    private var genesis: Genesis {
        Genesis(
            cluster: ClusterID(fingerprint: seen), index: LogIndex(1), configuration: Configuration(voters: seen.map(\.node)),
            members: zip(seen, nodes).map { Member($0.identity, address: $1.address) })
    }
}

/// A node of the configuration that a fresh cluster is founded by.
package struct ConfiguredNode: Hashable, Sendable {
    package var node: NodeID
    package var address: [UInt8]

    package init(_ node: NodeID, address: [UInt8] = []) {
        self.node = node
        self.address = address
    }

    static func fingerprint(_ nodes: [ConfiguredNode]) -> UInt64 {
        var bytes: [UInt8] = []
        for node in nodes {
            bytes.appendLittleEndian(node.node.rawValue)
            bytes.appendLittleEndian(UInt64(node.address.count))
            bytes.append(contentsOf: node.address)
        }
        return Fingerprint.of(bytes)
    }
}

extension ClusterID {
    /// The same on each of its founders.
    init(fingerprint founders: [Founder]) {
        var bytes: [UInt8] = []
        for founder in founders {
            bytes.append(founder.identity)
            bytes.appendLittleEndian(founder.start)
        }
        self.init(Fingerprint.of(bytes))
    }
}

enum Fingerprint {
    /// "rustfs-replicate" is not secret: it only separates this use of the hash from others.
    private static let key = SipHash128.Key(k0: 0x7275_7374_6673_2d72, k1: 0x6570_6c69_6361_7465)

    static func of(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { UInt64(truncatingIfNeeded: SipHash128.hash($0, key: key)) }
    }
}
