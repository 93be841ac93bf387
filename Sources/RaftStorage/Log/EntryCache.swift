package import Raft

/// The newest entries of the log, without gaps, bounded in count and bytes. What is not durable yet is never evicted: it cannot be
/// read from the disk.
package struct EntryCache: Sendable {
    package let entryCountMax: Int
    package let byteCountMax: Int
    package private(set) var byteCount = 0
    /// The cached entries are those from `head` on.
    private var entries: [Entry] = []
    private var head = 0

    package init(entryCountMax: Int, byteCountMax: Int) {
        self.entryCountMax = entryCountMax
        self.byteCountMax = byteCountMax
    }

    package var entryCount: Int { entries.count - head }
    package var firstIndex: LogIndex? { head < entries.count ? entries[head].index : nil }

    /// What an entry costs: its payload and its own storage.
    private static func cost(_ entry: Entry) -> Int { entry.payload.count + MemoryLayout<Entry>.stride }

    /// - Precondition: the entry follows the last cached one, if there is one.
    package mutating func append(_ entry: Entry) {
        precondition(
            entries.isEmpty || head == entries.count || entries[entries.count - 1].index.rawValue + 1 == entry.index.rawValue)
        entries.append(entry)
        byteCount += Self.cost(entry)
    }

    /// Drops the oldest while over a limit, but no entry behind `durableIndex`.
    package mutating func evict(through durableIndex: LogIndex) {
        while entryCount > entryCountMax || byteCount > byteCountMax, let first = firstIndex, first <= durableIndex {
            removeFirst()
        }
        trim()
    }

    /// Drops the entries behind `index`.
    package mutating func truncate(after index: LogIndex) {
        while head < entries.count, let last = entries.last, last.index > index {
            byteCount -= Self.cost(last)
            entries.removeLast()
        }
        trim()
    }

    /// Drops the entries up to `index`.
    package mutating func forget(through index: LogIndex) {
        while let first = firstIndex, first <= index { removeFirst() }
        trim()
    }

    package subscript(index: LogIndex) -> Entry? {
        guard let first = firstIndex, index >= first else { return nil }
        let position = head + Int(index.rawValue - first.rawValue)
        return position < entries.count ? entries[position] : nil
    }

    private mutating func removeFirst() {
        byteCount -= Self.cost(entries[head])
        entries[head].payload = []
        head += 1
    }

    /// Moves the rest to the front when more than half is empty: constant cost for each entry over time.
    private mutating func trim() {
        guard head > 64, head > entries.count / 2 else { return }
        entries.removeSubrange(..<head)
        head = 0
    }
}
