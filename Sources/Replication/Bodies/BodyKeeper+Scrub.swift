import KeyValueStore
import Logging
import Metadata
import ObjectDataStore
import Synchronization

/// The scrub: reads every block again and again, each once a period, so that what rots on one disk is found while others have it.
extension BodyKeeper {
    /// Below this rate a round takes less than its period: a few bodies are not read a byte at a time.
    private static let bytesPerSecondMin: UInt64 = 1 << 20
    private static let idleMilliseconds: UInt64 = 1_000

    func scrub() async {
        guard let period = settings.scrubPeriodMilliseconds else { return }
        while !Task.isCancelled {
            let begin = BootClock.now
            do {
                try await scrubOnce(period)
                let elapsed = BootClock.now.milliseconds(since: begin)
                try await Task.sleep(for: .milliseconds(max(Self.idleMilliseconds, period - min(period, elapsed))))
            } catch is CancellationError {
                return
            } catch {
                logger.error("the scrub of bodies was interrupted", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(Self.idleMilliseconds))
            }
        }
    }

    /// One round over all bodies. It begins anywhere, so that a node that is restarted often verifies all of them in the end.
    private func scrubOnce(_ period: UInt64) async throws {
        let (total, start) = try await survey()
        scrubProgress.withLock { $0 = BodyKeeperStatus.Scrub(verifiedByteCount: 0, totalByteCount: total) }
        guard total > 0 else { return }
        let rate = total.multipliedFullWidth(by: 1000)
        var pacer = Pacer(
            bytesPerSecond: max(Self.bytesPerSecondMin, rate.high >= period ? .max : period.dividingFullWidth(rate).quotient))
        try await scrub(from: start, upTo: nil, &pacer)
        try await scrub(from: [], upTo: start, &pacer)
    }

    private func scrub(from start: [UInt8], upTo end: [UInt8]?, _ pacer: inout Pacer) async throws {
        var last = start
        while true {
            let batch = try await names(after: last)
            guard let next = batch.last else { return }
            last = KeySchema.body(next.id)
            for body in batch {
                try Task.checkCancellation()
                if let end, !KeySchema.body(body.id).lexicographicallyPrecedes(end), KeySchema.body(body.id) != end { return }
                if !ledger.withState({ $0.lacks[body.id] != nil }) { await verify(body, &pacer) }
                scrubProgress.withLock { $0?.verifiedByteCount += body.length }
            }
        }
    }

    /// - Returns: the bytes of all bodies, and the key of one of them, by chance.
    private func survey() async throws -> (total: UInt64, start: [UInt8]) {
        var (total, count, start, last): (UInt64, UInt64, [UInt8], [UInt8]) = (0, 0, [], [])
        while true {
            try Task.checkCancellation()
            let batch = try await names(after: last)
            guard let next = batch.last else { return (total, start) }
            last = KeySchema.body(next.id)
            for body in batch {
                total += body.length
                count += 1
                if UInt64.random(in: 0..<count) == 0 { start = KeySchema.body(body.id) }
            }
        }
    }
}
