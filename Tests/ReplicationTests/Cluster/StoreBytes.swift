import KeyValueStore
import Metadata
import Raft
import Replication

/// A store's contents in a row: what a snapshot of the tests consists of.
enum StoreBytes {
    static func dump(_ store: InMemoryStore) throws -> [UInt8] {
        let reader = store.makeSnapshot()
        var bytes: [UInt8] = []
        for family in KeySchema.families {
            var cursor = try reader.makeCursor(in: family, from: nil, to: nil, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
                let value = cursor.withValue { $0.copy(0..<$0.byteCount) }
                bytes.append(UInt8(family.index))
                bytes.appendLittleEndian(UInt32(key.count))
                bytes += key
                bytes.appendLittleEndian(UInt32(value.count))
                bytes += value
                try cursor.next()
            }
        }
        return bytes
    }

    static func load(_ bytes: [UInt8]) throws -> InMemoryStore {
        let store = InMemoryStore(families: KeySchema.families)
        let transaction = store.makeTransaction()
        var offset = 0
        func length() -> Int {
            defer { offset += 4 }
            return bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        while offset < bytes.count {
            let family = KeySchema.families[Int(bytes[offset])]
            offset += 1
            let keyCount = length()
            let key = Array(bytes[offset..<offset + keyCount])
            offset += keyCount
            let valueCount = length()
            transaction.put(Array(bytes[offset..<offset + valueCount]), for: key, in: family)
            offset += valueCount
        }
        try store.commit(transaction, durability: .synced)
        return store
    }

    /// FNV-1a.
    static func fingerprint(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
