package import Checksum
package import KeyValueStore

/// The hash of one record: what it adds to the digest.
package enum RecordHash {
    /// "rustfs-metadata/digest/1" is not secret: it only separates this use of the hash from others.
    package static let key = SipHash128.Key(k0: 0x7275_7374_6673_2d6d, k1: 0x6574_6164_6174_6131)

    /// SipHash-2-4-128 over the family's index and the key's length (one little-endian word: index in the low byte), the key, the value.
    package static func contribution(_ family: ColumnFamily, _ key: [UInt8], _ value: UnsafeRawBufferPointer) -> StateDigest {
        var hash = SipHash128(key: Self.key)
        let header = (UInt64(key.count) << 8 | UInt64(family.index)).littleEndian
        withUnsafeBytes(of: header) { hash.update($0) }
        key.withUnsafeBytes { hash.update($0) }
        hash.update(value)
        let sum = hash.value
        return StateDigest(low: UInt64(truncatingIfNeeded: sum), high: UInt64(truncatingIfNeeded: sum >> 64))
    }

    package static func contribution(_ family: ColumnFamily, _ key: [UInt8], _ value: RawSpan) -> StateDigest {
        value.withUnsafeBytes { contribution(family, key, $0) }
    }

    package static func contribution(_ family: ColumnFamily, _ key: [UInt8], _ value: [UInt8]) -> StateDigest {
        value.withUnsafeBytes { contribution(family, key, $0) }
    }

    /// Whether a record counts in the digest. Inline bodies count by the hash that their record holds; the applied index, its
    /// term and the format are no part of the state.
    package static func counts(_ family: ColumnFamily, _ key: [UInt8]) -> Bool {
        switch family.index {
        case KeySchema.inline.index: false
        case KeySchema.system.index:
            key != KeySchema.applied && key != KeySchema.format && key != KeySchema.replicationPosition
        default: true
        }
    }
}

/// The hash by which a record vouches for the bytes that `inline` holds for it.
package enum BodyHash {
    package static let key = SipHash128.Key(k0: 0x7275_7374_6673_2d62, k1: 0x6f64_792d_6861_7331)

    /// The low half of SipHash-2-4-128 of the bytes.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(truncatingIfNeeded: SipHash128.hash(bytes, key: key))
    }
}
