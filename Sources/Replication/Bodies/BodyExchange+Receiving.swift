import Logging
import Metadata
import NIOCore
import ObjectDataStore
import Raft

struct BodyReceptionKey: Hashable, Sendable {
    var sender: NodeID
    /// Of the sender's disk.
    var incarnation: UInt64
    var stream: BodyMessage.Stream
}

/// A body that a peer sends. Confined to the exchange's loop; the events go to the task that writes.
final class BodyReception {
    enum Event: Sendable {
        case data(ByteBuffer)
        case finish(length: UInt64, tableChecksum: UInt32)
        /// The sender has given it up, or broken the protocol.
        case abort
    }

    let events: AsyncStream<Event>.Continuation
    private var incoming: IncomingBody

    init(_ id: BodyID, _ events: AsyncStream<Event>.Continuation, at now: ClockReading) {
        incoming = IncomingBody(id, at: now)
        self.events = events
    }

    func take(_ bytes: ByteBuffer, at offset: UInt64) {
        switch incoming.take(byteCount: bytes.readableBytes, at: offset, now: BootClock.now) {
        case .taken: events.yield(.data(bytes))
        case .broken: end(with: .abort)
        case .ignored: break
        }
    }

    func wrote(upTo byteCount: UInt64) { incoming.wrote(upTo: byteCount) }

    func finish(length: UInt64, tableChecksum: UInt32) {
        switch incoming.finish(length: length) {
        case .taken: end(with: .finish(length: length, tableChecksum: tableChecksum))
        case .broken: end(with: .abort)
        case .ignored: break
        }
    }

    func abort() { if incoming.abort() == .broken { end(with: .abort) } }

    func confirm(at now: ClockReading) { incoming.confirm(at: now) }

    func isGivenUp(after milliseconds: UInt64, at now: ClockReading) -> Bool {
        incoming.isGivenUp(after: milliseconds, at: now)
    }

    private func end(with event: Event) {
        events.yield(event)
        events.finish()
    }
}

/// Receiving: each body has a task that writes what comes; the sender's window bounds what waits for it.
extension BodyExchange {
    /// After so many bytes it is asked again what space is left.
    private static let spaceCheckByteCount: UInt64 = 4 << 20

    func open(_ key: BodyReceptionKey, _ id: BodyID) {
        guard receptions[key] == nil else { return }
        guard receptions.count(where: { $0.key.sender == key.sender }) < settings.receptionCountMax else {
            send(.failed(key.stream, .busy), to: key.sender)
            return flush()
        }
        let (events, continuation) = AsyncStream.makeStream(of: BodyReception.Event.self)
        receptions[key] = BodyReception(id, continuation, at: BootClock.now)
        ledger.receptionBegan(id)
        Task { [self] in
            let failure = await receive(key, id, events)
            loop.execute { [self] in
                receptions[key] = nil
                ledger.receptionEnded(id, isStored: failure == nil)
                send(failure.map { .failed(key.stream, $0) } ?? .durable(key.stream), to: key.sender)
                flush()
            }
        }
    }

    /// - Returns: why it is not stored; nil: it is, durably.
    private func receive(_ key: BodyReceptionKey, _ id: BodyID, _ events: AsyncStream<BodyReception.Event>) async
        -> BodyFailure?
    {
        do {
            try await checkSpace()
            let writer = try await store.makeWriter(for: id)
            do {
                return try await receive(key, events, into: writer)
            } catch {
                await writer.abort()
                throw error
            }
        } catch let error as ObjectDataStoreError {
            return BodyFailure(error)
        } catch let error as MetadataError {
            return error.code == .noSpace ? .noSpace : .storage
        } catch { return .storage }
    }

    private func receive(
        _ key: BodyReceptionKey, _ events: AsyncStream<BodyReception.Event>, into writer: ObjectDataWriter
    ) async throws -> BodyFailure? {
        var written: UInt64 = 0
        var checked: UInt64 = 0
        for await event in events {
            switch event {
            case .data(let bytes):
                written += UInt64(bytes.readableBytes)
                if written - checked >= Self.spaceCheckByteCount {
                    checked = written
                    try await checkSpace()
                }
                try await writer.write(bytes)
                tookUp(to: written, key)
            case .finish(_, let tableChecksum):
                _ = try await writer.finish(expectingTableChecksum: tableChecksum)
                return nil
            case .abort:
                await writer.abort()
                return .protocolViolation
            }
        }
        await writer.abort()
        return .unreachable
    }

    private func tookUp(to byteCount: UInt64, _ key: BodyReceptionKey) {
        loop.execute { [self] in
            receptions[key]?.wrote(upTo: byteCount)
            send(.accepted(key.stream, byteCount: byteCount), to: key.sender)
            flush()
        }
    }

    /// The streams of the sender that go on. What was opened a moment ago may not be named yet.
    func confirm(_ streams: [BodyMessage.Stream], of sender: NodeID, _ incarnation: UInt64) {
        let now = BootClock.now
        for stream in streams {
            receptions[BodyReceptionKey(sender: sender, incarnation: incarnation, stream: stream)]?.confirm(at: now)
        }
    }
}
