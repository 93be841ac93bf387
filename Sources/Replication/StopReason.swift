/// Why a replica does not go on. All but `shutdown` are for the operator.
package enum StopReason: Error, Hashable, Sendable, CustomStringConvertible {
    case shutdown
    /// A change of members has removed the node.
    case removed
    /// The log cannot be written. An fsync that failed is not repeated: what is on the disk is unknown.
    case logFailed(String)
    case applyFailed(String)
    /// A snapshot could not be put in the place of the state.
    case installFailed(String)

    package var description: String {
        switch self {
        case .shutdown: "it is being shut down"
        case .removed: "it was removed from the cluster"
        case .logFailed(let detail): "its log failed: \(detail)"
        case .applyFailed(let detail): "it cannot apply the log: \(detail)"
        case .installFailed(let detail): "it cannot install a snapshot: \(detail)"
        }
    }
}
