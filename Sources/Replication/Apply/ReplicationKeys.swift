import Metadata
import Raft

/// Which keys the replicated state has beside the metadata, all in the family `system` (docs/formats/replicated-state.md).
package enum ReplicationKeys {
    package static let position = KeySchema.replicationPosition
    package static let cluster = KeySchema.replicationPrefix + Array("cluster".utf8)
    package static let genesis = KeySchema.replicationPrefix + Array("genesis".utf8)
    package static let restore = KeySchema.replicationPrefix + Array("restore".utf8)
    package static let sessionPrefix = KeySchema.replicationPrefix + Array("session/".utf8)
    package static let resultPrefix = KeySchema.replicationPrefix + Array("result/".utf8)

    static func session(_ node: NodeID) -> [UInt8] {
        var key = sessionPrefix
        key.appendBigEndian(node.rawValue)
        return key
    }

    static func results(_ node: NodeID, page number: UInt64) -> [UInt8] {
        var key = resultPrefix
        key.reserveCapacity(resultPrefix.count + 16)
        key.appendBigEndian(node.rawValue)
        key.appendBigEndian(number)
        return key
    }

    /// The number of the page at the end of its key.
    static func page(in key: [UInt8]) -> UInt64? {
        guard key.count == resultPrefix.count + 16 else { return nil }
        return key.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Above all keys that begin with `prefix` and a number.
    static func past(_ prefix: [UInt8]) -> [UInt8] { prefix + [UInt8](repeating: 0xFF, count: 17) }
}
