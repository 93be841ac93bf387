import Raft
import RaftStorage
import Testing

/// The tests are tested: each bug that can be put back into the log is found by one of the random runs.
@Suite struct MutationTests {
    /// What a write has put elsewhere has the wrong number as well: only `DiskCaseTests.misdirectedWrite` tells the checksum from that.
    static let names = StorageMutations.all.map(\.name).filter { $0 != "forgets-place" }

    @Test("A random run finds each bug that can be put back", arguments: names)
    func found(name: String) throws {
        let mutation = try #require(StorageMutations.all.first { $0.name == name }).mutation
        for seed: UInt64 in 0..<400 {
            var run = RandomRun(seed: seed, mutations: mutation)
            if try run.perform(stepCount: 150) != nil { return }
            if try DamagedRun(seed: seed, mutations: mutation).perform() != nil { return }
        }
        Issue.record("nothing finds \(name)")
    }
}
