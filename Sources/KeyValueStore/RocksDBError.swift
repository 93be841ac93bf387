import CRocksDB

extension KeyValueStoreError {
    /// Classifies a message of RocksDB: the C interface hands out its status as text only, "Code: [subcode: ]what: where".
    init(rocksDB message: String, path: String) {
        let code = Self.code(ofRocksDB: message)
        if message.contains(path) { self.init(code, message); return }
        // Every message must lead the operator to the damage, and RocksDB names neither a damaged log nor a blob file.
        let place = code == .corruption ? RocksDBDirectory.placeOfDamage(in: path, message: message) : nil
        self.init(code, "\(message) (in \(place ?? "the store at \(path)"))")
    }

    private static func code(ofRocksDB message: String) -> Code {
        if message.hasPrefix("Corruption") { return .corruption }
        if message.hasPrefix("Result incomplete") { return .incomplete }
        if message.hasPrefix("Shutdown in progress") { return .closed }
        if message.contains("No space left on device") || message.contains("Disk quota exceeded") { return .noSpace }
        if message.hasPrefix("IO error") {
            if message.contains("lock hold by current process") || message.contains("While lock file") { return .locked }
            // A file that the store's manifest lists, or the manifest that CURRENT names, is not there.
            let names = [".sst", ".blob", ".log", "MANIFEST-"]
            if message.contains("No such file or directory"), names.contains(where: message.contains) { return .corruption }
            return .ioError
        }
        if message.hasPrefix("Invalid argument") { return .invalidArgument }
        // "Not implemented" is how RocksDB reports an unknown format version or checksum type in a damaged file.
        if message.hasPrefix("Not implemented") || message.hasPrefix("NotFound") { return .corruption }
        return .ioError
    }
}

/// Calls a function of the C interface that reports failure through an allocated message.
/// - Throws: `KeyValueStoreError` made of that message, which is freed.
@inline(__always)
func checkingRocksDB<Result>(
    path: String, _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) throws(KeyValueStoreError) -> Result {
    var message: UnsafeMutablePointer<CChar>?
    let result = body(&message)
    if let message { throw takeRocksDBError(message, path: path) }
    return result
}

/// Out of line: errors are rare and their classification is long.
@inline(never)
func takeRocksDBError(_ message: UnsafeMutablePointer<CChar>, path: String) -> KeyValueStoreError {
    defer { rocksdb_free(message) }
    return KeyValueStoreError(rocksDB: String(cString: message), path: path)
}

extension [UInt8] {
    /// The bytes as the C interface takes them; never a null pointer, also when empty.
    @inline(__always)
    func withCBytes<Result>(_ body: (UnsafePointer<CChar>, Int) -> Result) -> Result {
        withUnsafeBytes { $0.withCBytes(body) }
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func withCBytes<Result>(_ body: (UnsafePointer<CChar>, Int) -> Result) -> Result {
        guard let start = baseAddress else {
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { nothing in
                nothing.initialize(repeating: 0)
                return body(UnsafePointer(nothing.baseAddress.unsafelyUnwrapped), 0)
            }
        }
        return body(start.assumingMemoryBound(to: CChar.self), count)
    }
}
