/// Names one stored body. Never reused: a node's starts are counted durably and each start numbers its bodies.
public struct BodyID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Bits 48…63: the node; bits 0…47: how often that node's store had been opened when the body was written.
    public let origin: UInt64
    /// The position among the bodies that this start of the store wrote.
    public let sequence: UInt64

    public init(origin: UInt64, sequence: UInt64) {
        self.origin = origin
        self.sequence = sequence
    }

    public static func < (left: BodyID, right: BodyID) -> Bool {
        (left.origin, left.sequence) < (right.origin, right.sequence)
    }

    /// 32 lower-case hexadecimal digits; also the file's name.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            for position in 0..<32 {
                let word = position < 16 ? origin : sequence
                buffer[position] = digits[Int(truncatingIfNeeded: word >> UInt64((15 - position % 16) * 4)) & 15]
            }
            return 32
        }
    }
}

/// A body that is durable in an object-data store.
public struct StoredBody: Hashable, Sendable {
    public let id: BodyID
    /// Bytes of content, without the file's own framing.
    public let length: UInt64

    public init(id: BodyID, length: UInt64) {
        self.id = id
        self.length = length
    }
}
