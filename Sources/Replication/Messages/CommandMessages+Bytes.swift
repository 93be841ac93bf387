import Metadata
import Raft

/// What the first byte of a command says.
package enum CommandCode: UInt8, Sendable, CaseIterable {
    case add = 1
    case remove = 2
    case replace = 3
    case transferLeadership = 4
    case changeAddress = 5
    case verify = 6
}

/// What the first byte of an outcome says.
package enum CommandOutcomeCode: UInt8, Sendable, CaseIterable {
    case done = 0
    case refused = 1
    case unknown = 2
    case verified = 3
}

package enum CommandRefusalCode: UInt8, Sendable, CaseIterable {
    case notLeader = 1
    case busy = 2
    case alreadyVoter = 3
    case notMember = 4
    case identityTaken = 5
    case notEmpty = 6
    case unreachable = 7
    case unsupportedVersion = 8
    case didNotCatchUp = 9
    case bodiesLacking = 10
    case losesQuorum = 11
    case notVoter = 12
    case inactive = 13
    case notTakenOver = 14
    case tooManyMembers = 15
    case invalidAddress = 16
    case other = 17
    case outdated = 18
}

package enum CommandDoubtCode: UInt8, Sendable, CaseIterable {
    case leadershipLost = 1
    case timedOut = 2
}

extension [UInt8] {
    mutating func append(_ request: CommandRequest) {
        append(PeerMessage.Kind.command.rawValue)
        appendLittleEndian(request.term.rawValue)
        appendLittleEndian(request.start)
        appendLittleEndian(request.number)
        switch request.command {
        case .add(let node, let address):
            append(CommandCode.add.rawValue)
            append(node, address)
        case .remove(let node, let isForced):
            append(CommandCode.remove.rawValue)
            appendLittleEndian(node.rawValue)
            append(isForced ? 1 : 0)
        case .replace(let old, let new, let address):
            append(CommandCode.replace.rawValue)
            appendLittleEndian(old.rawValue)
            append(new, address)
        case .transferLeadership(let node):
            append(CommandCode.transferLeadership.rawValue)
            appendLittleEndian(node.rawValue)
        case .changeAddress(let node, let address):
            append(CommandCode.changeAddress.rawValue)
            append(node, address)
        case .verify: append(CommandCode.verify.rawValue)
        case .takeSnapshot: preconditionFailure("a snapshot is taken where it is asked for")
        }
    }

    private mutating func append(_ node: NodeID, _ address: [UInt8]) {
        precondition(address.count <= Member.addressByteCountMax, "an address that is too long")
        appendLittleEndian(node.rawValue)
        append(UInt8(address.count))
        append(contentsOf: address)
    }

    mutating func append(_ answer: CommandAnswer) {
        append(PeerMessage.Kind.commandAnswer.rawValue)
        appendLittleEndian(answer.start)
        appendLittleEndian(answer.number)
        switch answer.outcome {
        case .done: append(CommandOutcomeCode.done.rawValue)
        case .refused(let refusal):
            append(CommandOutcomeCode.refused.rawValue)
            append(refusal)
        case .unknown(let doubt):
            append(CommandOutcomeCode.unknown.rawValue)
            append((doubt == .timedOut ? CommandDoubtCode.timedOut : .leadershipLost).rawValue)
        case .verified(let comparison):
            append(CommandOutcomeCode.verified.rawValue)
            appendLittleEndian(comparison.index.rawValue)
            appendLittleEndian(UInt16(comparison.rows.count))
            for row in comparison.rows {
                appendLittleEndian(row.node.rawValue)
                append(row.digest)
            }
        case .snapshot: preconditionFailure("a snapshot is taken where it is asked for")
        }
    }

    private mutating func append(_ refusal: CommandRefusal) {
        func code(_ code: CommandRefusalCode) { append(code.rawValue) }
        switch refusal {
        case .notLeader(let leader):
            code(.notLeader)
            appendLittleEndian(leader?.rawValue ?? 0)
        case .busy: code(.busy)
        case .alreadyVoter(let node):
            code(.alreadyVoter)
            appendLittleEndian(node.rawValue)
        case .notMember(let node):
            code(.notMember)
            appendLittleEndian(node.rawValue)
        case .identityTaken(let node, let incarnation):
            code(.identityTaken)
            append(NodeIdentity(node, incarnation))
        case .notEmpty(let node):
            code(.notEmpty)
            appendLittleEndian(node.rawValue)
        case .outdated(let node):
            code(.outdated)
            appendLittleEndian(node.rawValue)
        case .unreachable(let node):
            code(.unreachable)
            appendLittleEndian(node.rawValue)
        case .unsupportedVersion(let node, let version):
            code(.unsupportedVersion)
            appendLittleEndian(node.rawValue)
            appendLittleEndian(version.rawValue)
        case .didNotCatchUp(let node, let behind):
            code(.didNotCatchUp)
            appendLittleEndian(node.rawValue)
            appendLittleEndian(UInt64(clamping: behind))
        case .bodiesLacking(let count):
            code(.bodiesLacking)
            appendLittleEndian(count ?? .max)
        case .change(.losesQuorum(let active, let needed)):
            code(.losesQuorum)
            appendLittleEndian(UInt32(clamping: active))
            appendLittleEndian(UInt32(clamping: needed))
        case .transfer(.notVoter(let node)):
            code(.notVoter)
            appendLittleEndian(node.rawValue)
        case .transfer(.inactive(let node)):
            code(.inactive)
            appendLittleEndian(node.rawValue)
        case .notTakenOver: code(.notTakenOver)
        case .tooManyMembers: code(.tooManyMembers)
        case .invalidAddress: code(.invalidAddress)
        case .other(let text):
            code(.other)
            appendLittleEndian(UInt16(text.utf8.count))
            append(contentsOf: text.utf8)
        case .change, .transfer, .snapshotFailed, .stopped: preconditionFailure("a refusal that is not for peers")
        }
    }

    mutating func append(_ request: DigestRequest) {
        append(PeerMessage.Kind.digestRequest.rawValue)
        appendLittleEndian(request.index.rawValue)
    }

    mutating func append(_ answer: DigestAnswer) {
        append(PeerMessage.Kind.digestAnswer.rawValue)
        appendLittleEndian(answer.index.rawValue)
        append(answer.digest)
    }

    private mutating func append(_ digest: StateDigest?) {
        append(digest == nil ? 0 : 1)
        guard let digest else { return }
        appendLittleEndian(digest.low)
        appendLittleEndian(digest.high)
    }
}

extension BytesReader {
    mutating func readCommandRequest() throws(DecodingFault) -> CommandRequest {
        CommandRequest(
            term: try readTerm(), start: try readUInt64(), number: try readUInt64(), command: try readOperatorCommand())
    }

    private mutating func readOperatorCommand() throws(DecodingFault) -> OperatorCommand {
        let code: CommandCode = try readCode("command")
        switch code {
        case .add: return .add(try readNode("node"), address: try readAddress())
        case .remove: return .remove(try readNode("node"), isForced: try readBool("force"))
        case .replace: return .replace(try readNode("node"), with: try readNode("new node"), address: try readAddress())
        case .transferLeadership: return .transferLeadership(to: try readNode("node"))
        case .changeAddress: return .changeAddress(try readNode("node"), address: try readAddress())
        case .verify: return .verify
        }
    }

    private mutating func readAddress() throws(DecodingFault) -> [UInt8] { try readBytes(Int(try readUInt8())) }

    mutating func readCommandAnswer() throws(DecodingFault) -> CommandAnswer {
        CommandAnswer(start: try readUInt64(), number: try readUInt64(), outcome: try readCommandOutcome())
    }

    private mutating func readCommandOutcome() throws(DecodingFault) -> CommandOutcome {
        let code: CommandOutcomeCode = try readCode("outcome")
        switch code {
        case .done: return .done
        case .refused: return .refused(try readCommandRefusal())
        case .unknown:
            let doubt: CommandDoubtCode = try readCode("doubt")
            return .unknown(doubt == .timedOut ? .timedOut : .leadershipLost)
        case .verified:
            var comparison = DigestComparison(index: try readIndex("index"), rows: [])
            for _ in 0..<(try readCount16("digests", max: MembershipLimits.listCountMax)) {
                let row = DigestComparison.Row(node: try readNode("node"), digest: try readDigest())
                if let last = comparison.rows.last, last.node >= row.node { throw .invalid(field: "digests") }
                comparison.rows.append(row)
            }
            return .verified(comparison)
        }
    }

    private mutating func readCommandRefusal() throws(DecodingFault) -> CommandRefusal {
        let code: CommandRefusalCode = try readCode("refusal of a command")
        switch code {
        case .notLeader:
            let leader = try readUInt64()
            return .notLeader(leader == 0 ? nil : NodeID(leader))
        case .busy: return .busy
        case .alreadyVoter: return .alreadyVoter(try readNode("node"))
        case .notMember: return .notMember(try readNode("node"))
        case .identityTaken:
            let identity = try readIdentity("node")
            return .identityTaken(identity.node, identity.incarnation)
        case .notEmpty: return .notEmpty(try readNode("node"))
        case .outdated: return .outdated(try readNode("node"))
        case .unreachable: return .unreachable(try readNode("node"))
        case .unsupportedVersion: return .unsupportedVersion(try readNode("node"), ClusterVersion(try readUInt32()))
        case .didNotCatchUp:
            let node = try readNode("node")
            guard let behind = Int(exactly: try readUInt64()) else { throw .invalid(field: "behind") }
            return .didNotCatchUp(node, behind: behind)
        case .bodiesLacking:
            let count = try readUInt64()
            return .bodiesLacking(count == .max ? nil : count)
        case .losesQuorum:
            return .change(.losesQuorum(active: Int(try readUInt32()), needed: Int(try readUInt32())))
        case .notVoter: return .transfer(.notVoter(try readNode("node")))
        case .inactive: return .transfer(.inactive(try readNode("node")))
        case .notTakenOver: return .notTakenOver
        case .tooManyMembers: return .tooManyMembers
        case .invalidAddress: return .invalidAddress
        case .other:
            let count = try readCount16("words", max: CommandAnswer.textByteCountMax)
            guard let text = String(validating: try readBytes(count), as: UTF8.self) else { throw .invalid(field: "words") }
            return .other(text)
        }
    }

    mutating func readDigestAnswer() throws(DecodingFault) -> DigestAnswer {
        DigestAnswer(index: try readIndex("index"), digest: try readDigest())
    }

    private mutating func readDigest() throws(DecodingFault) -> StateDigest? {
        guard try readBool("digest is there") else { return nil }
        return StateDigest(low: try readUInt64(), high: try readUInt64())
    }
}
