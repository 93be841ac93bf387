import ObjectDataStore
import Raft
import Replication
import Testing

@Suite struct BodyUploadTests {
    static let three = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)], learners: [NodeID(4)])

    static func at(_ milliseconds: UInt64) -> ClockReading { ClockReading.zero.adding(milliseconds: milliseconds) }

    static func upload(
        _ configuration: Configuration = three, _ requirement: BodyUpload.Requirement = .majority
    ) -> BodyUpload {
        var settings = BodyUploadSettings()
        settings.windowByteCount = 100
        settings.patienceMilliseconds = 50
        settings.stallMilliseconds = 1_000
        return BodyUpload(
            BodyID(origin: 1, sequence: 1), in: configuration, requirement: requirement, settings: settings, at: at(0))
    }

    @Test("A majority of the voters decides; a learner is no voter")
    func majority() {
        var upload = Self.upload()
        upload.send(byteCount: 10, at: Self.at(1))
        upload.finish(at: Self.at(2))
        #expect(upload.outcome == .pending)
        let answer1 = upload.durable(on: NodeID(4))
        #expect(answer1)
        let answer2 = upload.durable(on: NodeID(2))
        #expect(answer2)
        #expect(upload.outcome == .pending)
        upload.failed(on: NodeID(1))
        #expect(upload.outcome == .pending)
        let answer3 = upload.durable(on: NodeID(3))
        #expect(answer3)
        #expect(upload.outcome == .won)
        #expect(upload.holders == [NodeID(2), NodeID(3), NodeID(4)])
        // What has failed stays so, whatever it says later.
        upload.durable(on: NodeID(1))
        #expect(!upload.holders.contains(NodeID(1)))
    }

    @Test("It is lost when the rest is no majority; all voters are needed where all are asked for")
    func lost() {
        var upload = Self.upload()
        upload.failed(on: NodeID(1))
        #expect(upload.outcome == .pending)
        upload.failed(on: NodeID(3))
        #expect(upload.outcome == .lost)
        var all = Self.upload(Self.three, .all)
        all.failed(on: NodeID(4))
        #expect(all.outcome == .pending)
        all.failed(on: NodeID(2))
        #expect(all.outcome == .lost)
    }

    @Test("While members change both halves must hold it")
    func joint() {
        var configuration = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        configuration.outgoingVoters = [NodeID(1), NodeID(4), NodeID(5)]
        var upload = Self.upload(configuration)
        upload.finish(at: Self.at(1))
        for node: UInt64 in [1, 2] { upload.durable(on: NodeID(node)) }
        #expect(upload.outcome == .pending)
        upload.durable(on: NodeID(5))
        #expect(upload.outcome == .won)
    }

    @Test("A write waits for a quorum's room, and for the others only as long as its patience lasts")
    func room() {
        var upload = Self.upload()
        upload.send(byteCount: 100, at: Self.at(1))
        #expect(!upload.hasRoom)
        upload.accepted(50, by: NodeID(1), at: Self.at(2))
        #expect(!upload.hasRoom)
        upload.accepted(1, by: NodeID(2), at: Self.at(2))
        #expect(upload.hasRoom)
        #expect(!upload.hasRoomEverywhere)
        let answer4 = upload.dropLaggards()
        #expect(answer4.isEmpty)
        upload.waited(milliseconds: 49)
        let answer5 = upload.dropLaggards()
        #expect(answer5.isEmpty)
        upload.waited(milliseconds: 5)
        let answer6 = upload.dropLaggards()
        #expect(answer6 == [NodeID(3), NodeID(4)])
        #expect(upload.hasRoomEverywhere)
        // Without the laggards both others are needed.
        upload.send(byteCount: 60, at: Self.at(3))
        #expect(!upload.hasRoom)
        let answer7 = upload.dropLaggards()
        #expect(answer7.isEmpty)
    }

    @Test("Who takes nothing of what it has is given up; who has taken all is not")
    func stalls() {
        var upload = Self.upload()
        upload.send(byteCount: 10, at: Self.at(0))
        for node: UInt64 in [1, 2, 4] { upload.accepted(10, by: NodeID(node), at: Self.at(1)) }
        let answer8 = upload.dropStalled(at: Self.at(999))
        #expect(answer8.isEmpty)
        let answer9 = upload.dropStalled(at: Self.at(1_000))
        #expect(answer9 == [NodeID(3)])
        // The client was slow: their time begins with what comes next.
        upload.send(byteCount: 10, at: Self.at(60_000))
        let answer10 = upload.dropStalled(at: Self.at(60_999))
        #expect(answer10.isEmpty)
        for node: UInt64 in [1, 2, 4] { upload.accepted(20, by: NodeID(node), at: Self.at(60_999)) }
        upload.finish(at: Self.at(70_000))
        let answer11 = upload.dropStalled(at: Self.at(70_999))
        #expect(answer11.isEmpty)
        let answer12 = upload.dropStalled(at: Self.at(71_000))
        #expect(answer12 == [NodeID(1), NodeID(2), NodeID(4)])
        #expect(upload.outcome == .lost)
    }

    @Test("What a replica cannot have said is no progress")
    func nonsense() {
        var upload = Self.upload()
        upload.send(byteCount: 10, at: Self.at(0))
        let answer13 = upload.accepted(11, by: NodeID(1), at: Self.at(1))
        #expect(!answer13)
        let answer14 = upload.durable(on: NodeID(1))
        #expect(!answer14)
        let answer15 = upload.accepted(3, by: NodeID(9), at: Self.at(1))
        #expect(answer15)
        #expect(upload.replicas.allSatisfy { $0.accepted == 0 && $0.phase == .receiving })
    }
}
