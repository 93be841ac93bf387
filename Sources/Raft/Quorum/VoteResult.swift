/// What the votes counted so far decide.
package enum VoteResult: Sendable, Hashable, CustomStringConvertible {
    /// A quorum has agreed; no later vote changes that.
    case won
    /// So many have refused that the rest cannot make a quorum any more.
    case lost
    /// The voters that have not answered decide.
    case pending

    package var description: String {
        switch self {
        case .won: "VoteWon"
        case .lost: "VoteLost"
        case .pending: "VotePending"
        }
    }
}
