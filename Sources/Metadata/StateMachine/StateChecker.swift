package import KeyValueStore

/// Reads a whole store and says what in it contradicts something else: for tests, for the check after a crash, for a scrub.
///
/// Needs no memory that grows with the store (but for one bucket's figures); reads every record and every inline body once.
package struct StateChecker<Reader: KeyValueReader> {
    /// What was found. Empty `problems`: the store is consistent and its digest is what its records add up to.
    package struct Report: Sendable {
        /// At most `problemCountMax` of them are kept.
        package var problems: [String] = []
        package var problemCount = 0
        /// Recomputed from all records.
        package var digest = StateDigest.zero
        /// As stored with the last batch.
        package var appliedIndex: UInt64 = 0
        package var storedDigest = StateDigest.zero
        package var bucketCount = 0
        package var versionCount = 0

        package var isConsistent: Bool { problemCount == 0 }

        mutating func add(_ problem: String) {
            problemCount += 1
            if problems.count < StateCheckLimits.problemCountMax { problems.append(problem) }
        }
    }

    let reader: Reader
    var report = Report()
    /// By versions and parts, as `checkVersions` and `checkParts` found.
    var neededBodyCount = 0

    /// - Throws: where the store cannot be read; a record that is damaged is a problem in the report.
    package static func check(_ reader: Reader) throws(MetadataStoreFailure) -> Report {
        var checker = StateChecker(reader: reader)
        try checker.checkSystem()
        try checker.checkBuckets()
        try checker.checkVersions()
        try checker.checkManifests()
        try checker.checkInline()
        try checker.checkUploads()
        try checker.checkParts()
        try checker.checkBodies()
        if checker.report.digest != checker.report.storedDigest {
            checker.report.add("the stored digest is not that of the records")
        }
        return checker.report
    }

    // MARK: Reading

    mutating func read<Record>(
        _ key: [UInt8], in family: ColumnFamily, _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) throws(MetadataStoreFailure) -> Record? {
        do throws(MetadataStoreFailure) {
            return try StoredRecords.read(reader, key, in: family, decode)
        } catch {
            guard case .damaged(let damage) = error else { throw error }
            report.add("\(family.name) \(Self.hex(key)): \(damage)")
            return nil
        }
    }

    func contains(_ key: [UInt8], in family: ColumnFamily) throws(MetadataStoreFailure) -> Bool {
        do { return try reader.withValue(key, in: family, tier: .all) { _ in true } ?? false } catch { throw .store(error) }
    }

    /// Visits the records of a family in order; those that count in the digest are added to it.
    mutating func forEach<Record>(
        in family: ColumnFamily, _ decode: (RawSpan) throws(RecordDamage) -> Record,
        _ visit: (inout Self, _ key: [UInt8], Record) throws(MetadataStoreFailure) -> Void
    ) throws(MetadataStoreFailure) {
        var cursor: Reader.Cursor
        do {
            cursor = try reader.makeCursor(in: family, from: nil, to: nil, tier: .all)
            try cursor.seekToFirst()
        } catch { throw .store(error) }
        while cursor.isValid {
            let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
            let outcome: Result<Record, RecordDamage> = cursor.withValue { value in
                if RecordHash.counts(family, key) { report.digest.add(RecordHash.contribution(family, key, value)) }
                do throws(RecordDamage) { return .success(try decode(value)) } catch { return .failure(error) }
            }
            switch outcome {
            case .success(let record): try visit(&self, key, record)
            case .failure(let damage): report.add("\(family.name) \(Self.hex(key)): \(damage)")
            }
            do { try cursor.next() } catch { throw .store(error) }
        }
    }

    /// Keys are shown in hexadecimal: they hold numbers, and they are users' data.
    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

package enum StateCheckLimits {
    package static let problemCountMax = 100
}
