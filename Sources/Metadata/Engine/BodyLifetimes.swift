import NIOCore
package import ObjectDataStore
import Synchronization

/// Decides when the file of a stored body may be removed: after the commit that took the last reference away, and not while a
/// reader may still come to it.
///
/// A reader finds a body in two steps: it reads a record under a view of the store, then it pins the bodies that the record
/// names. Between the two a write may be committed that releases them. So each lookup is announced first, and:
///
/// 1. A lookup takes a number from `beginLookup` *before* it takes the view that it reads.
/// 2. A commit publishes its view first and calls `release` after that.
/// 3. Bodies released under epoch *e* wait until every lookup that began under an earlier epoch has ended. A lookup that
///    began at *e* or later took its view after the release, hence after the publication: it cannot see the references.
/// 4. `endLookup` pins what was found and ends the lookup in one step, so that nothing falls between the two.
///
/// What is released while pinned goes when the last pin does. Waiting is short: a lookup reads one record.
package final class BodyLifetimes: Sendable {
    private let state = Mutex(BodyLifetimesState())
    private let remove: @Sendable ([BodyID]) -> Void

    /// - Parameter remove: removes files; called outside of all locks, from any thread, and must not block.
    package init(remove: @escaping @Sendable ([BodyID]) -> Void) {
        self.remove = remove
    }

    /// Announces a lookup. It must be ended with `endLookup`.
    package func beginLookup() -> UInt64 {
        state.withLock { $0.beginLookup() }
    }

    /// Ends the lookup that `epoch` was given to and pins `bodies`: each call needs one `unpin` of the same bodies.
    package func endLookup(_ epoch: UInt64, pinning bodies: [BodyID]) {
        removeOutsideOfLock(state.withLock { $0.endLookup(epoch, pinning: bodies) })
    }

    package func unpin(_ bodies: [BodyID]) {
        removeOutsideOfLock(state.withLock { $0.unpin(bodies) })
    }

    /// The commit that took the last references to `bodies` is durable and its view is published.
    package func release(_ bodies: [BodyID]) {
        guard !bodies.isEmpty else { return }
        removeOutsideOfLock(state.withLock { $0.release(bodies) })
    }

    /// From now on nothing is removed, what has been released and is still there included: it is forgotten, and so is what is released until
    /// `resume`. Whoever resumes looks for files that nothing names. (Another state may come that names them.)
    package func hold() { state.withLock { $0.hold() } }

    /// What is released from now on is removed again.
    package func resume() { state.withLock { $0.isHeld = false } }

    private func removeOutsideOfLock(_ bodies: [BodyID]) {
        if !bodies.isEmpty { remove(bodies) }
    }
}

/// The decisions of `BodyLifetimes`, as a value: each event returns the bodies whose files may be removed now.
struct BodyLifetimesState {
    private struct Pin {
        var count = 0
        var isReleased = false
    }

    private struct Release {
        var epoch: UInt64
        var bodies: [BodyID]
    }

    private var epoch: UInt64 = 0
    /// How many lookups are under way, by the epoch they began under: the first element is `oldestEpoch`, the last `epoch`.
    private var lookupCounts: CircularBuffer<Int> = [0]
    private var releases: CircularBuffer<Release> = []
    private var pins: [BodyID: Pin] = [:]
    var isHeld = false

    private var oldestEpoch: UInt64 { epoch - UInt64(lookupCounts.count - 1) }

    mutating func beginLookup() -> UInt64 {
        lookupCounts[offset: lookupCounts.count - 1] += 1
        return epoch
    }

    mutating func endLookup(_ lookup: UInt64, pinning bodies: [BodyID]) -> [BodyID] {
        let position = Int(lookup - oldestEpoch)
        precondition(lookupCounts[offset: position] > 0, "a lookup ended that had not begun")
        lookupCounts[offset: position] -= 1
        for body in bodies { pins[body, default: Pin()].count += 1 }
        return removable()
    }

    mutating func hold() {
        isHeld = true
        releases = []
        for id in pins.keys { pins[id]?.isReleased = false }
    }

    mutating func release(_ bodies: [BodyID]) -> [BodyID] {
        if isHeld { return [] }
        epoch += 1
        lookupCounts.append(0)
        releases.append(Release(epoch: epoch, bodies: bodies))
        return removable()
    }

    mutating func unpin(_ bodies: [BodyID]) -> [BodyID] {
        var removable: [BodyID] = []
        for body in bodies {
            guard var pin = pins[body] else { preconditionFailure("a body was unpinned that had no pin") }
            pin.count -= 1
            if pin.count == 0 {
                pins[body] = nil
                if pin.isReleased { removable.append(body) }
            } else {
                pins[body] = pin
            }
        }
        return removable
    }

    /// Takes the releases that no lookup under way can have missed.
    private mutating func removable() -> [BodyID] {
        while lookupCounts.count > 1, lookupCounts.first == 0 { lookupCounts.removeFirst() }
        var removable: [BodyID] = []
        while let first = releases.first, first.epoch <= oldestEpoch {
            releases.removeFirst()
            for body in first.bodies {
                if pins[body] == nil { removable.append(body) } else { pins[body]?.isReleased = true }
            }
        }
        return removable
    }
}
