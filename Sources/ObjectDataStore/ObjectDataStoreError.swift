package import FileSystem

/// What can go wrong with a stored body. "Not there", "not readable now" and "not what was written" are different answers.
package enum ObjectDataStoreError: Error, Sendable, CustomStringConvertible {
    /// The disk is full. Nothing of the body is kept.
    case noSpace(FileSystemError)
    /// No file descriptor was left; the same call may succeed later.
    case tooManyOpenFiles(FileSystemError)
    /// There is no file for this body.
    case missing(BodyID)
    /// The file is not what was written: which part, and how that shows. `block` is the damaged block's number, if it is one.
    case damaged(file: String, block: UInt64?, reason: String)
    /// The disk, or the system before it, failed otherwise.
    case failed(FileSystemError)
    /// The store was closed, or its threads were stopped.
    case closed
    /// The writer was aborted or failed before.
    case writerEnded

    package init(_ error: FileSystemError) {
        switch error.code {
        case .noSpace: self = .noSpace(error)
        case .tooManyOpenFiles: self = .tooManyOpenFiles(error)
        case .notFound, .exists, .io, .permission, .locked, .notDirectory, .isDirectory, .readOnly,
            .cannotLink, .other:
            self = .failed(error)
        }
    }

    package var description: String {
        switch self {
        case .noSpace(let error), .tooManyOpenFiles(let error), .failed(let error): return "\(error)"
        case .missing(let id): return "there is no body \(id)"
        case .damaged(let file, let block, let reason):
            return "\(file) is damaged\(block.map { " in block \($0)" } ?? ""): \(reason)"
        case .closed: return "the object-data store is closed"
        case .writerEnded: return "the body was aborted or failed before"
        }
    }
}
