import Synchronization

/// The bodies that are getting their names just now. Two writers of one body publish it one after the other, so that the one that fails
/// never takes away what the other one has promised; and a name that is not durable yet is known as such.
final class Publications: Sendable {
    /// Bodies whose turns exclude each other by accident are one in so many; those of one directory, which have numbers in a row, none.
    private static let turnCount: UInt64 = 64

    private final class Turn: Sendable {
        let lock = Mutex<Void>(())
    }

    private let turns = (0..<turnCount).map { _ in Turn() }
    /// At most as many as the pool has threads.
    private let underWay = Mutex<Set<BodyID>>([])

    /// Runs `work` when nobody else does for this body. Blocks.
    func withTurn<Failure>(of id: BodyID, _ work: () throws(Failure) -> Void) throws(Failure) {
        try turns[Int(id.sequence % Self.turnCount)].lock.withLock { _ throws(Failure) in try work() }
    }

    func begin(_ id: BodyID) { underWay.withLock { _ = $0.insert(id) } }
    func end(_ id: BodyID) { underWay.withLock { _ = $0.remove(id) } }
    func isUnderWay(_ id: BodyID) -> Bool { underWay.withLock { $0.contains(id) } }
}
