/// Bugs that others had, to be switched on in tests: the simulator has to catch each one. None is on in the server.
package struct StorageMutations: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `synchronize` says that it is done and does nothing.
    package static let acknowledgesBeforeSynchronize = StorageMutations(rawValue: 1 << 0)
    /// After a failed synchronization another one is tried, and believed.
    package static let retriesSynchronize = StorageMutations(rawValue: 1 << 1)
    /// Recovery appends behind a torn tail without cutting it.
    package static let leavesTornTail = StorageMutations(rawValue: 1 << 2)
    /// Recovery takes every damaged batch for a torn tail.
    package static let cutsAtDamage = StorageMutations(rawValue: 1 << 3)
    /// Checksums do not know the segment: what an earlier use of the file left validates.
    package static let forgetsGeneration = StorageMutations(rawValue: 1 << 4)
    /// The hard state is written with the batch after the one that it came with.
    package static let delaysHardState = StorageMutations(rawValue: 1 << 5)
    /// A new segment does not repeat the hard state, which is lost with the segment before.
    package static let opensWithoutHardState = StorageMutations(rawValue: 1 << 6)
    /// Files get their new names without a synchronization of the directory.
    package static let renamesWithoutDirectorySync = StorageMutations(rawValue: 1 << 7)
    /// Segments are given away before the snapshot mark that frees them is durable.
    package static let releasesBeforeMark = StorageMutations(rawValue: 1 << 8)
    /// A write that fails is forgotten, and the next one goes on behind it.
    package static let ignoresWriteError = StorageMutations(rawValue: 1 << 9)
    /// Checksums do not know the place in the segment: what a write has put elsewhere validates.
    package static let forgetsPlace = StorageMutations(rawValue: 1 << 10)

    /// Each one, with the name that a command line uses.
    package static let all: [(name: String, mutation: StorageMutations)] = [
        ("acknowledges-before-synchronize", .acknowledgesBeforeSynchronize),
        ("retries-synchronize", .retriesSynchronize),
        ("leaves-torn-tail", .leavesTornTail),
        ("cuts-at-damage", .cutsAtDamage),
        ("forgets-generation", .forgetsGeneration),
        ("delays-hard-state", .delaysHardState),
        ("opens-without-hard-state", .opensWithoutHardState),
        ("renames-without-directory-sync", .renamesWithoutDirectorySync),
        ("releases-before-mark", .releasesBeforeMark),
        ("ignores-write-error", .ignoresWriteError),
        ("forgets-place", .forgetsPlace),
    ]
}
