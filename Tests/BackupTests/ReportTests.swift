import Backup
import FileSystem
import Foundation
import Metadata
import Testing

@Suite("What is told of a backup file", .timeLimit(.minutes(2)))
struct ReportTests {
    @Test("It says what the header and the end say, and whether all was read", arguments: [true, false])
    func single(isQuick: Bool) async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        let file = try OpenedBackup(opening: path, fileSystem: POSIXFileSystem()).summary
        let report = try BackupReport(inspecting: path, isQuick: isQuick)
        #expect(report == BackupReport(file, isVerified: !isQuick))
        #expect(report.path == path && report.id == file.end.id && report.index == file.header.index)
        #expect(report.bytes == UInt64(try bed.bytes(of: path).count))
        #expect((report.buckets, report.objects, report.versions, report.objectBytes) == (1, 2, 2, 306))
        #expect((report.bodies, report.bodyBytes, report.withData) == (1, 300, true))
        #expect(report.storeFiles == file.header.files.count && report.storeBytes == file.header.storeByteCount)
        #expect(report.clusterId == nil && report.clusterVersion == nil && report.term == nil)
        let names = report.lines.map { String($0.prefix { $0 != " " }) }
        #expect(names == ["file", "id", "created", "of", "index", "digest", "content", "bodies", "store", "checked"])
        #expect(report.lines[3] == "of        a single node")
        #expect(report.lines[7] == "bodies    1 of 300 bytes, in the file")
        #expect(report.lines[9] == "checked   " + (isQuick ? "beginning and end only" : "every checksum is right"))
    }

    @Test("Of a cluster's state it names the cluster and the term; bodies that are not in the file are called so")
    func replicated() async throws {
        let bed = try BackupBed()
        let path = bed.path("cluster.snap")
        try await bed.withReplicated("source") { engine in
            try await retry { try await engine.makeBucket() }
            try await engine.put("stored", .stored(try await engine.storeBody(300_000, seed: 1)))
            _ = try await engine.createSnapshot(to: path, withData: false)
        }
        let header = try OpenedBackup(opening: path, fileSystem: POSIXFileSystem()).header
        let cluster = try #require(header.cluster)
        let report = try BackupReport(inspecting: path, isQuick: false)
        #expect(report.clusterId == "\(cluster.id)" && report.clusterVersion == cluster.version && report.term == cluster.term)
        #expect(report.lines[3] == "of        cluster \(cluster.id) (version \(cluster.version))")
        #expect(report.lines[4] == "index     \(header.index) of term \(cluster.term)")
        #expect(report.lines[7] == "bodies    1 of 300000 bytes, not in the file")
        let seconds = try Date(report.created, strategy: .iso8601).timeIntervalSince1970
        #expect(UInt64(seconds) == header.created / 1000)
    }

    @Test("A quick look does not see damage between beginning and end, a whole one does")
    func damage() async throws {
        let bed = try BackupBed()
        let path = try await bed.makeSmallFile()
        var bytes = try bed.bytes(of: path)
        bytes[bytes.count / 2] ^= 1
        try bed.write(bytes, to: path)
        #expect(try BackupReport(inspecting: path, isQuick: true).verified == false)
        let error = await failure { () throws(BackupError) in _ = try BackupReport(inspecting: path, isQuick: false) }
        guard case .damaged? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
