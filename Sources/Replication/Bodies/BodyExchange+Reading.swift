import Logging
import NIOCore
import ObjectDataStore
import Raft

/// A question that a peer is to answer. Confined to the exchange's loop.
struct PendingRequest {
    enum Caller {
        case read(CheckedContinuation<Result<BodyBytes, BodyFailure>, Never>)
        case holds(CheckedContinuation<Result<[Bool], BodyFailure>, Never>)

        func fail(_ failure: BodyFailure) {
            switch self {
            case .read(let caller): caller.resume(returning: .failure(failure))
            case .holds(let caller): caller.resume(returning: .failure(failure))
            }
        }
    }

    let peer: NodeID
    let deadline: ClockReading
    let caller: Caller
}

/// Bodies of this node that peers read, held open for a while: they come for the next piece soon.
struct ServedBodies {
    private static let idleMilliseconds: UInt64 = 5_000
    private static let countMax = 32

    private var readers: [BodyID: (reader: ObjectDataReader, usedAt: ClockReading)] = [:]
    /// Reads under way.
    var count = 0

    mutating func reader(_ id: BodyID, at now: ClockReading) -> ObjectDataReader? {
        guard let found = readers[id] else { return nil }
        readers[id]?.usedAt = now
        return found.reader
    }

    mutating func keep(_ reader: ObjectDataReader, at now: ClockReading) {
        if readers.count >= Self.countMax, let oldest = readers.min(by: { $0.value.usedAt < $1.value.usedAt }) {
            readers[oldest.key] = nil
        }
        readers[reader.body.id] = (reader, now)
    }

    mutating func remove(_ id: BodyID) { readers[id] = nil }

    mutating func removeIdle(at now: ClockReading) {
        guard !readers.isEmpty else { return }
        readers = readers.filter { now.milliseconds(since: $0.value.usedAt) < Self.idleMilliseconds }
    }

    mutating func removeAll() { readers = [:] }
}

/// Reading from peers, and serving their reads.
extension BodyExchange {
    /// Whole blocks of a body from whichever peer has them.
    ///
    /// - Parameters:
    ///   - offset: of a block.
    ///   - byteCount: up to `BodyMessage.readByteCountMax`; fewer come at the body's end, and the first block alone where no peer
    ///     has all of them undamaged: another peer may have each of the others.
    ///   - preferred: is asked first.
    /// - Throws: `.missing` if every peer has said that it has no such body; else why none gave it.
    func fetch(
        _ id: BodyID, at offset: UInt64, byteCount: Int, preferring preferred: NodeID? = nil
    ) async throws(BodyFailure) -> (bytes: BodyBytes, peer: NodeID) {
        var failures: [BodyFailure] = []
        for peer in await peers(preferring: preferred) {
            do throws(BodyFailure) {
                let answer = try await read(id, at: offset, byteCount: byteCount, from: peer)
                guard answer.isOf(id, offset: offset, byteCount: byteCount) else { throw .damaged }
                return (answer, peer)
            } catch {
                failures.append(error)
                guard error != .missing else { continue }
                logger.info(
                    "a peer does not give a body",
                    metadata: ["node": "\(peer.rawValue)", "body": "\(id)", "reason": "\(error)"])
            }
        }
        if failures.contains(.damaged), byteCount > BodyFormat.blockByteCount {
            return try await fetch(id, at: offset, byteCount: BodyFormat.blockByteCount, preferring: preferred)
        }
        throw failures.first { $0 != .missing } ?? (failures.isEmpty ? .unreachable : .missing)
    }

    /// In the order in which they are asked.
    private func peers(preferring preferred: NodeID?) async -> [NodeID] {
        await withCheckedContinuation { caller in
            loop.execute { [self] in
                var peers = configuration.members.filter { $0 != node }.shuffled()
                if let place = peers.firstIndex(where: { $0 == preferred }) { peers.swapAt(0, place) }
                let (asked, silent) = (peers.filter { !silentPeers.contains($0) }, peers.filter(silentPeers.contains))
                caller.resume(returning: asked + silent)
            }
        }
    }

    private func read(
        _ id: BodyID, at offset: UInt64, byteCount: Int, from peer: NodeID
    ) async throws(BodyFailure) -> BodyBytes {
        let result: Result<BodyBytes, BodyFailure> = await withCheckedContinuation { caller in
            loop.execute { [self] in
                let number = nextNumber()
                let message = BodyMessage.read(request: number, id, offset: offset, byteCount: UInt32(byteCount))
                guard send(message, to: peer) else { return caller.resume(returning: .failure(.unreachable)) }
                flush()
                let deadline = BootClock.now.adding(milliseconds: settings.readMilliseconds)
                requests[number] = PendingRequest(peer: peer, deadline: deadline, caller: .read(caller))
            }
        }
        return try result.get()
    }

    /// The members of now, and those of them that have the body: its first block is read from each.
    func holders(of body: StoredBody) async -> (Configuration, [NodeID]) {
        let configuration = await members()
        let holders = await withTaskGroup(of: NodeID?.self) { group in
            for member in configuration.members {
                group.addTask { [self] in await holds(body, member) ? member : nil }
            }
            var holders: [NodeID] = []
            for await holder in group {
                if let holder { holders.append(holder) }
            }
            return holders.sorted()
        }
        return (configuration, holders)
    }

    private func holds(_ body: StoredBody, _ member: NodeID) async -> Bool {
        if member == node { return (try? await store.contains([body.id]))?.first ?? false }
        let answer = try? await read(body.id, at: 0, byteCount: BodyFormat.blockByteCount, from: member)
        return answer?.length == body.length
    }

    func answered(_ answer: BodyBytes, by peer: NodeID) {
        guard let request = requests[answer.request], request.peer == peer, case .read(let caller) = request.caller else {
            return
        }
        requests[answer.request] = nil
        caller.resume(returning: .success(answer))
    }

    func failed(_ number: UInt64, by peer: NodeID, _ failure: BodyFailure) {
        guard let request = requests[number], request.peer == peer else { return }
        requests[number] = nil
        request.caller.fail(failure)
    }

    func fail(requestsTo peer: NodeID) {
        for (number, request) in requests where request.peer == peer {
            requests[number] = nil
            request.caller.fail(.unreachable)
        }
    }

    // MARK: Serving

    func serve(_ request: UInt64, _ id: BodyID, _ offset: UInt64, _ byteCount: UInt32, to peer: NodeID) {
        guard served.count < settings.servedCountMax else {
            send(.readFailed(request: request, .busy), to: peer)
            return flush()
        }
        served.count += 1
        let reader = served.reader(id, at: BootClock.now)
        Task { [self] in
            let answer = await answer(request, id, offset, Int(byteCount), reader)
            loop.execute { [self] in
                served.count -= 1
                switch answer {
                case .success(let (reader, bytes)):
                    served.keep(reader, at: BootClock.now)
                    send(.bytes(bytes), to: peer)
                case .failure(let failure):
                    served.remove(id)
                    send(.readFailed(request: request, failure), to: peer)
                }
                flush()
            }
        }
    }

    private func answer(
        _ request: UInt64, _ id: BodyID, _ offset: UInt64, _ byteCount: Int, _ open: ObjectDataReader?
    ) async -> Result<(ObjectDataReader, BodyBytes), BodyFailure> {
        do throws(ObjectDataStoreError) {
            let reader: ObjectDataReader
            if let open { reader = open } else { reader = try await store.openReader(id: id) }
            guard offset < reader.body.length else { return .failure(.protocolViolation) }
            let bytes = try await reader.read(at: offset, maxByteCount: byteCount)
            let answer = BodyBytes(
                request: request, length: reader.body.length, tableChecksum: reader.tableChecksum, offset: offset,
                blockChecksums: BodyBytes.blockChecksums(bytes, id, offset: offset), bytes: bytes)
            return .success((reader, answer))
        } catch {
            if case .damaged = error { ledger.suspect(id) }
            return .failure(BodyFailure(error))
        }
    }
}

extension BodyBytes {
    static func blockChecksums(_ bytes: ByteBuffer, _ id: BodyID, offset: UInt64) -> [UInt32] {
        bytes.withUnsafeReadableBytes { content in
            stride(from: 0, to: content.count, by: BodyFormat.blockByteCount).map { start in
                let end = min(start + BodyFormat.blockByteCount, content.count)
                let block = (offset + UInt64(start)) / UInt64(BodyFormat.blockByteCount)
                return BodyFormat.blockChecksum(UnsafeRawBufferPointer(rebasing: content[start..<end]), id: id, block: block)
            }
        }
    }

    /// Whether it is what was asked for, each block in its place.
    fileprivate func isOf(_ id: BodyID, offset: UInt64, byteCount: Int) -> Bool {
        self.offset == offset && length > offset
            && UInt64(bytes.readableBytes) == min(UInt64(byteCount), length - offset)
            && blockChecksums == Self.blockChecksums(bytes, id, offset: offset)
    }
}
