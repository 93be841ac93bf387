/// `POST /metadata/snapshots`: what to write, and where on the machine of the node that is asked.
package struct SnapshotFileRequest: Codable, Sendable, Equatable {
    /// Absolute, of a file that is not there yet.
    package var path: String
    /// Bodies of objects above 128 KiB, too.
    package var withData: Bool?
    /// MiB written in a second, at most.
    package var rateMib: UInt64?

    package init(path: String, withData: Bool?, rateMib: UInt64?) {
        self.path = path
        self.withData = withData
        self.rateMib = rateMib
    }
}

/// `GET /metadata/snapshots`: how far the file is that was asked for last.
package struct SnapshotExportDocument: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        case running, done, failed
    }

    package var path: String
    package var withData: Bool
    package var state: State
    /// The last entry of the log that is in it.
    package var index: UInt64?
    package var bytesDone: UInt64
    /// 0 until it is known.
    package var bytesTotal: UInt64
    /// Names what the file contains; once it is whole.
    package var id: String?
    /// Why it failed.
    package var error: String?

    package init(
        path: String, withData: Bool, state: State, index: UInt64?, bytesDone: UInt64, bytesTotal: UInt64, id: String?,
        error: String?
    ) {
        self.path = path
        self.withData = withData
        self.state = state
        self.index = index
        self.bytesDone = bytesDone
        self.bytesTotal = bytesTotal
        self.id = id
        self.error = error
    }
}
