import Dispatch
import FileSystem
import Raft
import RaftStorage
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct LogWriterTests {
    /// What the log's thread said, and a way to wait for it.
    final class Events: Sendable {
        private let seen = Mutex<[LogWriter.Event]>([])
        private let signal = DispatchSemaphore(value: 0)

        func take(_ event: LogWriter.Event) {
            seen.withLock { $0.append(event) }
            signal.signal()
        }

        var tokens: [UInt64] {
            seen.withLock { events in
                events.compactMap { event in
                    if case .durable(let token) = event { token } else { nil }
                }
            }
        }

        var failure: LogError? {
            seen.withLock { events in
                for case .failed(let error) in events { return error }
                return nil
            }
        }

        var waits: [Bool] {
            seen.withLock { events in
                events.compactMap { event in
                    if case .waitsForSpace(let waits) = event { waits } else { nil }
                }
            }
        }

        /// Blocks until the condition holds; it is asked again after each event.
        func wait(until condition: (Events) -> Bool) {
            while !condition(self) { signal.wait() }
        }
    }

    @Test("Everything that was submitted is durable, in order, and there at the next start")
    func order() throws {
        let fixture = LogFixture(segmentByteCount: 1 << 20)
        let events = Events()
        let writer = try LogWriter(try fixture.open().log) { events.take($0) }
        try writer.submit(LogBatch(hardState: state(1, vote: 1)), token: 1)
        for index: UInt64 in 1...500 {
            try writer.submit(
                LogBatch(entries: [entry(index, [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 100))]),
                token: index + 1)
        }
        events.wait { $0.tokens.last == 501 }
        #expect(events.tokens == events.tokens.sorted())
        #expect(Set(events.tokens).count == events.tokens.count)
        let read = try writer.entries(from: LogIndex(10), through: LogIndex(20), byteCountMax: .max)
        #expect(read.map(\.index.rawValue) == Array(10...20))
        writer.close()
        fixture.disk.crash()
        let recovered = try fixture.open().recovered
        #expect(recovered.lastIndex == LogIndex(500))
        #expect(recovered.hardState == state(1, vote: 1))
    }

    @Test("A closed log is sealed, takes nothing more, and had everything written")
    func close() throws {
        let fixture = LogFixture()
        let events = Events()
        let writer = try LogWriter(try fixture.open().log) { events.take($0) }
        try writer.submit(LogBatch(hardState: state(1), entries: [entry(1)]), token: 1)
        writer.close()
        #expect(events.tokens == [1])
        let error = #expect(throws: LogError.self) { try writer.submit(LogBatch(entries: [entry(2)]), token: 2) }
        guard case .closed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        // Sealed: the last block says that everything before it is durable.
        let evidence = try fixture.bytes(1).withUnsafeBytes { bytes in
            SegmentScan(bytes, segment: 1, segmentByteCount: bytes.count, identity: LogFixture.identity, file: "").evidence(
                from: 0)
        }
        #expect(evidence.synchronizedEnd == LogPosition(segment: 1, offset: UInt64(evidence.end - LogFormat.blockByteCount)))
    }

    @Test(
        "An error of the disk ends it: one event, and a typed error for every later call", arguments: ["pwrite", "fdatasync"])
    func failure(operation: String) throws {
        let fixture = LogFixture()
        let events = Events()
        let log = try fixture.open().log
        let writer = try LogWriter(log) { events.take($0) }
        try writer.submit(LogBatch(hardState: state(1)), token: 1)
        events.wait { $0.tokens == [1] }
        fixture.disk.inject(.failure(.io), atNext: operation)
        // The seal of an idle log may be what meets the error.
        try? writer.submit(LogBatch(entries: [entry(1)]), token: 2)
        events.wait { $0.failure != nil }
        guard case .file(let cause) = events.failure else {
            Issue.record("\(String(describing: events.failure))")
            return
        }
        #expect(cause.code == .io)
        #expect(events.tokens == [1])
        let error = #expect(throws: LogError.self) { try writer.submit(LogBatch(entries: [entry(2)]), token: 3) }
        guard case .failed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        writer.close()
    }

    @Test("An error while files are made ahead of use ends it as well, without another batch")
    func failureOfMaintenance() throws {
        let fixture = LogFixture(segmentByteCount: 16_384)
        let events = Events()
        let log = try fixture.open().log
        fixture.disk.inject(.failure(.io), atNext: "fsync")
        let writer = try LogWriter(log) { events.take($0) }
        // The second entry begins the segment that was in reserve: another one is made.
        try writer.submit(LogBatch(hardState: state(1), entries: [entry(1, [UInt8](repeating: 1, count: 6_000))]), token: 1)
        try writer.submit(LogBatch(entries: [entry(2, [UInt8](repeating: 1, count: 6_000))]), token: 2)
        events.wait { $0.failure != nil }
        #expect(events.tokens.last == 2)
        #expect(throws: LogError.self) { try writer.submit(LogBatch(entries: [entry(3)]), token: 3) }
        writer.close()
    }

    @Test("The queue is bounded in count and in bytes; one batch is always taken")
    func bounds() throws {
        let fixture = LogFixture(segmentByteCount: 1 << 20)
        let gate = DispatchSemaphore(value: 0)
        let isOpen = Mutex(false)
        let events = Events()
        var limits = LogWriter.Limits()
        limits.queuedCountMax = 3
        limits.queuedByteCountMax = 10_000
        let writer = try LogWriter(try fixture.open().log, limits: limits) { event in
            events.take(event)
            // Holds the log's thread, so that what comes now has to wait.
            if !isOpen.withLock({ $0 }) { gate.wait() }
        }
        try writer.submit(LogBatch(hardState: state(1)), token: 1)
        events.wait { $0.tokens == [1] }
        func isFull(_ index: UInt64, _ byteCount: Int) -> Bool {
            do throws(LogError) {
                try writer.submit(LogBatch(entries: [entry(index, [UInt8](repeating: 1, count: byteCount))]), token: index + 1)
                return false
            } catch {
                if case .queueFull = error { return true }
                Issue.record("\(error)")
                return false
            }
        }
        #expect(!isFull(1, 20_000))
        #expect(isFull(2, 1))
        isOpen.withLock { $0 = true }
        gate.signal()
        events.wait { $0.tokens.last == 2 }
        #expect(!isFull(2, 1))
        writer.close()
        #expect(try fixture.open().recovered.lastIndex == LogIndex(2))
    }

    @Test("On a full disk it waits, says so, and goes on in order when there is room")
    func space() throws {
        let fixture = LogFixture(segmentByteCount: 16_384)
        let events = Events()
        var limits = LogWriter.Limits()
        limits.spaceRetryMilliseconds = 1
        let (log, _) = try fixture.open()
        fixture.disk.setAvailableByteCount(0)
        let writer = try LogWriter(log, limits: limits) { events.take($0) }
        try writer.submit(LogBatch(hardState: state(1)), token: 1)
        for index: UInt64 in 1...20 {
            try writer.submit(LogBatch(entries: [entry(index, [UInt8](repeating: 1, count: 3_000))]), token: index + 1)
        }
        events.wait { $0.waits == [true] }
        fixture.disk.setAvailableByteCount(1 << 30)
        events.wait { $0.tokens.last == 21 }
        #expect(events.waits.last == false)
        #expect(events.failure == nil)
        writer.close()
        #expect(try fixture.open().recovered.lastIndex == LogIndex(20))
    }

    @Test("Segments behind snapshots are reused while it runs, and reads of what is gone say so")
    func reuse() throws {
        let fixture = LogFixture(segmentByteCount: 16_384)
        let events = Events()
        let writer = try LogWriter(try fixture.open().log) { events.take($0) }
        try writer.submit(LogBatch(hardState: state(1)), token: 1)
        var token: UInt64 = 1
        for index: UInt64 in 1...60 {
            token += 1
            try writer.submit(
                LogBatch(hardState: state(1, commit: index), entries: [entry(index, [UInt8](repeating: 1, count: 3_000))]),
                token: token)
            if index.isMultiple(of: 5) {
                token += 1
                try writer.submit(LogBatch(snapshot: .compaction(mark(index))), token: token)
            }
            let expected = token
            events.wait { $0.tokens.last == expected }
        }
        let error = #expect(throws: LogError.self) {
            try writer.entries(from: LogIndex(1), through: LogIndex(2), byteCountMax: 1)
        }
        guard case .compacted(let first) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(first > LogIndex(40))
        writer.close()
        #expect(try fixture.disk.list(LogFixture.directory).count < 10)
    }
}
