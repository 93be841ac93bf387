import Raft
import Replication

/// The bytes of snapshots, as far as the simulation has any: each chunk says which one it is, of which snapshot, and is padded.
enum SimulatedSnapshotBytes {
    static let byteCountMin = 24

    static func chunk(_ number: UInt64, of id: SnapshotID, byteCount: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.withUnsafeMutableBytes { buffer in
            for (place, word) in [id.fingerprint, id.index.rawValue, number].enumerated() where place * 8 + 8 <= byteCount {
                buffer.storeBytes(of: word.littleEndian, toByteOffset: place * 8, as: UInt64.self)
            }
        }
        return bytes
    }

    /// Whether the chunks are all of what was offered.
    static func isWhole(_ chunks: [[UInt8]], of offer: SnapshotOffer) -> Bool {
        guard UInt64(chunks.count) == offer.chunkCount else { return false }
        for (number, bytes) in chunks.enumerated() {
            let expected = chunk(UInt64(number), of: offer.id, byteCount: offer.byteCount(ofChunk: UInt64(number)))
            if bytes != expected { return false }
        }
        return true
    }
}
