import NIOCore
import ObjectDataStore
import Raft

/// Who holds what, while a replacement of the state is prepared: the next state names bodies that this one need not name, so that no ledger knows
/// of them.
extension BodyExchange {
    private static let retryMilliseconds: UInt64 = 200
    /// A connection that was lost comes back within that.
    private static let unreachableMilliseconds: UInt64 = 3_000

    /// Who the members are now.
    func members() async -> Configuration {
        await withCheckedContinuation { caller in
            loop.execute { [self] in caller.resume(returning: configuration) }
        }
    }

    /// Which of the bodies each of these members has; a member answers once it deletes nothing any more until the end of the replacement.
    ///
    /// - Parameters:
    ///   - ids: at most `BodyMessage.holdsCountMax`.
    ///   - milliseconds: for so long a member may take to answer.
    /// - Returns: sorted by node; without those that have not answered.
    func holdings(
        _ ids: [BodyID], of members: [NodeID], for restore: RestoreID, within milliseconds: UInt64
    ) async -> [(node: NodeID, holds: [Bool])] {
        let deadline = BootClock.now.adding(milliseconds: milliseconds)
        return await withTaskGroup(of: (NodeID, [Bool]?).self) { group in
            for member in members {
                group.addTask { [self] in (member, await patientlyAsk(member, ids, restore, until: deadline)) }
            }
            var answers: [(node: NodeID, holds: [Bool])] = []
            for await (node, holds) in group {
                if let holds { answers.append((node, holds)) }
            }
            return answers.sorted { $0.node < $1.node }
        }
    }

    /// - Returns: nil: it has not said.
    private func patientlyAsk(
        _ member: NodeID, _ ids: [BodyID], _ restore: RestoreID, until deadline: ClockReading
    ) async -> [Bool]? {
        let begin = BootClock.now
        while !Task.isCancelled {
            switch member == node ? await look(for: ids, restore) : await ask(member, ids, restore) {
            case .success(let answers): return answers.count == ids.count ? answers : nil
            case .failure(.unreachable):
                guard BootClock.now < min(deadline, begin.adding(milliseconds: Self.unreachableMilliseconds)) else {
                    return nil
                }
            case .failure: guard BootClock.now < deadline else { return nil }
            }
            try? await Task.sleep(for: .milliseconds(Self.retryMilliseconds))
        }
        return nil
    }

    private func ask(_ peer: NodeID, _ ids: [BodyID], _ restore: RestoreID) async -> Result<[Bool], BodyFailure> {
        await withCheckedContinuation { caller in
            loop.execute { [self] in
                let number = nextNumber()
                guard send(.holds(request: number, restore, ids), to: peer) else {
                    return caller.resume(returning: .failure(.unreachable))
                }
                flush()
                let deadline = BootClock.now.adding(milliseconds: settings.readMilliseconds)
                requests[number] = PendingRequest(peer: peer, deadline: deadline, caller: .holds(caller))
            }
        }
    }

    func answered(_ number: UInt64, by peer: NodeID, _ answers: [Bool]) {
        guard let request = requests[number], request.peer == peer, case .holds(let caller) = request.caller else { return }
        requests[number] = nil
        caller.resume(returning: .success(answers))
    }

    // MARK: Serving

    /// What this node has; `.busy` where it may still delete some.
    private func look(for ids: [BodyID], _ restore: RestoreID) async -> Result<[Bool], BodyFailure> {
        guard hold.isInForce(for: restore) else { return .failure(.busy) }
        do throws(ObjectDataStoreError) { return .success(try await store.contains(ids)) } catch {
            return .failure(BodyFailure(error))
        }
    }

    func serve(_ request: UInt64, _ restore: RestoreID, _ ids: [BodyID], to peer: NodeID) {
        Task { [self] in
            let result = await look(for: ids, restore)
            loop.execute { [self] in
                switch result {
                case .success(let answers): send(.held(request: request, answers), to: peer)
                case .failure(let failure): send(.readFailed(request: request, failure), to: peer)
                }
                flush()
            }
        }
    }
}
