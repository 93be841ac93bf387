import Metadata
import ObjectDataStore
import Raft
import Replication
import Testing

@Suite("The bytes of a step of a restore")
struct RestoreStepTests {
    static let id = RestoreID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)
    static let replacement = StateReplacement(
        restore: id, file: StoredBody(id: BodyID(origin: 1 << 50, sequence: 7), length: 1 << 33),
        holders: [[NodeID(1), NodeID(2)], [NodeID(2), NodeID(300)]], snapshot: .max - 5, index: LogIndex(1 << 40),
        digest: StateDigest(low: 8, high: 9))
    static let steps: [RestoreStep] = [.begin(id), .cancel(id), .replace(replacement)]

    @Test("What is encoded decodes to the same", arguments: steps)
    func roundTrip(step: RestoreStep) throws {
        #expect(try RestoreStep(decoding: step.encoded()) == step)
    }

    @Test("Each cut, and a byte more, is refused", arguments: steps)
    func cut(step: RestoreStep) {
        let bytes = step.encoded()
        for count in bytes.indices {
            #expect(throws: DecodingFault.self) { try RestoreStep(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: DecodingFault.trailing(byteCount: 1)) { try RestoreStep(decoding: bytes + [0]) }
    }

    @Test("A flipped byte makes another step or none, never a crash", arguments: steps)
    func flipped(step: RestoreStep) {
        let bytes = step.encoded()
        for place in bytes.indices {
            for mask: UInt8 in [0x01, 0x80, 0xFF] {
                var damaged = bytes
                damaged[place] ^= mask
                guard let other = try? RestoreStep(decoding: damaged) else { continue }
                #expect(other.encoded() == damaged)
            }
        }
    }

    @Test("The fields are where docs/formats/command.md says")
    func bytes() {
        #expect(
            RestoreStep.begin(Self.id).encoded() == [
                1, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 8, 7, 6, 5, 4, 3, 2, 1,
            ])
        let bytes = RestoreStep.replace(Self.replacement).encoded()
        #expect(bytes[1] == RestoreStep.replaceCode && bytes.count == 2 + 16 + 24 + 16 + 8 + 16 + 2 + 2 * (2 + 16))
        #expect(bytes[18..<26] == [0, 0, 0, 0, 0, 0, 4, 0] && bytes[34..<42] == [0, 0, 0, 0, 2, 0, 0, 0])
    }

    @Test("Only an entry that may replace the state is applied by itself")
    func alone() {
        func entry(_ kind: SessionOperation.Kind, _ operation: [UInt8]) -> Entry {
            let command = Command.operation(
                SessionOperation(
                    session: ApplyBench.session(1), serial: Serial(1), mark: Serial(1), kind: kind, operation: operation))
            return Entry(index: LogIndex(5), term: Term(1), payload: command.encoded())
        }
        #expect(entry(.restore, RestoreStep.replace(Self.replacement).encoded()).mayReplaceState)
        #expect(!entry(.metadata, RestoreStep.replace(Self.replacement).encoded()).mayReplaceState)
        #expect(!entry(.restore, RestoreStep.begin(Self.id).encoded()).mayReplaceState)
        #expect(!entry(.restore, []).mayReplaceState)
        #expect(!Entry(index: LogIndex(5), term: Term(1), payload: []).mayReplaceState)
    }
}
