/// Why bytes are not a configuration change of this version.
package enum ConfigurationChangeDecodingError: Error, Hashable, CustomStringConvertible {
    /// Ends before what it announces; how many bytes there are, and how many are needed at least.
    case truncated(byteCount: Int, needed: Int)
    /// Goes on after its end.
    case trailing(byteCount: Int)
    /// Written by a version that this build does not know.
    case unknownVersion(UInt8)
    case unknownTransition(UInt8)
    case unknownStep(UInt8)
    /// Node 0 is nobody.
    case nodeZero
    case tooManySteps(Int)
    case contextTooLong(Int)

    package var description: String {
        switch self {
        case .truncated(let count, let needed): "a configuration change of \(count) bytes ends too early: \(needed) are needed"
        case .trailing(let count): "\(count) bytes follow a configuration change"
        case .unknownVersion(let version): "a configuration change has the unknown version \(version)"
        case .unknownTransition(let code): "a configuration change has the unknown transition \(code)"
        case .unknownStep(let code): "a configuration change has a step of the unknown kind \(code)"
        case .nodeZero: "a configuration change names the node 0"
        case .tooManySteps(let count):
            "a configuration change has \(count) steps: more than \(ConfigurationChange.stepCountMax)"
        case .contextTooLong(let count):
            "a configuration change carries \(count) bytes: more than \(ConfigurationChange.contextByteCountMax)"
        }
    }
}

/// The bytes of docs/formats/configuration-change.md. What decodes encodes to the same bytes.
extension ConfigurationChange {
    package static let layoutVersion: UInt8 = 1
    /// More members than any cluster has: a bound for what a damaged or hostile count can ask for.
    package static let stepCountMax = 64
    /// An address, a token: small things.
    package static let contextByteCountMax = 4096

    package static let headerByteCount = 3
    package static let stepByteCount = 9
    private static let contextLengthByteCount = 2

    /// - Precondition: no more steps and bytes of context than the bounds allow, and no node 0.
    package func encoded() -> [UInt8] {
        precondition(steps.count <= Self.stepCountMax, "a configuration change has too many steps")
        precondition(context.count <= Self.contextByteCountMax, "a configuration change carries too much")
        var bytes: [UInt8] = [Self.layoutVersion, transition.rawValue, UInt8(steps.count)]
        let stepsEnd = Self.headerByteCount + steps.count * Self.stepByteCount
        bytes.reserveCapacity(stepsEnd + Self.contextLengthByteCount + context.count)
        for step in steps {
            precondition(step.node.rawValue != 0, "node 0 is nobody")
            bytes.append(step.kind.rawValue)
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: step.node.rawValue >> shift)) }
        }
        bytes.append(UInt8(truncatingIfNeeded: context.count))
        bytes.append(UInt8(truncatingIfNeeded: context.count >> 8))
        return bytes + context
    }

    package init(decoding bytes: [UInt8]) throws(ConfigurationChangeDecodingError) {
        func require(_ needed: Int) throws(ConfigurationChangeDecodingError) {
            guard bytes.count >= needed else { throw .truncated(byteCount: bytes.count, needed: needed) }
        }
        try require(1)
        guard bytes[0] == Self.layoutVersion else { throw .unknownVersion(bytes[0]) }
        try require(Self.headerByteCount)
        guard let transition = Transition(rawValue: bytes[1]) else { throw .unknownTransition(bytes[1]) }
        let stepCount = Int(bytes[2])
        guard stepCount <= Self.stepCountMax else { throw .tooManySteps(stepCount) }
        let stepsEnd = Self.headerByteCount + stepCount * Self.stepByteCount
        let contextStart = stepsEnd + Self.contextLengthByteCount
        try require(contextStart)
        var steps: [MembershipStep] = []
        steps.reserveCapacity(stepCount)
        for start in stride(from: Self.headerByteCount, to: stepsEnd, by: Self.stepByteCount) {
            guard let kind = MembershipStep.Kind(rawValue: bytes[start]) else { throw .unknownStep(bytes[start]) }
            var node: UInt64 = 0
            for offset in 0..<8 { node |= UInt64(bytes[start + 1 + offset]) << (8 * UInt64(offset)) }
            guard node != 0 else { throw .nodeZero }
            steps.append(MembershipStep(kind, NodeID(node)))
        }
        let contextCount = Int(bytes[stepsEnd]) | Int(bytes[stepsEnd + 1]) << 8
        guard contextCount <= Self.contextByteCountMax else { throw .contextTooLong(contextCount) }
        let end = contextStart + contextCount
        try require(end)
        guard bytes.count == end else { throw .trailing(byteCount: bytes.count - end) }
        self.init(steps, transition: transition, context: Array(bytes[contextStart...]))
    }
}
