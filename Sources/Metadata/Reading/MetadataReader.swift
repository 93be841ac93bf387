package import KeyValueStore

/// Reads the metadata as it stands in one view of the store: a snapshot, or a transaction under construction.
///
/// It blocks when `tier` is `.all`; with `.memory` it throws `.needsDisk` instead of waiting for the disk.
package struct MetadataReader<Reader: KeyValueReader> {
    package let reader: Reader
    package let tier: ReadTier

    package init(_ reader: Reader, tier: ReadTier) {
        self.reader = reader
        self.tier = tier
    }

    /// The record under `key`, decoded where it lies; `nil` when there is none.
    func record<Record>(
        _ key: [UInt8], in family: ColumnFamily, _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) throws(MetadataReadError) -> Record? {
        let decoded: Result<Record, RecordDamage>?
        do throws(KeyValueStoreError) {
            decoded = try reader.withValue(key, in: family, tier: tier) { bytes in
                Result { () throws(RecordDamage) in try decode(bytes) }
            }
        } catch { throw MetadataReadError(error) }
        do throws(RecordDamage) { return try decoded?.get() } catch { throw MetadataReadError(error) }
    }

    func cursor(
        in family: ColumnFamily, from lowerBound: [UInt8], to upperBound: [UInt8]
    ) throws(MetadataReadError) -> Reader.Cursor {
        do throws(KeyValueStoreError) {
            var cursor = try reader.makeCursor(in: family, from: lowerBound, to: upperBound, tier: tier)
            try cursor.seekToFirst()
            return cursor
        } catch { throw MetadataReadError(error) }
    }
}

extension KeyValueCursor {
    /// The record under the cursor, decoded where it lies.
    func decodeValue<Record>(
        _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) throws(MetadataReadError) -> Record {
        let decoded = withValue { bytes in Result { () throws(RecordDamage) in try decode(bytes) } }
        do throws(RecordDamage) { return try decoded.get() } catch { throw MetadataReadError(error) }
    }

    mutating func step() throws(MetadataReadError) {
        do throws(KeyValueStoreError) { try next() } catch { throw MetadataReadError(error) }
    }
}

extension MetadataReadError {
    init(_ damage: RecordDamage) {
        self = .failed(MetadataError(.corruption, damage.description))
    }

    static func failed(_ code: MetadataError.Code, _ detail: String = "") -> MetadataReadError {
        .failed(MetadataError(code, detail))
    }
}
