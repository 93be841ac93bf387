import Logging
import NIOPosix
import PeerTransport
import Raft
import RaftStorage

/// What the log and the identity have to be told, in order. Nothing overtakes another, and another state or cluster waits until all before
/// it is durable and applied.
struct LogPipeline {
    enum Work {
        case append(LogAppend)
        case compact(SnapshotMark, keepingAfter: LogIndex)
        case join(ClusterID)
        case install(SnapshotID, LogAppend)
        case found(Genesis)
    }

    /// What was handed to the log's thread, in order.
    enum Submission {
        case append(token: UInt64)
        case compaction
        /// The state is there already; readers see it when the log is, too.
        case installed(InstalledState, token: UInt64)
        case founded(Genesis)
    }

    var queue: [Work] = []
    var outstanding: [(number: UInt64, submission: Submission)] = []
    /// Of the newest batch that was handed to the log's thread.
    var lastNumber: UInt64 = 0
    /// Entries that the applier has.
    var applyingCount = 0
    /// The first of the queue is being worked on elsewhere.
    var isBlocked = false

    /// Nothing is under way.
    var isIdle: Bool { outstanding.isEmpty && applyingCount == 0 }
}

extension RaftNode {
    /// Hands the log's thread what it may take.
    func pumpLog() {
        var takenCount = 0
        taking: while !log.isBlocked, takenCount < log.queue.count {
            switch log.queue[takenCount] {
            case .append(let append):
                guard submit(LogBatch(append), .append(token: append.token)) else { break taking }
            case .compact(let mark, let floor):
                writer.setRetentionFloor(floor)
                guard submit(LogBatch(snapshot: .compaction(mark)), .compaction) else { break taking }
            case .join(let cluster):
                log.isBlocked = true
                join(cluster)
                break taking
            case .install(let id, _):
                guard log.isIdle else { break taking }
                log.isBlocked = true
                applier.submit(.install(id))
                break taking
            case .found(let genesis):
                guard log.isIdle else { break taking }
                log.isBlocked = true
                join(genesis.cluster)
                break taking
            }
            takenCount += 1
        }
        log.queue.removeFirst(takenCount)
    }

    /// - Returns: false if it has to be done again later.
    private func submit(_ batch: LogBatch, _ submission: LogPipeline.Submission) -> Bool {
        do throws(LogError) {
            try writer.submit(batch, token: log.lastNumber + 1)
            log.lastNumber += 1
            log.outstanding.append((log.lastNumber, submission))
            return true
        } catch {
            // A full queue empties; a failed log says so by itself.
            return false
        }
    }

    // MARK: The log's thread

    func take(_ event: LogWriter.Event) {
        switch event {
        case .durable(let number): durable(upTo: number)
        case .waitsForSpace(let isWaiting):
            if isWaiting {
                logger.error("The disk of the Raft log is full: writes wait")
            } else {
                logger.notice("The disk of the Raft log has space again")
            }
        case .failed(let error): handle(.logFailed(detail: "\(error)"))
        }
    }

    private func durable(upTo number: UInt64) {
        let end = log.outstanding.firstIndex { $0.number > number } ?? log.outstanding.count
        let done = log.outstanding[..<end].map(\.submission)
        log.outstanding.removeFirst(end)
        // Of appends the newest one says it for all.
        var token: UInt64?
        for submission in done {
            switch submission {
            case .append(let appended): token = appended
            case .compaction: break
            case .installed(let state, let installed): finishInstallation(state, token: installed)
            case .founded(let genesis):
                finishBlockingWork()
                handle(.founded(genesis))
            }
        }
        if let token { handle(.logWritten(token: token)) }
        pumpLog()
    }

    private func finishBlockingWork() {
        log.queue.removeFirst()
        log.isBlocked = false
    }

    // MARK: The applier's thread

    func take(_ event: Applier.Event) {
        switch event {
        case .applied(let report, let count):
            log.applyingCount -= count
            handle(.applied(report))
            pumpLog()
        case .applyFailed(let failure): handle(.applyFailed(failure))
        case .founded(let genesis):
            let mark = LogBatch(
                snapshot: .installation(genesis.mark),
                hardState: HardState(term: genesis.mark.term, vote: nil, commit: .zero))
            submitOrFail(mark, .founded(genesis))
        case .installed(let id, let state):
            guard case .install(id, let append)? = log.queue.first else {
                preconditionFailure("a snapshot was installed that nobody waits for")
            }
            submitOrFail(LogBatch(append), .installed(state, token: append.token))
        case .failed(let detail): handle(.installFailed(detail: detail))
        }
    }

    /// Nothing else is on its way, so that there is room.
    private func submitOrFail(_ batch: LogBatch, _ submission: LogPipeline.Submission) {
        if !submit(batch, submission) { handle(.logFailed(detail: "it took no batch while it was idle")) }
    }

    private func finishInstallation(_ state: InstalledState, token: UInt64) {
        // Before any peer can learn that this node has the state: it may lack all the bodies that the state names.
        handle(.bodies(.unknown))
        do {
            try applier.publishReplaced()
        } catch {
            handle(.installFailed(detail: "the installed state cannot be read: \(error)"))
            return
        }
        finishBlockingWork()
        logger.notice("A snapshot is the state now", metadata: ["index": "\(state.state.applied.rawValue)"])
        handle(.installed(token: token, state))
    }

    // MARK: The identity

    /// The identity names the cluster before anything of the cluster is stored.
    private func join(_ cluster: ClusterID) {
        let identityFile = identityFile
        snapshotThread.submit { [self] state in
            guard case .active = state else { return }
            do throws(NodeIdentityError) {
                _ = try identityFile.join(cluster)
                post(.joined(.success(cluster)))
            } catch { post(.joined(.failure(error))) }
        }
    }

    func joined(_ cluster: ClusterID) {
        transport.join(cluster: cluster.rawValue)
        switch log.queue.first {
        case .join(cluster): finishBlockingWork()
        case .found(let genesis): applier.submit(.found(genesis))
        case .append, .compact, .install, .join, nil: preconditionFailure("a cluster was joined that nobody asked for")
        }
        pumpLog()
    }

    // MARK: Old entries

    func fetch(_ fetch: LogFetch) {
        fetchThread.submit { [self] state in
            guard case .active = state else { return }
            do throws(LogError) {
                let entries = try writer.entries(from: fetch.first, through: fetch.last, byteCountMax: fetch.byteCountMax)
                post(.event(.logFetched(fetch, entries)))
            } catch {
                switch error {
                case .compacted, .beyondEnd: post(.event(.logFetched(fetch, [])))
                case .file, .failed, .refused, .noSpace, .entryTooLarge, .queueFull, .closed:
                    post(.event(.logFailed(detail: "entries cannot be read: \(error)")))
                }
            }
        }
    }
}
