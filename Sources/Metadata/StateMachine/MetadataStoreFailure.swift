package import KeyValueStore

/// Why an operation could not be applied: the store is damaged, unreadable or of another schema. The batch must not be committed,
/// and the state machine with it is of no further use.
package enum MetadataStoreFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case store(KeyValueStoreError)
    case damaged(RecordDamage)
    /// The store was written with this schema version, which is not ours.
    case unsupportedSchema(UInt32)

    package var description: String {
        switch self {
        case .store(let error): error.description
        case .damaged(let damage): damage.description
        case .unsupportedSchema(let version):
            "the store has schema version \(version), this program has \(KeySchema.schemaVersion)"
        }
    }

    /// As the callers of the engine see it.
    package var metadataError: MetadataError {
        switch self {
        case .damaged, .unsupportedSchema: MetadataError(.corruption, description)
        case .store(let error):
            switch error.code {
            case .corruption: MetadataError(.corruption, error.detail)
            case .noSpace: MetadataError(.noSpace, error.detail)
            case .closed, .locked: MetadataError(.unavailable, error.detail)
            case .ioError, .incomplete, .invalidArgument: MetadataError(.ioError, error.detail)
            }
        }
    }
}
