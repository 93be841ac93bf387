import Metadata
import ObjectDataStore
import Raft

/// A body whose holders are no quorum any more when the operation that names it is applied: members have changed since it was written.
extension ReplicatedMetadataEngine {
    private static let offerMilliseconds: UInt64 = 50

    /// Names the body again, as soon as a quorum of the members of now has it: whoever was slower mostly has it by then.
    ///
    /// - Returns: what came of it; `.notApplied` where too few had it all the time.
    func offerAgain(
        _ payload: MetadataOperation.Payload, naming body: StoredBody, _ level: WriteLevel, until deadline: ClockReading
    ) async -> WriteResult {
        while case let left = deadline.milliseconds(since: BootClock.now), left > 0 {
            let (configuration, holders) = await node.bodies.holders(of: body)
            if configuration.quorum.vote({ holders.contains($0) }) == .won {
                let result = await withCheckedContinuation { caller in
                    propose(payload, level, holders: holders.map(\.rawValue), milliseconds: left) {
                        caller.resume(returning: $0)
                    }
                }
                guard result.lacksHolders else { return result }
            }
            try? await Task.sleep(for: .milliseconds(Self.offerMilliseconds))
        }
        return .notApplied(.tooFewHolders)
    }
}

extension WriteResult {
    /// It was refused, and its body is still where it was.
    var lacksHolders: Bool {
        guard case .applied(.change(.failure(let error))) = self else { return false }
        return error == .tooFewHolders
    }
}
