import Checksum
import Testing

@Suite struct SipHash128Tests {
    /// Key 00 01 … 0f, input 00 01 … of the given length; computed with OpenSSL's SIPHASH MAC of size 16.
    static let vectors: [(length: Int, hash: String)] = [
        (0, "A3817F04BA25A8E66DF67214C7550293"),
        (1, "DA87C1D86B99AF44347659119B22FC45"),
        (7, "A1F1EBBED8DBC153C0B84AA61FF08239"),
        (8, "3B62A9BA6258F5610F83E264F31497B4"),
        (15, "5493E99933B0A8117E08EC0F97CFC3D9"),
        (16, "6EE2A4CA67B054BBFD3315BF85230577"),
        (63, "5150D1772F50834A503E069A973FBD7C"),
    ]
    static let key = SipHash128.Key(k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908)

    private func hexadecimal(_ hash: UInt128) -> String {
        (0..<16).map { position in
            let byte = UInt8(truncatingIfNeeded: hash >> UInt128(8 * position))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    @Test("Reference vectors come out", arguments: vectors)
    func reference(length: Int, hash: String) {
        let bytes = (0..<length).map { UInt8($0) }
        bytes.withUnsafeBytes { #expect(hexadecimal(SipHash128.hash($0, key: Self.key)) == hash) }
    }

    @Test("Cutting the input anywhere, in three, changes nothing")
    func cuts() {
        let bytes = pseudoRandomBytes(41)
        bytes.withUnsafeBytes { all in
            let whole = SipHash128.hash(all, key: Self.key)
            for first in 0...41 {
                for second in first...41 {
                    var hash = SipHash128(key: Self.key)
                    hash.update(UnsafeRawBufferPointer(rebasing: all[..<first]))
                    hash.update(UnsafeRawBufferPointer(rebasing: all[first..<second]))
                    hash.update(UnsafeRawBufferPointer(rebasing: all[second...]))
                    #expect(hash.value == whole, "cut at \(first) and \(second)")
                }
            }
        }
    }

    @Test("Asking for the value does not end the hash")
    func valueIsNoEnd() {
        var hash = SipHash128(key: Self.key)
        _ = hash.value
        [UInt8](0..<15).withUnsafeBytes { hash.update($0) }
        #expect(hexadecimal(hash.value) == "5493E99933B0A8117E08EC0F97CFC3D9")
    }

    @Test("Another key gives another hash")
    func keys() {
        let other = SipHash128.Key(k0: Self.key.k0, k1: Self.key.k1 ^ 1)
        [UInt8](0..<15).withUnsafeBytes { bytes in
            #expect(SipHash128.hash(bytes, key: other) != SipHash128.hash(bytes, key: Self.key))
        }
    }
}
