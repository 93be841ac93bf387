import Metadata
import Raft

/// Why bytes from a peer, a log or a store are not what they should be.
package enum DecodingFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// So many bytes are missing at least.
    case truncated(missing: Int)
    case trailing(byteCount: Int)
    case unknownVersion(UInt8)
    /// A code that this build does not know.
    case unknownCode(field: String, code: UInt64)
    /// A count or length beyond its bound.
    case tooMany(field: String, count: Int)
    /// A value that its field cannot have.
    case invalid(field: String)

    package var description: String {
        switch self {
        case .truncated(let missing): "cut short, by \(missing) bytes or more"
        case .trailing(let byteCount): "\(byteCount) bytes follow its end"
        case .unknownVersion(let version): "its layout version \(version) is unknown"
        case .unknownCode(let field, let code): "\(field): the code \(code) is unknown"
        case .tooMany(let field, let count): "\(field): \(count) are too many"
        case .invalid(let field): "\(field): such a value is impossible"
        }
    }
}

/// Reads front to back. Each length is checked against its bound and against what is left before memory is reserved for it.
struct BytesReader {
    private let bytes: [UInt8]
    private(set) var offset: Int
    private let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    var remaining: Int { end - offset }

    private mutating func skip(_ count: Int) throws(DecodingFault) -> Int {
        guard count <= remaining else { throw .truncated(missing: count - remaining) }
        defer { offset += count }
        return offset
    }

    private mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) throws(DecodingFault) -> Value {
        let start = try skip(MemoryLayout<Value>.size)
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Value.self)) }
    }

    mutating func readUInt8() throws(DecodingFault) -> UInt8 { try read(UInt8.self) }
    mutating func readUInt16() throws(DecodingFault) -> UInt16 { try read(UInt16.self) }
    mutating func readUInt32() throws(DecodingFault) -> UInt32 { try read(UInt32.self) }
    mutating func readUInt64() throws(DecodingFault) -> UInt64 { try read(UInt64.self) }
    mutating func readUInt128() throws(DecodingFault) -> UInt128 { try read(UInt128.self) }

    mutating func readBool(_ field: String) throws(DecodingFault) -> Bool {
        switch try readUInt8() {
        case 0: return false
        case 1: return true
        case let code: throw .unknownCode(field: field, code: UInt64(code))
        }
    }

    mutating func readBytes(_ count: Int) throws(DecodingFault) -> [UInt8] {
        let start = try skip(count)
        return Array(bytes[start..<start + count])
    }

    /// A count in 16 bits.
    mutating func readCount16(_ field: String, max: Int) throws(DecodingFault) -> Int {
        let count = Int(try readUInt16())
        guard count <= max else { throw .tooMany(field: field, count: count) }
        return count
    }

    /// A count in 32 bits, of elements that take up at least so many bytes each.
    mutating func readCount32(_ field: String, max: Int, elementByteCountMin: Int) throws(DecodingFault) -> Int {
        let count = Int(try readUInt32())
        guard count <= max else { throw .tooMany(field: field, count: count) }
        guard count * elementByteCountMin <= remaining else {
            throw .truncated(missing: count * elementByteCountMin - remaining)
        }
        return count
    }

    /// A length in 32 bits, then as many bytes.
    mutating func readBlob(_ field: String, max: Int) throws(DecodingFault) -> [UInt8] {
        let count = Int(try readUInt32())
        guard count <= max else { throw .tooMany(field: field, count: count) }
        return try readBytes(count)
    }

    /// What is left.
    mutating func readRest() -> [UInt8] {
        defer { offset = end }
        return offset == 0 ? bytes : Array(bytes[offset..<end])
    }

    mutating func readVersion(_ expected: UInt8) throws(DecodingFault) {
        let version = try readUInt8()
        guard version == expected else { throw .unknownVersion(version) }
    }

    func expectEnd() throws(DecodingFault) {
        guard remaining == 0 else { throw .trailing(byteCount: remaining) }
    }

    // MARK: Vocabulary

    mutating func readNode(_ field: String) throws(DecodingFault) -> NodeID {
        let node = try readUInt64()
        guard node != 0 else { throw .invalid(field: field) }
        return NodeID(node)
    }

    /// No term or index comes near this: so that what is added to one cannot overflow.
    private static let positionMax: UInt64 = 1 << 62

    mutating func readTerm() throws(DecodingFault) -> Term {
        let term = try readUInt64()
        guard term <= Self.positionMax else { throw .invalid(field: "term") }
        return Term(term)
    }

    mutating func readIndex(_ field: String) throws(DecodingFault) -> LogIndex {
        let index = try readUInt64()
        guard index <= Self.positionMax else { throw .invalid(field: field) }
        return LogIndex(index)
    }

    mutating func readIdentity(_ field: String) throws(DecodingFault) -> NodeIdentity {
        NodeIdentity(try readNode(field), Incarnation(try readUInt64()))
    }

    /// Sorted node ids, each once.
    mutating func readNodes(_ field: String, max: Int) throws(DecodingFault) -> [NodeID] {
        let count = try readCount16(field, max: max)
        var nodes: [NodeID] = []
        for _ in 0..<count {
            let node = try readNode(field)
            if let last = nodes.last, last >= node { throw .invalid(field: field) }
            nodes.append(node)
        }
        return nodes
    }
}

/// More members than any cluster has; a bound for what a damaged count can ask for.
package enum MembershipLimits {
    package static let listCountMax = 256
    /// Ids that were ever members.
    package static let memberCountMax = 4096
}

extension BytesReader {
    mutating func readConfiguration() throws(DecodingFault) -> Configuration {
        var configuration = Configuration()
        configuration.voters = try readNodes("voters", max: MembershipLimits.listCountMax)
        configuration.outgoingVoters = try readNodes("outgoing voters", max: MembershipLimits.listCountMax)
        configuration.learners = try readNodes("learners", max: MembershipLimits.listCountMax)
        configuration.learnersNext = try readNodes("learners next", max: MembershipLimits.listCountMax)
        configuration.autoLeave = try readBool("auto leave")
        guard configuration.defect == nil else { throw .invalid(field: "configuration") }
        return configuration
    }

    mutating func readMember() throws(DecodingFault) -> Member {
        let identity = try readIdentity("member")
        let count = Int(try readUInt8())
        return Member(identity, address: try readBytes(count))
    }

    mutating func readGenesis() throws(DecodingFault) -> Genesis {
        let cluster = ClusterID(try readUInt64())
        let index = try readIndex("genesis")
        guard index > .zero else { throw .invalid(field: "genesis") }
        return Genesis(
            cluster: cluster, index: index, configuration: try readConfiguration(),
            members: try readMembers(max: MembershipLimits.listCountMax))
    }

    /// Sorted by node, each once.
    mutating func readMembers(max: Int) throws(DecodingFault) -> [Member] {
        let count = try readCount16("members", max: max)
        var members: [Member] = []
        for _ in 0..<count {
            let member = try readMember()
            if let last = members.last, last.node >= member.node { throw .invalid(field: "members") }
            members.append(member)
        }
        return members
    }
}

extension [UInt8] {
    mutating func append(_ nodes: [NodeID]) {
        appendLittleEndian(UInt16(nodes.count))
        for node in nodes { appendLittleEndian(node.rawValue) }
    }

    mutating func append(_ configuration: Configuration) {
        append(configuration.voters)
        append(configuration.outgoingVoters)
        append(configuration.learners)
        append(configuration.learnersNext)
        append(configuration.autoLeave ? 1 : 0)
    }

    mutating func append(_ identity: NodeIdentity) {
        appendLittleEndian(identity.node.rawValue)
        appendLittleEndian(identity.incarnation.rawValue)
    }

    /// - Precondition: the address is not too long.
    mutating func append(_ member: Member) {
        precondition(member.address.count <= Member.addressByteCountMax, "an address that is too long")
        append(member.identity)
        append(UInt8(member.address.count))
        append(contentsOf: member.address)
    }

    mutating func append(_ members: [Member]) {
        appendLittleEndian(UInt16(members.count))
        for member in members { append(member) }
    }

    mutating func append(_ genesis: Genesis) {
        appendLittleEndian(genesis.cluster.rawValue)
        appendLittleEndian(genesis.index.rawValue)
        append(genesis.configuration)
        append(genesis.members)
    }

    /// A length in 32 bits, then the bytes.
    mutating func appendBlob(_ bytes: [UInt8]) {
        appendLittleEndian(UInt32(bytes.count))
        append(contentsOf: bytes)
    }
}
