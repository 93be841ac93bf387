#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What a disk, or the system before it, refused: which call, on which path, and why.
package struct FileSystemError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case notFound
        case exists
        /// The file system or the quota is full.
        case noSpace
        /// The device failed: what it holds is in doubt.
        case io
        case permission
        /// This process or the system has no descriptor left; later there may be one.
        case tooManyOpenFiles
        /// Another handle has the lock.
        case locked
        case notDirectory
        case isDirectory
        case readOnly
        /// A second name is not possible there.
        case cannotLink
        case other
    }

    package let code: Code
    /// The system call, such as `rename`.
    package let operation: String
    package let path: String
    /// The system's error number.
    package let number: Int32

    package init(number: Int32, operation: String, path: String) {
        self.code = Code(number: number)
        self.operation = operation
        self.path = path
        self.number = number
    }

    /// The system's words for the error.
    package var reason: String { String(cString: strerror(number)) }

    package var description: String { "\(operation) \(path): \(reason)" }
}

extension FileSystemError.Code {
    package init(number: Int32) {
        switch number {
        case ENOENT: self = .notFound
        case EEXIST, ENOTEMPTY: self = .exists
        case ENOSPC, EDQUOT: self = .noSpace
        case EIO: self = .io
        case EACCES, EPERM: self = .permission
        case EMFILE, ENFILE: self = .tooManyOpenFiles
        case EWOULDBLOCK: self = .locked
        case ENOTDIR: self = .notDirectory
        case EISDIR: self = .isDirectory
        case EROFS: self = .readOnly
        case EXDEV, EMLINK, ENOTSUP: self = .cannotLink
        default: self = .other
        }
    }

    /// The number that stands for this code, where the system has one.
    package var number: Int32 {
        switch self {
        case .notFound: ENOENT
        case .exists: EEXIST
        case .noSpace: ENOSPC
        case .io: EIO
        case .permission: EACCES
        case .tooManyOpenFiles: EMFILE
        case .locked: EWOULDBLOCK
        case .notDirectory: ENOTDIR
        case .isDirectory: EISDIR
        case .readOnly: EROFS
        case .cannotLink: EXDEV
        case .other: EINVAL
        }
    }
}
