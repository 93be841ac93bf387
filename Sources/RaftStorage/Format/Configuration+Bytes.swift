package import Raft

/// The configuration inside a snapshot mark:
///
///     version (1) │ autoLeave (1) │ four counts (2 each): voters, outgoing voters, learners, learners next │ their ids (8 each)
extension Configuration {
    package static let bytesVersion: UInt8 = 1
    package static let bytesHeaderByteCount = 10
    /// More members than any cluster has; keeps a mark within one block.
    package static let encodedMemberCountMax = 256

    package enum DecodingFault: Error, Hashable {
        case truncated
        case trailing
        case unknownVersion(UInt8)
        case unknownFlags(UInt8)
        /// A list that is not sorted, has a node twice, or node 0.
        case unsorted
        case tooManyMembers(Int)
    }

    /// - Precondition: at most `encodedMemberCountMax` members in all lists together.
    package func bytes() -> [UInt8] {
        let lists = [voters, outgoingVoters, learners, learnersNext]
        let count = lists.reduce(0) { $0 + $1.count }
        precondition(count <= Self.encodedMemberCountMax, "a configuration with too many members")
        var bytes: [UInt8] = [Self.bytesVersion, autoLeave ? 1 : 0]
        bytes.reserveCapacity(Self.bytesHeaderByteCount + 8 * count)
        for list in lists { Swift.withUnsafeBytes(of: UInt16(list.count).littleEndian) { bytes.append(contentsOf: $0) } }
        for list in lists {
            for node in list { Swift.withUnsafeBytes(of: node.rawValue.littleEndian) { bytes.append(contentsOf: $0) } }
        }
        return bytes
    }

    package init(decoding bytes: UnsafeRawBufferPointer) throws(DecodingFault) {
        guard let version = bytes.first else { throw .truncated }
        guard version == Self.bytesVersion else { throw .unknownVersion(version) }
        guard bytes.count >= Self.bytesHeaderByteCount else { throw .truncated }
        guard bytes[1] <= 1 else { throw .unknownFlags(bytes[1]) }
        let counts = (0..<4).map { Int(bytes.load(at: 2 + 2 * $0, as: UInt16.self)) }
        let total = counts.reduce(0, +)
        guard total <= Self.encodedMemberCountMax else { throw .tooManyMembers(total) }
        let byteCount = Self.bytesHeaderByteCount + 8 * total
        guard bytes.count >= byteCount else { throw .truncated }
        guard bytes.count == byteCount else { throw .trailing }
        var offset = Self.bytesHeaderByteCount
        var lists: [[NodeID]] = []
        for count in counts {
            var list: [NodeID] = []
            list.reserveCapacity(count)
            for _ in 0..<count {
                let node = NodeID(bytes.load(at: offset, as: UInt64.self))
                guard node > list.last ?? NodeID(0) else { throw .unsorted }
                list.append(node)
                offset += 8
            }
            lists.append(list)
        }
        self.init()
        (voters, outgoingVoters, learners, learnersNext) = (lists[0], lists[1], lists[2], lists[3])
        autoLeave = bytes[1] == 1
    }
}
