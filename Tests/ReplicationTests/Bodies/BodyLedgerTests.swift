import ObjectDataStore
import Raft
import Replication
import Testing

@Suite struct BodyLedgerTests {
    static func id(_ sequence: UInt64) -> BodyID { BodyID(origin: 7, sequence: sequence) }
    static func body(_ sequence: UInt64) -> StoredBody { StoredBody(id: id(sequence), length: 100 + sequence) }
    static func at(_ milliseconds: UInt64) -> ClockReading { ClockReading.zero.adding(milliseconds: milliseconds) }

    @Test("What is named is looked for, and fetched until it is there")
    func lacking() {
        var ledger = BodyLedgerState()
        ledger.named([Self.body(1), Self.body(2)], upTo: LogIndex(1))
        let answer1 = ledger.takeUnchecked()
        #expect(answer1 == [Self.body(1), Self.body(2)])
        let answer2 = ledger.takeUnchecked()
        #expect(answer2.isEmpty)
        ledger.lack(Self.body(2))
        #expect(ledger.lackingByteCount == 102)
        let answer3 = ledger.nextFetch(at: Self.at(0))
        #expect(answer3 == Self.body(2))
        let answer4 = ledger.nextFetch(at: Self.at(0))
        #expect(answer4 == nil)
        ledger.fetchFailed(Self.id(2), at: Self.at(0))
        let answer5 = ledger.nextFetch(at: Self.at(499))
        #expect(answer5 == nil)
        let answer6 = ledger.nextFetch(at: Self.at(500))
        #expect(answer6 == Self.body(2))
        ledger.fetched(Self.id(2))
        #expect(ledger.lacks.isEmpty)
    }

    @Test("A reader's lack goes first, and does not wait for its next turn")
    func urgent() {
        var ledger = BodyLedgerState()
        for sequence: UInt64 in 1...3 { ledger.lack(Self.body(sequence)) }
        let answer7 = ledger.nextFetch(at: Self.at(0))
        #expect(answer7 == Self.body(1))
        ledger.fetchFailed(Self.id(1), at: Self.at(0))
        ledger.lack(Self.body(3), isUrgent: true)
        let answer8 = ledger.nextFetch(at: Self.at(1))
        #expect(answer8 == Self.body(3))
        ledger.lack(Self.body(1), isUrgent: true)
        let answer9 = ledger.nextFetch(at: Self.at(1))
        #expect(answer9 == Self.body(1))
        let answer10 = ledger.nextFetch(at: Self.at(1))
        #expect(answer10 == Self.body(2))
    }

    @Test("What is released is not fetched any more")
    func released() {
        var ledger = BodyLedgerState()
        ledger.named([Self.body(1), Self.body(2)], upTo: LogIndex(1))
        ledger.lack(Self.body(3))
        ledger.released([Self.id(1), Self.id(3)])
        let answer11 = ledger.takeUnchecked()
        #expect(answer11 == [Self.body(2)])
        let answer12 = ledger.nextFetch(at: Self.at(0))
        #expect(answer12 == nil)
    }

    @Test("While a body comes in nobody fetches it; its end decides")
    func receptions() {
        var ledger = BodyLedgerState()
        for sequence: UInt64 in 1...3 { ledger.receptionBegan(Self.id(sequence)) }
        ledger.receptionBegan(Self.id(3))
        ledger.named([Self.body(1), Self.body(2), Self.body(3)], upTo: LogIndex(1))
        let answer13 = ledger.takeUnchecked()
        #expect(answer13.isEmpty)
        ledger.lack(Self.body(1))
        let answer14 = ledger.nextFetch(at: Self.at(0))
        #expect(answer14 == nil)
        ledger.receptionEnded(Self.id(1), isStored: true)
        #expect(ledger.lacks.isEmpty)
        ledger.receptionEnded(Self.id(2), isStored: false)
        let answer15 = ledger.nextFetch(at: Self.at(0))
        #expect(answer15 == Self.body(2))
        // The other reception of it may still succeed.
        ledger.receptionEnded(Self.id(3), isStored: false)
        let answer16 = ledger.nextFetch(at: Self.at(0))
        #expect(answer16 == nil)
        ledger.receptionEnded(Self.id(3), isStored: false)
        let answer17 = ledger.nextFetch(at: Self.at(0))
        #expect(answer17 == Self.body(3))
    }

    @Test("What was named and released while it came in is deleted when it is there")
    func releasedMeanwhile() {
        var ledger = BodyLedgerState()
        for sequence: UInt64 in 1...2 { ledger.receptionBegan(Self.id(sequence)) }
        ledger.named([Self.body(1), Self.body(2)], upTo: LogIndex(1))
        ledger.released([Self.id(1), Self.id(2)])
        ledger.receptionEnded(Self.id(1), isStored: true)
        ledger.receptionEnded(Self.id(2), isStored: false)
        let answer18 = ledger.takeDiscarded()
        #expect(answer18 == [Self.id(1)])
        let answer19 = ledger.takeDiscarded()
        #expect(answer19.isEmpty)
        #expect(ledger.lacks.isEmpty)
    }

    @Test("What comes in only after the log has named and released it is deleted, too")
    func releasedBefore() {
        var ledger = BodyLedgerState()
        ledger.named([Self.body(1)], upTo: LogIndex(1))
        ledger.released([Self.id(1)])
        for sequence: UInt64 in 1...2 {
            ledger.receptionBegan(Self.id(sequence))
            ledger.receptionEnded(Self.id(sequence), isStored: true)
        }
        let discarded = ledger.takeDiscarded()
        #expect(discarded == [Self.id(1)])
    }

    @Test("What is discarded while its last bytes are written is deleted when it is there")
    func discardedMeanwhile() {
        var ledger = BodyLedgerState()
        ledger.receptionBegan(Self.id(1))
        ledger.discard([Self.id(1), Self.id(2)])
        let now = ledger.takeDiscarded()
        #expect(now == [Self.id(1), Self.id(2)])
        ledger.receptionEnded(Self.id(1), isStored: true)
        let later = ledger.takeDiscarded()
        #expect(later == [Self.id(1)])
    }

    @Test("A file that nothing names is abandoned after its grace time, and not while it comes in or once it is named")
    func unnamed() {
        var ledger = BodyLedgerState()
        let ids = [Self.id(1), Self.id(2), Self.id(3)]
        ledger.receptionBegan(Self.id(2))
        let answer20 = ledger.sawUnnamed(ids, grace: 100, at: Self.at(0))
        #expect(answer20.isEmpty)
        let answer21 = ledger.sawUnnamed(ids, grace: 100, at: Self.at(99))
        #expect(answer21.isEmpty)
        #expect(ledger.unnamedCount == 2)
        ledger.named([Self.body(3)], upTo: LogIndex(1))
        let answer22 = ledger.sawUnnamed(ids, grace: 100, at: Self.at(100))
        #expect(answer22 == [Self.id(1)])
        ledger.passEnded(unnamed: [Self.id(2)])
        #expect(ledger.unnamedCount == 0)
        // Gone and back: its time begins anew.
        let answer23 = ledger.sawUnnamed([Self.id(1)], grace: 100, at: Self.at(200))
        #expect(answer23.isEmpty)
    }

    @Test("Another state means another pass, and so does more than fits")
    func passes() {
        var ledger = BodyLedgerState()
        let answer24 = ledger.takePassDue()
        #expect(answer24)
        let answer25 = ledger.takePassDue()
        #expect(!answer25)
        ledger.lack(Self.body(1))
        ledger.stateReplaced()
        #expect(ledger.lacks.isEmpty)
        let answer26 = ledger.takePassDue()
        #expect(answer26)
        ledger.named((0...UInt64(BodyLedgerState.lackCountMax)).map(Self.body), upTo: LogIndex(1))
        let answer27 = ledger.takePassDue()
        #expect(answer27)
        let answer28 = ledger.takeUnchecked()
        #expect(answer28.count == BodyLedgerState.lackCountMax)
    }
}
