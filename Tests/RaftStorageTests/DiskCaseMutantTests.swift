import Raft
import RaftStorage
import Testing

/// The tests are tested: each named case of docs/named-cases.md fails when its bug is put back.
@Suite struct DiskCaseMutantTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let test: String
        let bug: String
        let run: @Sendable (DiskCaseTests) throws -> Void

        init(_ test: String, _ bug: String, _ run: @escaping @Sendable (DiskCaseTests) throws -> Void) {
            (self.test, self.bug, self.run) = (test, bug, run)
        }

        var testDescription: String { "\(test), \(bug)" }
    }

    static let cases = [
        Case("DiskCaseTests.reorderedRecords", "delays-hard-state") { tests in
            for seed in 0..<64 { try tests.reorderedRecords(seed: seed) }
        },
        Case("DiskCaseTests.acknowledgement", "acknowledges-before-synchronize") {
            try $0.acknowledgement(hasDirectFiles: false)
        },
        Case("DiskCaseTests.tornAgainstDamaged", "cuts-at-damage") { try $0.tornAgainstDamaged() },
        Case("DiskCaseTests.appendingAfterTornTail", "leaves-torn-tail") { try $0.appendingAfterTornTail() },
        Case("DiskCaseTests.synchronizationError", "retries-synchronize") { try $0.synchronizationError() },
        Case("DiskCaseTests.noSpaceInsideRecord", "ignores-write-error") { try $0.noSpaceInsideRecord() },
        Case("DiskCaseTests.rename", "renames-without-directory-sync") { try $0.rename() },
        Case("DiskCaseTests.damagedCommittedEntry", "cuts-at-damage") { try $0.damagedCommittedEntry() },
        Case("DiskCaseTests.misdirectedWrite", "forgets-place") { try $0.misdirectedWrite() },
    ]

    @Test("A named case finds its bug", arguments: cases)
    func fails(_ named: Case) throws {
        let bug = try #require(StorageMutations.all.first { $0.name == named.bug }).mutation
        PutBack.$bug.withValue(bug) {
            withKnownIssue { try named.run(DiskCaseTests()) }
        }
    }
}
