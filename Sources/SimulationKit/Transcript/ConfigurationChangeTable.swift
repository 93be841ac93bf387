import Raft

/// Tables of configuration changes: one configuration, which the commands change one after the other.
///
///     simple | enter-joint autoleave=true | leave-joint
///     v1 l2 r3 u4
///
/// Each shows the configuration and how a leader would begin to replicate to every member, or why the change is not possible.
package struct ConfigurationChangeTable: TranscriptEnvironment {
    private struct Member {
        let node: NodeID
        /// Where the leader would begin: at its last entry, which each command moves on by one.
        let next: UInt64
    }

    private var configuration = Configuration()
    private var members: [Member] = []
    private var lastIndex: UInt64 = 0

    package init() {}

    package mutating func run(_ command: TranscriptCommand) throws(TranscriptError) -> String {
        let steps = try command.membershipSteps()
        let plan = try plan(command)
        defer { lastIndex += 1 }
        do throws(ConfigurationError) {
            let changer = try ConfigurationChanger(restoring: configuration)
            switch plan {
            case .simple: configuration = try changer.simple(steps)
            case .enterJoint(let autoLeave): configuration = try changer.enterJoint(autoLeave: autoLeave, steps)
            case .leaveJoint:
                guard steps.isEmpty else { return "this command takes no input" }
                configuration = try changer.leaveJoint()
            }
        } catch {
            return error.description
        }
        follow(steps)
        return ([configuration.summary] + members.map(line)).joined(separator: "\n")
    }

    private func plan(_ command: TranscriptCommand) throws(TranscriptError) -> ConfigurationChange.Plan {
        try command.expect(words: 0...0, of: "none", keys: command.name == "enter-joint" ? ["autoleave"] : [])
        switch command.name {
        case "simple": return .simple
        case "enter-joint": return .enterJoint(autoLeave: try command.flag("autoleave") ?? false)
        case "leave-joint": return .leaveJoint
        default: throw command.mistake("unknown command; there are simple, enter-joint and leave-joint")
        }
    }

    /// Keeps what is known of the members that stay. A node that was removed is a new one when it comes back.
    private mutating func follow(_ steps: [MembershipStep]) {
        let outgoing = configuration.outgoingVoters
        let removed = steps.filter { $0.kind == .remove && !outgoing.hasSorted($0.node) }.map(\.node)
        let nodes = Set(configuration.voters + outgoing + configuration.learners).sorted()
        members = nodes.map { node in
            let known = members.first { $0.node == node && !removed.contains(node) }
            return known ?? Member(node: node, next: max(lastIndex, 1))
        }
    }

    private func line(_ member: Member) -> String {
        let learner = configuration.learners.hasSorted(member.node) ? " learner" : ""
        return "\(member.node): StateProbe match=0 next=\(member.next)\(learner)"
    }
}
