internal import Checksum

/// The checksum's start for whatever lies in one segment: cluster, segment number (the generation of a reused file) and offset.
///
/// None of the three is a part of what is checked. They make whatever an earlier use of the file left, and whatever the disk put in
/// the wrong place, as wrong as a flipped bit.
package struct PlaceSeed: Sendable {
    private let segment: UInt32
    private let knowsOffset: Bool

    package init(clusterID: LogIdentity.ClusterID, segment: UInt64, mutations: StorageMutations = []) {
        let generation = mutations.contains(.forgetsGeneration) ? 0 : segment
        let place = (clusterID.high.littleEndian, clusterID.low.littleEndian, generation.littleEndian)
        knowsOffset = !mutations.contains(.forgetsPlace)
        self.segment = Swift.withUnsafeBytes(of: place) { CRC32C.checksum($0) }
    }

    /// The checksum of bytes that belong at `offset`.
    @inline(__always)
    package func checksum(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        var place = knowsOffset ? UInt64(offset).littleEndian : 0
        let seed = Swift.withUnsafeBytes(of: &place) { CRC32C.checksum($0, seed: segment) }
        return CRC32C.checksum(bytes, seed: seed)
    }
}
