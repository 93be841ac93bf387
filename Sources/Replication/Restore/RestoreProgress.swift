package import Backup
package import Metadata

/// How far the restoring of a snapshot is, for operators.
package struct RestoreProgress: Sendable {
    package enum Phase: String, Sendable {
        /// The file is read, and compared with its checksums.
        case verifying
        /// The members are asked which of the bodies they have.
        case comparing
        /// What they need is sent to them.
        case sending
        /// The log has the entry, and this node carries it out.
        case applying
    }

    package enum State: Sendable {
        case running(Phase)
        /// The state is the snapshot's from that entry of the log on.
        case done(entry: UInt64)
        case failed(RestoreError)
    }

    package let path: String
    package var state = State.running(.verifying)
    /// Names the snapshot; nil: not known yet.
    package var id: String?
    /// Within the phase.
    package var doneByteCount: UInt64 = 0
    /// 0: not known.
    package var byteCount: UInt64 = 0

    init(path: String) { self.path = path }
}

/// Why a snapshot was not restored. Nothing has changed then, but for `.unknown`.
package enum RestoreError: Error, Sendable, CustomStringConvertible {
    /// The file, or a disk of this node.
    case file(BackupError)
    /// Another one is being restored by this node.
    case busy(path: String)
    /// A member runs a release that does not know how.
    case version(UInt32)
    /// The file was made of a state that is further than this log.
    case younger(path: String, index: UInt64, applied: UInt64)
    /// So many bodies that the file names are neither in it nor on a quorum of the members.
    case absent(path: String, bodies: UInt64, bytes: UInt64)
    /// The cluster does not take it.
    case refused(MetadataError)
    /// It may happen yet, or have happened.
    case unknown(MetadataError)
    case stopped

    package var description: String {
        switch self {
        case .file(let error): return error.description
        case .busy(let path): return "\(path) is being restored by this node. Wait until that is done."
        case .version(let version):
            return
                "the cluster works by the rules of version \(version), and a restore needs version \(ClusterVersion.restores). Upgrade all members, and remove a limit of cluster_version_max."
        case .younger(let path, let index, let applied):
            return
                "\(path) contains the log up to entry \(index), and this cluster's log is at \(applied) only: new versions would be taken for older ones. Make a new cluster of the file with `rustfs-metadata restore`."
        case .absent(let path, let bodies, let bytes):
            return
                "\(path) names \(bodies) bodies (\(bytes) bytes) that are neither in it nor on enough of the members: their objects could not be read. Restore from a snapshot that was made with data."
        case .refused(let error): return "the cluster does not restore it: \(error). Nothing has changed."
        case .unknown(let error):
            return
                "it is not known whether the snapshot was restored, or will be: \(error). Look at the log of this node and at the objects."
        case .stopped: return "the server is stopping."
        }
    }
}

/// What was restored.
package struct RestoredSnapshot: Sendable {
    package let file: BackupFile
    /// The entry of the log that has replaced the state.
    package let entry: UInt64
}
