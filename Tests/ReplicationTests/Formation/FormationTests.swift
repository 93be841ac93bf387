import Metadata
import Raft
import Replication
import Testing

@Suite("How a cluster is founded")
struct FormationTests {
    @Test("Nodes with empty disks and one configuration found a cluster and elect a leader", arguments: [1, 2, 3, 5])
    func fresh(count: Int) throws {
        let cluster = try TestCluster(count)
        try cluster.awaitLeader()
        try cluster.settle()
        let ids = Set(cluster.nodes.map { $0.replica?.cluster })
        #expect(ids.count == 1 && !ids.contains(nil))
        #expect(cluster.nodes.allSatisfy { $0.replica?.core.configuration.voters.count == count })
        try cluster.expectSound()
    }
}
