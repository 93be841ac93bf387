internal import Checksum
internal import FileSystem

/// The first block of a segment that is, or was, in use.
package struct SegmentHeader: Sendable, Hashable {
    package var identity: LogIdentity
    /// The number in the segment's name: the generation of the file's present use.
    package var number: UInt64
    package var segmentByteCount: UInt64
    /// Where the segment before it ended when this one was begun; all of that was synchronized. 0 for the first of a log.
    package var previousEnd: UInt64

    package init(identity: LogIdentity, number: UInt64, segmentByteCount: UInt64, previousEnd: UInt64) {
        self.identity = identity
        self.number = number
        self.segmentByteCount = segmentByteCount
        self.previousEnd = previousEnd
    }

    /// Why a block is not a segment's header.
    package enum Fault: Error, Hashable {
        /// Zeros, another content, or a damaged header: no valid one.
        case invalid
        /// Valid, of a layout that this program does not know.
        case unknownVersion(UInt32)
    }

    /// Writes the block. - Precondition: `block` has `LogFormat.blockByteCount` bytes.
    package func encode(into block: UnsafeMutableRawBufferPointer) {
        precondition(block.count == LogFormat.blockByteCount, "a header is a block")
        block.initializeMemory(as: UInt8.self, repeating: 0)
        block.store(LogFormat.segmentMagic, at: 0)
        block.store(LogFormat.version, at: 12)
        block.store(identity.clusterID.high, at: 16)
        block.store(identity.clusterID.low, at: 24)
        block.store(identity.groupID, at: 32)
        block.store(identity.nodeID, at: 40)
        block.store(number, at: 48)
        block.store(segmentByteCount, at: 56)
        block.store(previousEnd, at: 64)
        block.store(Self.checksum(UnsafeRawBufferPointer(block)), at: 8)
    }

    package init(decoding block: UnsafeRawBufferPointer) throws(Fault) {
        guard block.count >= LogFormat.blockByteCount else { throw .invalid }
        let block = UnsafeRawBufferPointer(rebasing: block[..<LogFormat.blockByteCount])
        guard block.load(at: 0, as: UInt64.self) == LogFormat.segmentMagic,
            block.load(at: 8, as: UInt32.self) == Self.checksum(block)
        else { throw .invalid }
        let version = block.load(at: 12, as: UInt32.self)
        guard version == LogFormat.version else { throw .unknownVersion(version) }
        identity = LogIdentity(
            clusterID: .init(high: block.load(at: 16, as: UInt64.self), low: block.load(at: 24, as: UInt64.self)),
            groupID: block.load(at: 32, as: UInt64.self), nodeID: block.load(at: 40, as: UInt64.self))
        number = block.load(at: 48, as: UInt64.self)
        segmentByteCount = block.load(at: 56, as: UInt64.self)
        previousEnd = block.load(at: 64, as: UInt64.self)
    }

    /// Not salted: whose segment it is shall be told, not guessed from a wrong checksum.
    private static func checksum(_ block: UnsafeRawBufferPointer) -> UInt32 {
        let magic = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: block[..<8]))
        return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: block[12...]), seed: magic)
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store(_ value: some FixedWidthInteger, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func load<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}
