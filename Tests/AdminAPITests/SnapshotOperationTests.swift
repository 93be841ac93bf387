import AdminAPI
import AdminDocuments
import NIOHTTP1
import Synchronization
import Testing

/// Writes nothing, and remembers what was asked of it.
final class FakeSnapshots: SnapshotAdministration {
    private let asked = Mutex<[SnapshotFileRequest]>([])
    private let askedRestores = Mutex<[RestoreRequest]>([])

    var requests: [SnapshotFileRequest] { asked.withLock { $0 } }

    var export: SnapshotExportDocument? {
        requests.last.map { request in
            SnapshotExportDocument(
                path: request.path, withData: request.withData ?? false, state: .running, index: 8, bytesDone: 1, bytesTotal: 2,
                id: nil, error: nil)
        }
    }

    func begin(_ request: SnapshotFileRequest) async throws(AdminError) -> SnapshotExportDocument {
        guard request.path.hasPrefix("/") else { throw AdminError(.badRequest, "InvalidPath", "not absolute") }
        asked.withLock { $0.append(request) }
        return SnapshotExportDocument(
            path: request.path, withData: request.withData ?? false, state: .running, index: nil, bytesDone: 0, bytesTotal: 0,
            id: nil, error: nil)
    }

    var restores: [RestoreRequest] { askedRestores.withLock { $0 } }

    var restore: RestoreDocument? { restores.last.map(Self.running) }

    func begin(_ request: RestoreRequest) async throws(AdminError) -> RestoreDocument {
        guard request.path.hasPrefix("/") else { throw AdminError(.badRequest, "InvalidPath", "not absolute") }
        askedRestores.withLock { $0.append(request) }
        return Self.running(request)
    }

    private static func running(_ request: RestoreRequest) -> RestoreDocument {
        RestoreDocument(
            path: request.path, state: .running, phase: "sending", id: "5a", bytesDone: 1, bytesTotal: 2, entry: nil,
            errorCode: nil, error: nil)
    }
}

@Suite("Snapshots as files, asked for by the administration interface")
struct SnapshotOperationTests {
    static let bodies: [(String, SnapshotFileRequest)] = [
        (#"{"path":"/b/one.snap"}"#, SnapshotFileRequest(path: "/b/one.snap", withData: nil, rateMib: nil)),
        (
            #"{"path":"/b/two.snap","rate_mib":7,"with_data":true}"#,
            SnapshotFileRequest(path: "/b/two.snap", withData: true, rateMib: 7)
        ),
    ]

    @Test("One is begun, also on a node without a cluster", arguments: bodies, [true, false])
    func create(given: (String, SnapshotFileRequest), inCluster: Bool) async {
        let bench = OperationBench(inCluster: inCluster)
        let answer = await bench.ask(.POST, "/metadata/snapshots", body: given.0)
        #expect(answer.status == 200 && answer.text.contains(#""state":"running""#))
        #expect(bench.snapshots.requests == [given.1])
        let progress = await bench.ask(.GET, "/metadata/snapshots")
        #expect(progress.status == 200 && progress.text.contains(#""bytes_total":2"#))
    }

    @Test("How far it is stands in the status, too")
    func status() async {
        let bench = OperationBench()
        #expect(await !bench.ask(.GET, "/metadata/status").text.contains("snapshot_export"))
        _ = await bench.ask(.POST, "/metadata/snapshots", body: Self.bodies[0].0)
        #expect(await bench.ask(.GET, "/metadata/status").text.contains(#""snapshot_export":{"bytes_done":1"#))
    }

    @Test("Before the first one there is nothing to tell")
    func none() async {
        let answer = await OperationBench().ask(.GET, "/metadata/snapshots")
        #expect(answer.status == 404 && answer.code == "NoSnapshot")
    }

    static let mistakes = [
        "{}", #"{"path":7}"#, #"{"path":"/b","with_data":1}"#, #"{"path":"/b","with_data":"true"}"#,
        #"{"path":"/b","rate_mib":0}"#,
        #"{"path":"/b","rate_mib":100001}"#, #"{"path":"/b","rate_mib":true}"#, #"{"path":"/b","what":1}"#, "", "[]", "{",
    ]

    @Test("What is missing or of the wrong kind is said by its name, and nothing is begun", arguments: mistakes)
    func malformed(body: String) async {
        let bench = OperationBench()
        let answer = await bench.ask(.POST, "/metadata/snapshots", body: body)
        #expect(answer.status == 400 && answer.code == "MalformedRequest")
        #expect(bench.snapshots.requests.isEmpty)
    }

    @Test("What the engine refuses is told in its words")
    func refused() async {
        let answer = await OperationBench().ask(.POST, "/metadata/snapshots", body: #"{"path":"relative"}"#)
        #expect(answer.status == 400 && answer.code == "InvalidPath" && answer.text.contains("not absolute"))
    }
}

@Suite("Restores, asked for by the administration interface")
struct RestoreOperationTests {
    @Test("One is begun, and both pages tell how far it is")
    func begin() async {
        let bench = OperationBench()
        #expect(await bench.ask(.GET, "/metadata/restores").code == "NoRestore")
        #expect(await !bench.ask(.GET, "/metadata/status").text.contains("restore"))
        let answer = await bench.ask(.POST, "/metadata/restores", body: #"{"path":"/b/one.snap"}"#)
        #expect(answer.status == 200 && answer.text.contains(#""phase":"sending""#))
        #expect(bench.snapshots.restores == [RestoreRequest(path: "/b/one.snap")])
        let progress = await bench.ask(.GET, "/metadata/restores")
        #expect(progress.status == 200 && progress.text == answer.text)
        #expect(await bench.ask(.GET, "/metadata/status").text.contains(#""restore":{"bytes_done":1"#))
    }

    static let mistakes = ["{}", #"{"path":7}"#, #"{"path":"/b","with_data":true}"#, "", "[]", "{"]

    @Test("What is missing or of the wrong kind is said by its name, and nothing is begun", arguments: mistakes)
    func malformed(body: String) async {
        let bench = OperationBench()
        let answer = await bench.ask(.POST, "/metadata/restores", body: body)
        #expect(answer.status == 400 && answer.code == "MalformedRequest")
        #expect(bench.snapshots.restores.isEmpty)
    }

    @Test("What the engine refuses is told in its words")
    func refused() async {
        let answer = await OperationBench().ask(.POST, "/metadata/restores", body: #"{"path":"relative"}"#)
        #expect(answer.status == 400 && answer.code == "InvalidPath" && answer.text.contains("not absolute"))
    }
}
