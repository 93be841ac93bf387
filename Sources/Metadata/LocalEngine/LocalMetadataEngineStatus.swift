import KeyValueStore

/// How a local engine is doing, for operators.
public struct LocalMetadataEngineStatus: Sendable, Equatable {
    /// One named figure of the key-value store.
    public struct Figure: Sendable, Equatable {
        public var name: String
        public var value: Double

        public init(name: String, value: Double) {
            self.name = name
            self.value = value
        }
    }

    /// The engine is closed; everything else is as of nothing then.
    public var isClosed: Bool
    /// The last operation that reads see.
    public var appliedIndex: UInt64
    /// Of the whole state at `appliedIndex`: 32 hexadecimal digits.
    public var digest: String
    /// Writes that wait for the next group.
    public var waitingWriteCount: Int
    /// Why no more writes are taken, if so.
    public var writeFailure: String?
    public var storeFigures: [Figure]
}

extension MetadataEngineCore {
    package func status() -> LocalMetadataEngineStatus {
        let view = try? publication.view()
        let digest = view?.applied.digest ?? .zero
        return LocalMetadataEngineStatus(
            isClosed: view == nil, appliedIndex: view?.applied.index ?? 0, digest: digest.hexadecimal,
            waitingWriteCount: writer.waitingCount, writeFailure: writer.failure?.detail,
            storeFigures: view == nil
                ? [] : store.statistics().map { LocalMetadataEngineStatus.Figure(name: $0.name, value: $0.value) })
    }
}

extension StateDigest {
    /// 32 hexadecimal digits, the high half first.
    package var hexadecimal: String { Self.digits(high) + Self.digits(low) }

    private static func digits(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
