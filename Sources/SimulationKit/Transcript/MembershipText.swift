import Raft

extension TranscriptCommand {
    /// The steps in the lines of input: `v1` makes 1 a voter, `l1` a learner, `r1` removes it, `u1` updates it.
    func membershipSteps() throws(TranscriptError) -> [MembershipStep] {
        var steps: [MembershipStep] = []
        for word in input.flatMap({ $0.split { $0 == " " || $0 == "\t" } }) {
            guard let letter = word.first, let kind = MembershipStep.Kind(letter: letter) else {
                throw mistake("a change is v, l, r or u and a node, not \(word)")
            }
            let node = try number(String(word.dropFirst()), of: String(word))
            guard node != 0 else { throw mistake("\(word): node 0 is nobody") }
            steps.append(MembershipStep(kind, NodeID(node)))
        }
        return steps
    }
}

extension MembershipStep.Kind {
    fileprivate init?(letter: Character) {
        guard let kind = Self.allCases.first(where: { $0.letter == letter }) else { return nil }
        self = kind
    }

    fileprivate var letter: Character {
        switch self {
        case .addVoter: "v"
        case .addLearner: "l"
        case .remove: "r"
        case .update: "u"
        }
    }
}

extension MembershipStep {
    /// `v1`, `l2`, as in the commands.
    var text: String { "\(kind.letter)\(node)" }
}

extension Configuration {
    /// `voters=(1 2 3)&&(1 2) learners=(4) learners_next=(2) autoleave`: what is empty is left out.
    var summary: String {
        func list(_ nodes: [NodeID]) -> String { "(\(nodes.map(\.description).joined(separator: " ")))" }
        var text = "voters=\(list(voters))"
        if isJoint { text += "&&\(list(outgoingVoters))" }
        if !learners.isEmpty { text += " learners=\(list(learners))" }
        if !learnersNext.isEmpty { text += " learners_next=\(list(learnersNext))" }
        if autoLeave { text += " autoleave" }
        return text
    }
}
