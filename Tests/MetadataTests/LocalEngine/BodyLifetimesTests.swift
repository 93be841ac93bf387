import Metadata
import ObjectDataStore
import Synchronization
import Testing

@Suite("When the file of a stored body may go")
struct BodyLifetimesTests {
    /// What `BodyLifetimes` asked to be removed, in order.
    private final class Removed: Sendable {
        let ids = Mutex<[UInt64]>([])

        func makeLifetimes() -> BodyLifetimes {
            BodyLifetimes { [self] bodies in ids.withLock { $0 += bodies.map(\.sequence) } }
        }

        var all: [UInt64] { ids.withLock { $0 } }
    }

    private func body(_ sequence: UInt64) -> BodyID { BodyID(origin: 1, sequence: sequence) }

    @Test("With no reader anywhere, it goes at once")
    func idle() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        lifetimes.release([body(1), body(2)])
        #expect(removed.all == [1, 2])
    }

    @Test("A lookup that began before the release holds it until it ends, though it found something else")
    func lookupBefore() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        let lookup = lifetimes.beginLookup()
        lifetimes.release([body(1)])
        #expect(removed.all == [])
        lifetimes.endLookup(lookup, pinning: [body(9)])
        #expect(removed.all == [1])
    }

    @Test("A lookup that began after the release holds nothing of it")
    func lookupAfter() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        let before = lifetimes.beginLookup()
        lifetimes.release([body(1)])
        let after = lifetimes.beginLookup()
        lifetimes.endLookup(before, pinning: [])
        #expect(removed.all == [1])
        lifetimes.release([body(2)])
        #expect(removed.all == [1])
        lifetimes.endLookup(after, pinning: [])
        #expect(removed.all == [1, 2])
    }

    @Test("A lookup that found it holds it until its last pin goes")
    func pins() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        let first = lifetimes.beginLookup()
        let second = lifetimes.beginLookup()
        lifetimes.endLookup(first, pinning: [body(1)])
        lifetimes.release([body(1)])
        lifetimes.endLookup(second, pinning: [body(1)])
        #expect(removed.all == [])
        lifetimes.unpin([body(1)])
        #expect(removed.all == [])
        lifetimes.unpin([body(1)])
        #expect(removed.all == [1])
    }

    @Test("A pin that goes before the release removes nothing")
    func unpinnedFirst() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        lifetimes.endLookup(lifetimes.beginLookup(), pinning: [body(1)])
        lifetimes.unpin([body(1)])
        #expect(removed.all == [])
        lifetimes.release([body(1)])
        #expect(removed.all == [1])
    }

    @Test("Releases behind an old lookup wait for it, in order, and only for it")
    func oldLookup() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        let old = lifetimes.beginLookup()
        for number in 1...5 as ClosedRange<UInt64> {
            lifetimes.release([body(number)])
            lifetimes.endLookup(lifetimes.beginLookup(), pinning: [])
        }
        #expect(removed.all == [])
        lifetimes.endLookup(old, pinning: [body(3)])
        #expect(removed.all == [1, 2, 4, 5])
        lifetimes.unpin([body(3)])
        #expect(removed.all == [1, 2, 4, 5, 3])
    }

    @Test(
        "While all are held nothing goes: not what waits for a lookup or a pin, not what is released meanwhile; later releases do"
    )
    func held() {
        let removed = Removed()
        let lifetimes = removed.makeLifetimes()
        let reader = lifetimes.beginLookup()
        lifetimes.endLookup(reader, pinning: [body(1)])
        let lookup = lifetimes.beginLookup()
        lifetimes.release([body(1), body(2)])
        lifetimes.hold()
        lifetimes.endLookup(lookup, pinning: [body(3)])
        lifetimes.unpin([body(1)])
        lifetimes.release([body(3), body(4)])
        #expect(removed.all == [])
        lifetimes.resume()
        lifetimes.unpin([body(3)])
        #expect(removed.all == [])
        lifetimes.release([body(5)])
        #expect(removed.all == [5])
        let later = lifetimes.beginLookup()
        lifetimes.release([body(4)])
        #expect(removed.all == [5])
        lifetimes.endLookup(later, pinning: [])
        #expect(removed.all == [5, 4])
    }
}
