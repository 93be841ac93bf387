import Metadata
import Testing

@Suite("The queue of writes")
struct WriteQueueTests {
    private typealias Queue = WriteQueue<Int>

    private func add(_ queue: inout Queue, _ element: Int, byteCount: Int = 1) -> String {
        switch queue.add(byteCount, { element }) {
        case .queued: "queued"
        case .queuedAsFirst: "first"
        case .refused(let error): "refused \(error.code)"
        }
    }

    @Test("The first write of an idle queue starts the drainer, the others only wait, until it has found the queue empty")
    func drainer() {
        var queue = Queue()
        #expect(add(&queue, 1) == "first")
        #expect(add(&queue, 2) == "queued")
        #expect(queue.takeBatch() == [1, 2])
        #expect(add(&queue, 3) == "queued")
        #expect(queue.takeBatch() == [3])
        #expect(queue.takeBatch() == [])
        #expect(add(&queue, 4) == "first")
    }

    @Test("A batch is bounded in count and in bytes, but holds one write at least")
    func batches() {
        var queue = Queue()
        for element in 0..<Queue.batchCountMax + 5 { _ = add(&queue, element) }
        #expect(queue.takeBatch() == Array(0..<Queue.batchCountMax))
        #expect(queue.takeBatch().count == 5)
        let half = Queue.batchByteCountMax / 2
        for (element, byteCount) in [half, half, 1, Queue.batchByteCountMax + 1, 1].enumerated() {
            _ = add(&queue, element, byteCount: byteCount)
        }
        #expect(queue.takeBatch() == [0, 1])
        #expect(queue.takeBatch() == [2])
        #expect(queue.takeBatch() == [3])
        #expect(queue.takeBatch() == [4])
    }

    @Test("A full queue refuses, in count and in bytes, and takes again when there is room")
    func bounds() {
        var queue = Queue()
        for element in 0..<Queue.countMax { _ = add(&queue, element) }
        #expect(add(&queue, 0) == "refused unavailable")
        _ = queue.takeBatch()
        #expect(add(&queue, 0) == "queued")

        var bytes = Queue()
        #expect(add(&bytes, 0, byteCount: Queue.byteCountMax) == "first")
        #expect(add(&bytes, 1) == "refused unavailable")
        #expect(bytes.takeBatch() == [0])
        #expect(add(&bytes, 1) == "queued")
    }

    @Test("A closed queue refuses and is drained; a failed one gives up what waits")
    func ends() {
        var queue = Queue()
        _ = add(&queue, 1)
        queue.close()
        #expect(add(&queue, 2) == "refused unavailable")
        #expect(queue.takeBatch() == [1])

        var failing = Queue()
        _ = add(&failing, 1)
        _ = failing.takeBatch()
        _ = add(&failing, 2)
        #expect(failing.fail(MetadataError(.ioError)) == [2])
        #expect(add(&failing, 3) == "refused ioError")
        #expect(failing.takeBatch() == [])
        failing.close()
        #expect(failing.failure?.code == .ioError)
    }
}
