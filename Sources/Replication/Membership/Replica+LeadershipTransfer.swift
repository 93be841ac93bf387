import Raft

/// One handing over of leadership, on the leader that was asked for it (thesis, 3.10).
///
/// ```
///   awaiting the target ── heard ─► under way ─► done
///         └── silence ─► refused       └── too slow ─► refused
/// ```
struct LeadershipTransfer: Sendable {
    /// How long a word of the target is awaited: whoever is alive answers the first heartbeat; that one, or its answer, may be lost.
    static let awaitedHeartbeatCount = 2

    enum Phase: Sendable {
        /// The leader has not heard the target since its election, or since it looked last whom it hears; that says nothing yet about
        /// the target. For so many ticks more it waits. Nothing has begun.
        case awaitingTarget(ticks: Int)
        case underWay(since: ClockReading)
    }

    let caller: CommandCaller
    let target: NodeID
    var phase: Phase
}

/// Handing leadership over, as an operator asks for it.
extension Replica {
    mutating func transferLeadership(to target: NodeID, _ caller: CommandCaller) {
        guard isLeader else {
            refuse(caller, .notLeader(core.leader))
            return
        }
        guard leadershipTransfer == nil else {
            refuse(caller, .busy)
            return
        }
        let ticks = LeadershipTransfer.awaitedHeartbeatCount * settings.raft.heartbeatTicks
        leadershipTransfer = LeadershipTransfer(caller: caller, target: target, phase: .awaitingTarget(ticks: ticks))
        beginTransferOfLeadership()
    }

    private mutating func beginTransferOfLeadership() {
        // Who has lost the office is told so with the new standing.
        guard isLeader, let transfer = leadershipTransfer, case .awaitingTarget(let ticks) = transfer.phase else { return }
        do throws(RaftCore.TransferRefusal) { try core.transferLeadership(to: transfer.target) } catch {
            if case .inactive = error, ticks > 0 {
                leadershipTransfer?.phase = .awaitingTarget(ticks: ticks - 1)
            } else {
                leadershipTransfer = nil
                refuse(transfer.caller, .transfer(error))
            }
            return
        }
        leadershipTransfer?.phase = .underWay(since: now)
        finishTransferOfLeadership()
    }

    /// After each change of the standing.
    mutating func finishTransferOfLeadership() {
        guard let transfer = leadershipTransfer else { return }
        switch transfer.phase {
        case .awaitingTarget:
            // Nothing has changed: the next leader may be asked.
            guard !isLeader else { return }
            leadershipTransfer = nil
            refuse(transfer.caller, .notLeader(core.leader))
        case .underWay:
            guard let leader = core.leader else { return }
            if leader == transfer.target {
                leadershipTransfer = nil
                tell(transfer.caller, .done)
            } else if leader != node {
                leadershipTransfer = nil
                refuse(transfer.caller, .notTakenOver)
            }
        }
    }

    mutating func tickTransferOfLeadership() {
        guard let transfer = leadershipTransfer else { return }
        switch transfer.phase {
        case .awaitingTarget: beginTransferOfLeadership()
        case .underWay(let since):
            if isLeader, core.transferTarget == nil {
                leadershipTransfer = nil
                refuse(transfer.caller, .notTakenOver)
            } else if now.milliseconds(since: since) >= settings.membership.stepMilliseconds {
                leadershipTransfer = nil
                tell(transfer.caller, .unknown(.timedOut))
            }
        }
    }

    /// Gives up a transfer of that caller that has not begun: nobody waits for it any more.
    ///
    /// - Returns: what the caller may be told; nil: there is none.
    mutating func abandonTransferOfLeadership(of caller: CommandCaller) -> CommandRefusal? {
        guard let transfer = leadershipTransfer, transfer.caller == caller, case .awaitingTarget = transfer.phase else {
            return nil
        }
        leadershipTransfer = nil
        return .transfer(.inactive(transfer.target))
    }

    /// The replica stops.
    mutating func endTransferOfLeadership(_ reason: StopReason) {
        guard let transfer = leadershipTransfer else { return }
        leadershipTransfer = nil
        switch transfer.phase {
        case .awaitingTarget: refuse(transfer.caller, .stopped(reason))
        case .underWay: tell(transfer.caller, .unknown(.stopped(reason)))
        }
    }
}
