package import ObjectDataStore
package import Raft
import Synchronization

/// What this replica lacks of the bodies that the state names, and what it has that nothing names, as a value.
///
/// ```
///   the log names a body ──► unchecked ──► there
///                  │             └───────► lacking ──► fetched from a peer
///                  └─ while it comes in ─► its reception decides
///   a file that nothing names ──► unnamed ──(grace)──► to be abandoned through the log ──► deleted everywhere
/// ```
///
/// It is not kept on disk: a pass over the names and the files at each start finds all of it again, and so does one after a snapshot was
/// installed. Bounded: what does not fit is left to the next pass.
package struct BodyLedgerState: Sendable {
    package struct Lack: Sendable, Hashable {
        package var length: UInt64
        /// A reader waits for it.
        package var isUrgent: Bool
        /// Fetches that have failed.
        package var failureCount = 0
        package var notBefore = ClockReading.zero
    }

    package static let lackCountMax = 100_000
    package static let unnamedCountMax = 100_000
    private static let retryMillisecondsMin: UInt64 = 500
    private static let retryMillisecondsMax: UInt64 = 60_000

    /// Bodies that something names and this node does not have, or not whole.
    package private(set) var lacks: [BodyID: Lack] = [:]
    package private(set) var lackingByteCount: UInt64 = 0
    /// The order in which they are fetched, the next one last: those that were due when it was made. What has changed since is skipped.
    private var turns: [BodyID] = []
    /// Those that readers have asked for since; they go first.
    private var urgentTurns: [BodyID] = []
    /// More is lacking than fits, or may be: the next pass must not wait.
    package private(set) var isPassDue = true
    /// All that the state named at some time since its start or replacement has been looked for.
    private var hasLookedForAll = false
    /// All that entries up to this one name is known.
    private var index = LogIndex.zero
    /// Named since, and not looked for yet.
    private var unchecked: [StoredBody] = []
    /// Bodies that peers are sending, how often, and what happened to them meanwhile.
    private var receptions: [BodyID: (count: Int, named: UInt64?, isReleased: Bool)] = [:]
    /// The newest that were released: what peers send of them is on its way yet, slower than the log was.
    private var releasedLately = RecentBodies()
    /// Files that nothing names, and since when that is known.
    private var unnamedSince: [BodyID: ClockReading] = [:]
    /// Files that may be damaged.
    private var suspects: [BodyID] = []
    /// Bodies to be deleted unless the state names them: by the word of the node that wrote them, or because they came too late.
    private var discarded: [BodyID] = []
    /// Being fetched.
    private var fetching: Set<BodyID> = []
    private let mutations: ReplicationMutations

    package init(mutations: ReplicationMutations = []) { self.mutations = mutations }

    package var unnamedCount: Int { unnamedSince.count }

    // MARK: The log

    /// The state has begun to name these.
    ///
    /// - Parameter index: all before, and these, are named by entries up to this one.
    package mutating func named(_ bodies: [StoredBody], upTo index: LogIndex) {
        self.index = max(self.index, index)
        for body in bodies {
            unnamedSince[body.id] = nil
            if receptions[body.id] != nil {
                receptions[body.id]?.named = body.length
            } else if unchecked.count < Self.lackCountMax {
                unchecked.append(body)
            } else {
                isPassDue = true
            }
        }
    }

    /// Nothing names these any more; their files are somebody else's to delete.
    package mutating func released(_ ids: [BodyID]) {
        for id in ids {
            removeLack(id)
            unnamedSince[id] = nil
            receptions[id]?.isReleased = true
            releasedLately.insert(id)
        }
        if !unchecked.isEmpty {
            let gone = Set(ids)
            unchecked.removeAll { gone.contains($0.id) }
        }
    }

    /// The state was replaced.
    package mutating func stateReplaced() {
        lacks = [:]
        lackingByteCount = 0
        unchecked = []
        isPassDue = true
        index = .zero
        hasLookedForAll = mutations.contains(.believesItselfWhole)
    }

    // MARK: Receptions

    package mutating func receptionBegan(_ id: BodyID) {
        receptions[id, default: (0, nil, releasedLately.contains(id))].count += 1
    }

    package mutating func receptionEnded(_ id: BodyID, isStored: Bool) {
        guard var reception = receptions[id] else { preconditionFailure("a reception ended that had not begun") }
        reception.count -= 1
        receptions[id] = reception.count == 0 ? nil : reception
        if isStored {
            removeLack(id)
            // It was named and released while it came in.
            if reception.isReleased { discard([id]) }
        } else if !reception.isReleased, reception.count == 0, let length = reception.named {
            lack(StoredBody(id: id, length: length))
        }
    }

    // MARK: Lacks

    package mutating func lack(_ body: StoredBody, isUrgent: Bool = false) {
        guard let known = lacks[body.id] else {
            guard lacks.count < Self.lackCountMax else {
                isPassDue = true
                return
            }
            lacks[body.id] = Lack(length: body.length, isUrgent: isUrgent)
            lackingByteCount += body.length
            if isUrgent { urgentTurns.append(body.id) }
            return
        }
        guard isUrgent else { return }
        if !known.isUrgent { urgentTurns.append(body.id) }
        lacks[body.id]?.isUrgent = true
        lacks[body.id]?.notBefore = .zero
    }

    private mutating func removeLack(_ id: BodyID) {
        guard let lack = lacks.removeValue(forKey: id) else { return }
        lackingByteCount -= lack.length
    }

    /// Bodies whose files are to be looked for. Of those that have begun to come in meanwhile the reception decides.
    package mutating func takeUnchecked() -> [StoredBody] {
        let taken = unchecked
        unchecked = []
        return taken.filter { body in
            guard receptions[body.id] != nil else { return true }
            receptions[body.id]?.named = body.length
            return false
        }
    }

    /// What to fetch next; it counts as being fetched until `fetched` or `fetchFailed`.
    package mutating func nextFetch(at now: ClockReading) -> StoredBody? {
        if let next = takeTurn(\.urgentTurns, at: now) ?? takeTurn(\.turns, at: now) { return next }
        // The oldest ids first: those of one upload lie together.
        turns = lacks.keys.filter { isDue($0, at: now) }.sorted(by: >)
        return takeTurn(\.turns, at: now)
    }

    private func isDue(_ id: BodyID, at now: ClockReading) -> Bool {
        guard let lack = lacks[id] else { return false }
        return lack.notBefore <= now && !fetching.contains(id) && receptions[id] == nil
    }

    private mutating func takeTurn(
        _ turns: WritableKeyPath<BodyLedgerState, [BodyID]>, at now: ClockReading
    ) -> StoredBody? {
        while let id = self[keyPath: turns].popLast() {
            guard isDue(id, at: now), let lack = lacks[id] else { continue }
            fetching.insert(id)
            return StoredBody(id: id, length: lack.length)
        }
        return nil
    }

    package mutating func fetched(_ id: BodyID) {
        fetching.remove(id)
        removeLack(id)
    }

    package mutating func fetchFailed(_ id: BodyID, at now: ClockReading) {
        fetching.remove(id)
        guard var lack = lacks[id] else { return }
        let delay = min(Self.retryMillisecondsMin << UInt64(min(lack.failureCount, 16)), Self.retryMillisecondsMax)
        lack.failureCount += 1
        lack.notBefore = now.adding(milliseconds: delay)
        lack.isUrgent = false
        lacks[id] = lack
    }

    // MARK: Files

    /// A read has found the file damaged: it is to be verified.
    package mutating func suspect(_ id: BodyID) {
        if suspects.count < Self.lackCountMax, !suspects.contains(id) { suspects.append(id) }
    }

    package mutating func takeSuspects() -> [BodyID] {
        defer { suspects = [] }
        return suspects
    }

    /// Nothing will name them any more. What is forgotten here, the passes find.
    package mutating func discard(_ ids: [BodyID]) {
        // One that is just coming in is to go when it is there.
        for id in ids { receptions[id]?.isReleased = true }
        discarded += ids.prefix(max(0, Self.unnamedCountMax - discarded.count))
    }

    package mutating func takeDiscarded() -> [BodyID] {
        defer { discarded = [] }
        return discarded
    }

    /// A pass has found files that nothing names. - Returns: those for which that is so for as long as the grace time.
    package mutating func sawUnnamed(_ ids: [BodyID], grace: UInt64, at now: ClockReading) -> [BodyID] {
        var due: [BodyID] = []
        for id in ids where receptions[id] == nil {
            if let since = unnamedSince[id] {
                if now.milliseconds(since: since) >= grace { due.append(id) }
            } else if unnamedSince.count < Self.unnamedCountMax {
                unnamedSince[id] = now
                if grace == 0 { due.append(id) }
            }
        }
        return due
    }

    /// A pass has seen all files and names there were: what it has not seen unnamed is not.
    package mutating func passEnded(unnamed: Set<BodyID>) {
        unnamedSince = unnamedSince.filter { unnamed.contains($0.key) }
    }

    /// A pass has looked for all that the state named when it began.
    ///
    /// - Parameter index: that the state contained then.
    package mutating func lookedForAll(upTo index: LogIndex) {
        hasLookedForAll = !isPassDue
        if hasLookedForAll { self.index = max(self.index, index) }
    }

    /// What is known to be lacking.
    package var report: BodyReport {
        guard hasLookedForAll, !isPassDue || mutations.contains(.believesItselfWhole), unchecked.isEmpty else {
            return .unknown
        }
        let coming = receptions.values.compactMap { $0.isReleased ? nil : $0.named }
        return BodyReport(
            lackingCount: UInt64(lacks.count + coming.count), lackingByteCount: lackingByteCount + coming.reduce(0, +),
            index: index)
    }

    package mutating func takePassDue() -> Bool {
        defer { isPassDue = false }
        return isPassDue
    }
}

/// The last some thousand ids that were put in.
private struct RecentBodies: Sendable {
    private static let countMax = 16_384

    private var ids: Set<BodyID> = []
    private var order: [BodyID] = []
    private var oldest = 0

    func contains(_ id: BodyID) -> Bool { ids.contains(id) }

    mutating func insert(_ id: BodyID) {
        guard ids.insert(id).inserted else { return }
        guard order.count == Self.countMax else { return order.append(id) }
        ids.remove(order[oldest])
        order[oldest] = id
        oldest = (oldest + 1) % Self.countMax
    }
}

/// The ledger of a running node. Any thread may tell it something; its keeper acts upon it.
final class BodyLedger: Sendable {
    private let state = Mutex(BodyLedgerState())
    private let wake: AsyncStream<Void>.Continuation
    /// An element when there may be something to do. For one consumer.
    let wakeUps: AsyncStream<Void>

    init() { (wakeUps, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func withState<Result>(_ body: (inout BodyLedgerState) -> sending Result) -> sending Result {
        state.withLock { body(&$0) }
    }

    func wakeUp() { wake.yield() }

    func close() { wake.finish() }

    func receptionBegan(_ id: BodyID) { withState { $0.receptionBegan(id) } }

    func receptionEnded(_ id: BodyID, isStored: Bool) {
        withState { $0.receptionEnded(id, isStored: isStored) }
        wakeUp()
    }

    func discarded(_ ids: [BodyID]) {
        withState { $0.discard(ids) }
        wakeUp()
    }

    func suspect(_ id: BodyID) {
        withState { $0.suspect(id) }
        wakeUp()
    }

    func lack(_ body: StoredBody, isUrgent: Bool) {
        withState { $0.lack(body, isUrgent: isUrgent) }
        wakeUp()
    }

    /// After the publication of what the log has changed up to that entry.
    func applied(named: [StoredBody], released: [BodyID], upTo index: LogIndex) {
        withState { state in
            state.named(named, upTo: index)
            if !released.isEmpty { state.released(released) }
        }
        if !named.isEmpty { wakeUp() }
    }

    func stateReplaced() {
        withState { $0.stateReplaced() }
        wakeUp()
    }
}
