import Raft

/// A log as an observer remembers it: the entries, and a running digest of all before each, so that two logs are compared at one place.
struct LogImage {
    /// What lies before the first entry.
    private(set) var base: LogIndex
    private(set) var baseDigest: UInt64
    private(set) var entries: [Entry] = []
    /// By place in `entries`.
    private var digests: [UInt64] = []

    init(base: LogIndex, baseDigest: UInt64) {
        self.base = base
        self.baseDigest = baseDigest
    }

    var last: LogIndex { base + entries.count }
    var lastDigest: UInt64 { digests.last ?? baseDigest }

    /// Nil before the base and behind the end.
    func digest(at index: LogIndex) -> UInt64? {
        if index == base { return baseDigest }
        guard index > base, index <= last else { return nil }
        return digests[index - base - 1]
    }

    func entry(at index: LogIndex) -> Entry? {
        guard index > base, index <= last else { return nil }
        return entries[index - base - 1]
    }

    /// The first entry of a term at or behind `index`.
    func firstIndex(of term: Term, from index: LogIndex) -> LogIndex? {
        guard index > base, index <= last else { return nil }
        return entries[(index - base - 1)...].first { $0.term == term }?.index
    }

    /// - Precondition: it follows the last one.
    mutating func append(_ entry: Entry) {
        precondition(entry.index == last.next, "an entry that does not follow")
        digests.append(Self.digest(entry, after: lastDigest))
        entries.append(entry)
    }

    mutating func truncate(from index: LogIndex) {
        guard index > base, index <= last else { return }
        let count = index - base - 1
        entries.removeLast(entries.count - count)
        digests.removeLast(digests.count - count)
    }

    static func digest(_ entry: Entry, after previous: UInt64) -> UInt64 {
        var digest = mix(previous ^ entry.term.rawValue &* 0x9e37_79b9_7f4a_7c15)
        digest = mix(digest ^ UInt64(entry.type.rawValue) << 56 ^ UInt64(entry.payload.count))
        entry.payload.withUnsafeBytes { bytes in
            var offset = 0
            while offset + 8 <= bytes.count {
                digest = mix(digest ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset += 8
            }
            while offset < bytes.count {
                digest = mix(digest ^ UInt64(bytes[offset]))
                offset += 1
            }
        }
        return digest
    }

    /// The digest of a log that begins with a genesis.
    static func digest(ofGenesisAt index: LogIndex, _ term: Term) -> UInt64 {
        mix(mix(0x6765_6e65_7369_7331 ^ index.rawValue) ^ term.rawValue)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var value = (value ^ value >> 32) &* 0xd6e8_feb8_6659_fd93
        value = (value ^ value >> 32) &* 0xd6e8_feb8_6659_fd93
        return value ^ value >> 32
    }
}
