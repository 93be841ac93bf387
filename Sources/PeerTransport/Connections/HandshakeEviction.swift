/// Which of the connections without a finished handshake makes way for a new one.
package enum HandshakeEviction {
    /// The oldest of the source that has most; among sources that have as many, the oldest of all. So a flood evicts itself.
    ///
    /// - Parameter sources: where the connections come from, the oldest first.
    /// - Returns: nil if there are none.
    package static func place(in sources: [String]) -> Int? {
        var counts: [String: Int] = [:]
        for source in sources { counts[source, default: 0] += 1 }
        guard let most = counts.values.max() else { return nil }
        return sources.firstIndex { counts[$0] == most }
    }
}
