import Foundation
import Raft
import Testing

@Suite("A configuration change as bytes, and what it asks for")
struct ConfigurationChangeTests {
    static let steps = [
        MembershipStep(.addVoter, NodeID(3)), MembershipStep(.addLearner, NodeID(.max)), MembershipStep(.remove, NodeID(1)),
        MembershipStep(.update, NodeID(2)),
    ]

    @Test("The steps and the transition decide how the change is made")
    func plan() {
        let one = [MembershipStep(.addVoter, NodeID(1))]
        #expect(ConfigurationChange(one).plan == .simple)
        #expect(ConfigurationChange(one + one).plan == .enterJoint(autoLeave: true))
        #expect(ConfigurationChange(one, transition: .jointImplicit).plan == .enterJoint(autoLeave: true))
        #expect(ConfigurationChange(one, transition: .jointExplicit).plan == .enterJoint(autoLeave: false))
        #expect(ConfigurationChange([], transition: .jointExplicit).plan == .enterJoint(autoLeave: false))
        #expect(ConfigurationChange.leaveJoint.plan == .leaveJoint)
        #expect(ConfigurationChange([], context: [1]).plan == .leaveJoint)
    }

    @Test("What is written is read back", arguments: ConfigurationChange.Transition.allCases)
    func roundTrip(transition: ConfigurationChange.Transition) throws {
        for count in 0...Self.steps.count {
            for context in [[], [7], [UInt8](repeating: 9, count: ConfigurationChange.contextByteCountMax)] {
                let change = ConfigurationChange(Array(Self.steps.prefix(count)), transition: transition, context: context)
                #expect(try ConfigurationChange(decoding: change.encoded()) == change)
            }
        }
    }

    @Test("The layout is the documented one")
    func layout() {
        let change = ConfigurationChange([MembershipStep(.remove, NodeID(0x0102))], transition: .jointExplicit, context: [0xaa])
        #expect(change.encoded() == [1, 2, 1, 3, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0xaa])
    }

    @Test("Every cut and every addition is noticed")
    func truncation() throws {
        let bytes = ConfigurationChange(Self.steps, context: [1, 2, 3]).encoded()
        for count in 0..<bytes.count {
            do {
                _ = try ConfigurationChange(decoding: Array(bytes.prefix(count)))
                Issue.record("\(count) bytes were taken for a change")
            } catch {
                guard case .truncated(count, let needed) = error else {
                    Issue.record("\(count): \(error)")
                    continue
                }
                #expect(needed > count)
            }
        }
        #expect(throws: ConfigurationChangeDecodingError.trailing(byteCount: 2)) {
            try ConfigurationChange(decoding: bytes + [0, 0])
        }
    }

    @Test(
        "Unknown codes and counts over the bounds are named",
        arguments: [
            ([2, 0, 0, 0, 0], .unknownVersion(2)),
            ([1, 3, 0, 0, 0], .unknownTransition(3)),
            ([1, 0, 65, 0, 0], .tooManySteps(65)),
            ([1, 0, 1, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], .unknownStep(5)),
            ([1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .nodeZero),
            ([1, 0, 0, 1, 0x10], .contextTooLong(4097)),
        ] as [([UInt8], ConfigurationChangeDecodingError)]
    )
    func refusals(bytes: [UInt8], expected: ConfigurationChangeDecodingError) {
        #expect(throws: expected) { try ConfigurationChange(decoding: bytes) }
        #expect(!expected.description.isEmpty)
    }

    @Test("docs/formats/configuration-change.md and the code agree on every number")
    func document() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL
        let text = try String(contentsOf: root.appending(path: "docs/formats/configuration-change.md"), encoding: .utf8)
        let rows = [
            "layout version | \(ConfigurationChange.layoutVersion)",
            "header bytes | \(ConfigurationChange.headerByteCount)",
            "step bytes | \(ConfigurationChange.stepByteCount)",
            "steps at most | \(ConfigurationChange.stepCountMax)",
            "context bytes at most | \(ConfigurationChange.contextByteCountMax)",
        ]
        let transitions = ConfigurationChange.Transition.allCases.map { "\($0) | \($0.rawValue)" }
        let kinds = MembershipStep.Kind.allCases.map { "\($0) | \($0.rawValue)" }
        for row in rows + transitions + kinds { #expect(text.contains("| \(row) |"), "\(row)") }
    }
}
