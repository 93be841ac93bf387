import NIOCore

/// Keeps what happens again and again from being logged again and again. Bounded: strangers cannot make it grow.
struct LogGate {
    private struct Key: Hashable {
        /// A node's number, or a stranger's address.
        var whom: String
        var what: String
    }

    private static let countMax = 1024
    private var quietUntil: [Key: NIODeadline] = [:]

    /// - Parameter quiet: how long the same about the same is not logged again; nil: until `forget`.
    mutating func opens(for what: String, _ whom: String, quiet: TimeAmount?) -> Bool {
        let key = Key(whom: whom, what: what)
        let now = NIODeadline.now()
        if let end = quietUntil[key], end > now { return false }
        if quietUntil.count >= Self.countMax { quietUntil.removeAll() }
        quietUntil[key] = quiet.map { now + $0 } ?? .distantFuture
        return true
    }

    /// Something about it has changed.
    mutating func forget(_ whom: String) {
        quietUntil = quietUntil.filter { $0.key.whom != whom }
    }
}
