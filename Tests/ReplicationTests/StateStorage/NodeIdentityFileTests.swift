import FileSystem
import Raft
import Replication
import Testing

@Suite("Who a data directory is")
struct NodeIdentityFileTests {
    private let fileSystem = FaultyFileSystem()
    private var file: NodeIdentityFile { NodeIdentityFile(dataDirectory: "/data", fileSystem: fileSystem) }

    init() throws { try fileSystem.makeDirectories("/data") }

    private func failure<Result>(_ body: () throws(NodeIdentityError) -> Result) -> String? {
        do throws(NodeIdentityError) {
            _ = try body()
            return nil
        } catch { return error.description }
    }

    @Test("It is made once, counts starts, joins one cluster, and all of it survives power loss")
    func life() throws {
        #expect(try file.load() == nil)
        let made = try file.create(node: NodeID(2), incarnation: Incarnation(17))
        let identity = NodeIdentity(NodeID(2), Incarnation(17))
        #expect(made == NodeIdentityFile.Contents(identity: identity, cluster: nil, startCount: 0))
        for count in UInt64(1)...3 {
            #expect(try file.countStart(of: NodeID(2)).startCount == count)
            fileSystem.crash(keeping: .nothing)
            #expect(try file.load()?.startCount == count)
        }
        #expect(try file.join(ClusterID(5)).cluster == ClusterID(5))
        #expect(try file.join(ClusterID(5)).startCount == 3)
        fileSystem.crash(keeping: .nothing)
        #expect(try file.load() == NodeIdentityFile.Contents(identity: identity, cluster: ClusterID(5), startCount: 3))
    }

    @Test("A node that was removed from its cluster is not started again; one that is in none cannot leave")
    func removal() throws {
        #expect(failure { () throws(NodeIdentityError) in try file.leave() } == "/data/IDENTITY is missing")
        _ = try file.create(node: NodeID(2))
        #expect(try file.leave().isRemoved == false)
        _ = try file.join(ClusterID(5))
        _ = try file.countStart(of: NodeID(2))
        #expect(try file.leave().isRemoved)
        fileSystem.crash(keeping: .nothing)
        let contents = try #require(try file.load())
        #expect(contents.isRemoved && contents.cluster == ClusterID(5) && contents.startCount == 1)
        #expect(try file.leave() == contents)
        let reason = failure { () throws(NodeIdentityError) in try file.countStart(of: NodeID(2)) }
        #expect(reason?.hasPrefix("/data is node 2 of cluster 5, which has removed it") == true)
        #expect(try file.load()?.startCount == 1)
    }

    @Test("Two directories have different incarnations")
    func incarnations() throws {
        try fileSystem.makeDirectories("/other")
        let other = NodeIdentityFile(dataDirectory: "/other", fileSystem: fileSystem)
        #expect(try file.create(node: NodeID(1)).identity.incarnation != other.create(node: NodeID(1)).identity.incarnation)
    }

    @Test("What does not belong together is refused in words")
    func refusals() throws {
        #expect(failure { () throws(NodeIdentityError) in try file.countStart(of: NodeID(2)) } == "/data/IDENTITY is missing")
        #expect(failure { () throws(NodeIdentityError) in try file.join(ClusterID(1)) } == "/data/IDENTITY is missing")
        let made = try file.create(node: NodeID(2))
        #expect(
            failure { () throws(NodeIdentityError) in try file.create(node: NodeID(2)) } == "/data/IDENTITY is there already")
        #expect(
            failure { () throws(NodeIdentityError) in try file.countStart(of: NodeID(3)) }
                == "/data belongs to node 2, the configuration says 3")
        _ = try file.join(ClusterID(8))
        #expect(
            failure { () throws(NodeIdentityError) in try file.join(ClusterID(9)) }
                == "/data belongs to cluster 8, and cannot join 9")
        #expect(try file.load()?.identity == made.identity)
        #expect(try file.load()?.startCount == 0)
    }

    @Test("Any changed byte is noticed", arguments: 0..<NodeIdentityFile.Contents.byteCount)
    func damaged(_ offset: Int) throws {
        _ = try file.create(node: NodeID(2))
        try fileSystem.flipBit(1, ofByte: offset, in: file.path)
        let text = try #require(failure { () throws(NodeIdentityError) in try file.load() })
        #expect(text.contains("/data/IDENTITY is damaged") || text.contains("layout version") && (8..<12).contains(offset))
    }

    @Test("A file of another length is damaged", arguments: [0, 7, 20, 48, 50])
    func length(_ byteCount: Int) throws {
        _ = try file.create(node: NodeID(2))
        try fileSystem.open(file.path, .update).truncate(to: UInt64(byteCount))
        #expect(try #require(failure { () throws(NodeIdentityError) in try file.load() }).contains("is damaged"))
    }

    @Test("Power loss at any operation of a change leaves the file before or after it")
    func powerLoss() throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = FaultyFileSystem()
            try disk.makeDirectories("/data")
            let file = NodeIdentityFile(dataDirectory: "/data", fileSystem: disk)
            _ = try file.create(node: NodeID(2))
            _ = try file.countStart(of: NodeID(2))
            disk.inject(.halt, at: disk.operationCount + 1 + Int(seed % 10))
            let changed = try? file.countStart(of: NodeID(2))
            disk.crash(keeping: .some(seed: seed))
            let count = try #require(try file.load()).startCount
            #expect(changed == nil ? [1, 2].contains(count) : count == 2)
        }
    }

    @Test("The bytes are those of the document")
    func bytes() throws {
        _ = try file.create(node: NodeID(2), incarnation: Incarnation(0x0102_0304_0506_0708))
        _ = try file.join(ClusterID(9))
        _ = try file.countStart(of: NodeID(2))
        let bytes = try fileSystem.readFile(file.path, byteCountMax: 1000)
        #expect(
            Array(bytes.prefix(45)) == Array("RFSMNODE".utf8) + [
                1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
            ])
        #expect(bytes.count == NodeIdentityFile.Contents.byteCount)
    }
}
