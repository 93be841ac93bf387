import Metadata
import Raft

/// A comparison of all members' states that is under way, on the leader.
struct Verification: Sendable {
    let caller: CommandCaller
    /// The entry at which all are compared: it was proposed for the purpose.
    let index: LogIndex
    let since: ClockReading
    var askedAt: ClockReading?
    /// Who has answered; sorted by node.
    var rows: [DigestComparison.Row] = []
}

/// Whether all replicas have the same state: an entry without effect is put into the log, every replica remembers the digest of its state
/// right behind it (`DigestMarks`), and the leader asks all members for that.
extension Replica {
    mutating func verify(_ caller: CommandCaller) {
        guard isLeader else {
            tell(caller, .refused(.notLeader(core.leader)))
            return
        }
        guard verification == nil else {
            tell(caller, .refused(.busy))
            return
        }
        do throws(ProposalRefusal) {
            let place = try core.propose([UInt8]())
            verification = Verification(caller: caller, index: place.index, since: now)
        } catch { tell(caller, .refused(.change(.proposal(error)))) }
    }

    /// Asks whoever has not answered, and ends it when all have, or when it takes too long.
    mutating func advanceVerification() {
        guard var verification, isLeader else { return }
        let members = core.configuration.members
        if applied >= verification.index {
            take(DigestComparison.Row(node: node, digest: digests[verification.index]), &verification)
            let missing = members.filter { member in !verification.rows.contains { $0.node == member } }
            if missing.isEmpty || now.milliseconds(since: verification.since) >= settings.membership.stepMilliseconds {
                for member in missing { take(DigestComparison.Row(node: member, digest: nil), &verification) }
                self.verification = nil
                let rows = verification.rows.filter { members.hasSorted($0.node) }
                tell(verification.caller, .verified(DigestComparison(index: verification.index, rows: rows)))
                return
            }
            if verification.askedAt.map({ now.milliseconds(since: $0) >= settings.reportMilliseconds }) ?? true {
                verification.askedAt = now
                for member in missing { send(.digestRequest(DigestRequest(index: verification.index)), to: member) }
            }
        } else if now.milliseconds(since: verification.since) >= settings.membership.stepMilliseconds {
            self.verification = nil
            tell(verification.caller, .unknown(.timedOut))
            return
        }
        self.verification = verification
    }

    private func take(_ row: DigestComparison.Row, _ verification: inout Verification) {
        let place = verification.rows.firstIndex { $0.node >= row.node } ?? verification.rows.count
        if place < verification.rows.count, verification.rows[place].node == row.node { return }
        verification.rows.insert(row, at: place)
    }

    /// Who has not applied the entry yet is asked again.
    mutating func receive(_ request: DigestRequest, from sender: NodeID) {
        guard applied >= request.index else { return }
        send(.digestAnswer(DigestAnswer(index: request.index, digest: digests[request.index])), to: sender)
    }

    mutating func receive(_ answer: DigestAnswer, from sender: NodeID) {
        guard var verification, verification.index == answer.index else { return }
        take(DigestComparison.Row(node: sender, digest: answer.digest), &verification)
        self.verification = verification
        advanceVerification()
    }

    /// It has changed nothing: whoever leads now can be asked.
    mutating func loseVerification() {
        guard let verification else { return }
        self.verification = nil
        tell(verification.caller, .refused(.notLeader(core.leader)))
    }
}
