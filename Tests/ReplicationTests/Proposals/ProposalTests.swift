import Metadata
import Raft
import Replication
import Testing

@Suite("Writes from the call to the outcome")
struct ProposalTests {
    @Test("A write is committed wherever it arrives, and whoever wrote it reads it there")
    func anywhere() throws {
        let cluster = try TestCluster.ready(3)
        for (number, node) in cluster.nodes.enumerated() {
            try cluster.putAndWait("key-\(number)", UInt64(number + 1), on: node)
            #expect(try node.value("key-\(number)") == UInt64(number + 1))
        }
        try cluster.settle()
        #expect(try cluster.nodes.allSatisfy { try $0.versionCount() == 3 })
        try cluster.expectSound()
    }
}
