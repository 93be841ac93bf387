/// Bugs of whoever drives a replica, put back into the simulator's driver; the server's is like it.
package struct DriverMutations: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// An installation writes the log's beginning before the state that belongs to it.
    package static let replacesLogFirst = DriverMutations(rawValue: 1 << 0)
    /// Bodies that nothing has named for long are deleted without a word in the log.
    package static let abandonsUnasked = DriverMutations(rawValue: 1 << 1)
    /// Bodies that nothing names are kept.
    package static let keepsUnnamed = DriverMutations(rawValue: 1 << 2)

    package static let all: [(name: String, mutation: DriverMutations)] = [
        ("replaces-log-first", .replacesLogFirst), ("abandons-unasked", .abandonsUnasked),
        ("keeps-unnamed", .keepsUnnamed),
    ]
}
