/// How a member of the cluster is doing, as one node sees it.
package enum PeerStatus: Hashable, Sendable {
    /// It is heard from, and has what is committed, within reach.
    case healthy
    /// It is heard from, and lacks so many entries.
    case lagging(behind: UInt64)
    /// Nothing has been heard of it for a while, or its connection was lost.
    case unreachable
    /// Another disk than the member's speaks under its id: the member's was wiped or replaced.
    case failed

    /// For documents and labels.
    package var rawValue: String {
        switch self {
        case .healthy: "healthy"
        case .lagging: "lagging"
        case .unreachable: "unreachable"
        case .failed: "failed"
        }
    }
}
