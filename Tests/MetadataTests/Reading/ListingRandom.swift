import Metadata

/// One number reproduces a run (SplitMix64).
struct ListingRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// What breaks an encoding's order or a folding: zero bytes and their neighbours, the delimiter's neighbours in order,
    /// the first and the last character of each length in UTF-8.
    static let pieces = [
        "a", "b", "/", "//", "-", ".", "0", "\0", "\u{1}", "\u{7F}", "\u{80}", "ÿ", "\u{FFFD}", "😀", "\u{10FFFF}",
    ]
    .map { Array($0.utf8) }
    static let delimiters = ["/", "/", "/", "//", "-", "\0", "😀", "a/", "ab", "\u{10FFFF}"].map { Array($0.utf8) }

    mutating func key(pieceCountMax: Int = 5) -> [UInt8] {
        (0...below(pieceCountMax)).flatMap { _ in pick(Self.pieces) }
    }

    /// Some bytes that a client may send as prefix or marker; they need not be a key nor even UTF-8.
    mutating func fragment(near keys: [[UInt8]]) -> [UInt8] {
        switch below(8) {
        case 0: return []
        case 1: return key(pieceCountMax: 3)
        case 2: return [UInt8](repeating: 0xFF, count: 1 + below(3))
        case 3: return pick(keys)
        case 4: return pick(keys) + [pick([0, 1, 0x2F, 0xFF])]
        default:
            let key = pick(keys)
            return Array(key[..<below(key.count + 1)])
        }
    }

    mutating func range(near keys: [[UInt8]]) -> KeyRange {
        var range = KeyRange(
            prefix: chance(50) ? [] : fragment(near: keys), delimiter: chance(30) ? [] : pick(Self.delimiters), marker: [])
        switch below(4) {
        case 0: break
        case 1: range.marker = fragment(near: keys)
        case 2: range.marker = range.prefix + fragment(near: keys)
        default: range.marker = NaiveBucket.folder(of: pick(keys), range) ?? pick(keys)
        }
        return range
    }
}
