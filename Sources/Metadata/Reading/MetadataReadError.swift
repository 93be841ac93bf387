package import KeyValueStore

/// Why a read of the metadata gave no answer.
package enum MetadataReadError: Error, Equatable, Sendable {
    /// The answer needs the disk and the read was restricted to memory: ask again where blocking is allowed.
    case needsDisk
    case failed(MetadataError)

    package init(_ error: KeyValueStoreError) {
        self = error.code == .incomplete ? .needsDisk : .failed(MetadataError(error))
    }
}

extension MetadataError {
    /// What the store's failure means to a caller of the engine. Absence is never among it.
    package init(_ error: KeyValueStoreError) {
        let code: Code =
            switch error.code {
            case .corruption: .corruption
            case .noSpace: .noSpace
            case .closed, .locked: .unavailable
            // `.incomplete` is the engine's to handle (`MetadataReadError`), `.invalidArgument` would be our mistake.
            case .ioError, .incomplete, .invalidArgument: .ioError
            }
        self.init(code, error.detail)
    }
}
