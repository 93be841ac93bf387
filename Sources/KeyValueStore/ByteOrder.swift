import Glibc

/// Compares byte strings in the order of the store: unsigned, lexicographic, a prefix before what it begins.
/// - Returns: negative, zero or positive, as `memcmp` does.
@inline(__always)
func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    if let leftStart = left.baseAddress, let rightStart = right.baseAddress {
        let order = memcmp(leftStart, rightStart, min(left.count, right.count))
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}

@inline(__always)
func compareBytes(_ left: [UInt8], _ right: [UInt8]) -> Int {
    left.withUnsafeBytes { left in right.withUnsafeBytes { right in compareBytes(left, right) } }
}

/// Where a cursor stands. An exhausted cursor remembers at which end it fell off, so that `previous()` after a seek past
/// the last key finds the last key: "the greatest key below x" is a seek to x and a step back, whatever lies at x.
enum CursorPosition {
    case unpositioned
    case onRecord
    case beforeFirst
    case afterLast
}
