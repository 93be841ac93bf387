import Raft

/// What a change of members carries besides its steps: whose disks the new nodes are, and where they are reached.
struct MemberContext: Hashable {
    static let layoutVersion: UInt8 = 1

    /// Sorted by node.
    var members: [Member]

    init(_ members: [Member]) {
        self.members = members
    }

    func encoded() -> [UInt8] {
        guard !members.isEmpty else { return [] }
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.append(members)
        return bytes
    }

    /// Nobody if the bytes are not such a context: consensus has accepted the change, and all replicas must find the same.
    init(decoding bytes: [UInt8]) {
        do throws(DecodingFault) {
            guard !bytes.isEmpty else {
                members = []
                return
            }
            var reader = BytesReader(bytes)
            try reader.readVersion(Self.layoutVersion)
            members = try reader.readMembers(max: MembershipLimits.listCountMax)
            try reader.expectEnd()
        } catch { members = [] }
    }
}

extension [Member] {
    /// The place of a node in this sorted list, or where it belongs.
    private func place(of node: NodeID) -> Int { firstIndex { $0.node >= node } ?? count }

    func member(_ node: NodeID) -> Member? {
        let place = place(of: node)
        return place < count && self[place].node == node ? self[place] : nil
    }

    /// Takes up new members and new addresses; an id stays with the disk that it belongs to. - Returns: whether anything is new.
    mutating func take(_ others: [Member]) -> Bool {
        var isChanged = false
        for other in others {
            let place = place(of: other.node)
            if place < count, self[place].node == other.node {
                guard self[place].identity == other.identity, self[place].address != other.address else { continue }
                self[place].address = other.address
            } else {
                guard count < MembershipLimits.memberCountMax else { continue }
                insert(other, at: place)
            }
            isChanged = true
        }
        return isChanged
    }
}
