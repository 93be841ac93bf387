/// `POST /metadata/restores`: which snapshot the state of the cluster becomes.
package struct RestoreRequest: Codable, Sendable, Equatable {
    /// Absolute, on the machine of the node that is asked.
    package var path: String

    package init(path: String) { self.path = path }
}

/// `GET /metadata/restores`: how far the restore is that was asked for last.
package struct RestoreDocument: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        case running, done, failed
    }

    package var path: String
    package var state: State
    /// What is done now, while it runs: verifying, comparing, sending, applying.
    package var phase: String?
    /// Names the snapshot; nil: not known yet.
    package var id: String?
    /// Within the phase.
    package var bytesDone: UInt64
    /// 0: not known.
    package var bytesTotal: UInt64
    /// The entry of the log from which on the state is the snapshot's, once it is done.
    package var entry: UInt64?
    /// Why it failed: a code, and for a person.
    package var errorCode: String?
    package var error: String?

    package init(
        path: String, state: State, phase: String?, id: String?, bytesDone: UInt64, bytesTotal: UInt64, entry: UInt64?,
        errorCode: String?, error: String?
    ) {
        self.path = path
        self.state = state
        self.phase = phase
        self.id = id
        self.bytesDone = bytesDone
        self.bytesTotal = bytesTotal
        self.entry = entry
        self.errorCode = errorCode
        self.error = error
    }
}
