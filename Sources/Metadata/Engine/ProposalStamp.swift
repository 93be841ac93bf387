/// The proposer's time and number for operations: each is taken once, here, and never goes backwards.
///
/// Held under the write queue's lock, so that times ascend in the order of the operations.
package struct ProposalStamp: Sendable {
    private let clock: @Sendable () -> UInt64
    private var lastMilliseconds: UInt64 = 0
    private var lastOperationID: UInt64

    /// - Parameter lastOperationID: an id that was given before, by an earlier start; the next one is greater.
    package init(clock: @escaping @Sendable () -> UInt64, lastOperationID: UInt64) {
        self.clock = clock
        self.lastOperationID = lastOperationID
    }

    package mutating func operation(_ payload: MetadataOperation.Payload) -> MetadataOperation {
        lastMilliseconds = max(lastMilliseconds, clock())
        lastOperationID += 1
        return MetadataOperation(opID: lastOperationID, timestamp: lastMilliseconds, payload: payload)
    }
}
