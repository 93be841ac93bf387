import Checksum
package import FileSystem
import Metadata
package import Raft

/// Who a data directory is, in `<data>/IDENTITY` (docs/formats/identity.md): the node, its disk's incarnation, the cluster that it belongs
/// to, and how often it was started. Every change is durable when the call returns, and whole after a crash.
///
/// All calls block. One process uses a data directory (`DataDirectoryLock`), and one thread calls.
package struct NodeIdentityFile: Sendable {
    package struct Contents: Hashable, Sendable {
        package var identity: NodeIdentity
        /// Nil: the node has joined none yet.
        package var cluster: ClusterID?
        /// It was a member of the cluster, and is none any more.
        package var isRemoved = false
        /// Starts so far. No two starts of a disk have the same count.
        package var startCount: UInt64

        package init(identity: NodeIdentity, cluster: ClusterID?, startCount: UInt64) {
            self.identity = identity
            self.cluster = cluster
            self.startCount = startCount
        }
    }

    package static let fileName = "IDENTITY"

    private let directory: String
    private let fileSystem: any FileSystem

    package var path: String { "\(directory)/\(Self.fileName)" }

    /// - Parameter dataDirectory: exists.
    package init(dataDirectory: String, fileSystem: any FileSystem) {
        directory = dataDirectory
        self.fileSystem = fileSystem
    }

    /// - Returns: nil: there is no such file, so that the directory has not been a node's.
    package func load() throws(NodeIdentityError) -> Contents? {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try fileSystem.readFile(path, byteCountMax: Contents.byteCount + 1)
        } catch {
            guard error.code == .notFound else { throw .fileSystem(error) }
            return nil
        }
        return try Contents(decoding: bytes, path: path)
    }

    /// Makes the directory this node's, with no start yet.
    ///
    /// - Parameter incarnation: not used before, on any disk.
    /// - Throws: `.exists`: it is a node's already.
    package func create(
        node: NodeID, incarnation: Incarnation = Incarnation(.random(in: 1 ... .max))
    ) throws(NodeIdentityError) -> Contents {
        guard try load() == nil else { throw .exists(path: path) }
        return try store(Contents(identity: NodeIdentity(node, incarnation), cluster: nil, startCount: 0))
    }

    /// Counts a start of the node, which must be the one that the configuration names.
    ///
    /// - Throws: `.anotherNode`, `.missing`, `.removed`.
    package func countStart(of node: NodeID) throws(NodeIdentityError) -> Contents {
        var contents = try existing()
        guard contents.identity.node == node else {
            throw .anotherNode(directory: directory, belongsTo: contents.identity.node, configured: node)
        }
        if let cluster = contents.cluster, contents.isRemoved {
            throw .removed(directory: directory, node: node, cluster: cluster)
        }
        let (count, overflows) = contents.startCount.addingReportingOverflow(1)
        guard !overflows else { throw .damaged(path: path, reason: "the count of starts is used up") }
        contents.startCount = count
        return try store(contents)
    }

    /// The node belongs to this cluster from now on. Again for the same one: nothing changes.
    ///
    /// - Throws: `.anotherCluster`, `.missing`.
    package func join(_ cluster: ClusterID) throws(NodeIdentityError) -> Contents {
        var contents = try existing()
        if contents.cluster == cluster { return contents }
        if let joined = contents.cluster { throw .anotherCluster(directory: directory, belongsTo: joined, joining: cluster) }
        contents.cluster = cluster
        return try store(contents)
    }

    /// The node is no member of its cluster any more: it does not start again. Without a cluster nothing changes.
    ///
    /// - Throws: `.missing`.
    package func leave() throws(NodeIdentityError) -> Contents {
        var contents = try existing()
        guard contents.cluster != nil, !contents.isRemoved else { return contents }
        contents.isRemoved = true
        return try store(contents)
    }

    private func existing() throws(NodeIdentityError) -> Contents {
        guard let contents = try load() else { throw .missing(path: path) }
        return contents
    }

    private func store(_ contents: Contents) throws(NodeIdentityError) -> Contents {
        do throws(FileSystemError) {
            try fileSystem.replaceFile(path, in: directory, with: contents.encode())
        } catch { throw .fileSystem(error) }
        return contents
    }
}

/// Why a data directory's identity cannot be used. All are for the operator.
package enum NodeIdentityError: Error, Sendable, CustomStringConvertible {
    case fileSystem(FileSystemError)
    case damaged(path: String, reason: String)
    /// A newer build has written it.
    case unknownVersion(path: String, UInt32)
    case missing(path: String)
    case exists(path: String)
    case anotherNode(directory: String, belongsTo: NodeID, configured: NodeID)
    case anotherCluster(directory: String, belongsTo: ClusterID, joining: ClusterID)
    case removed(directory: String, node: NodeID, cluster: ClusterID)

    package var description: String {
        switch self {
        case .fileSystem(let error): error.description
        case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
        case .unknownVersion(let path, let version): "\(path) has the layout version \(version), which this build does not know"
        case .missing(let path): "\(path) is missing"
        case .exists(let path): "\(path) is there already"
        case .anotherNode(let directory, let node, let configured):
            "\(directory) belongs to node \(node), the configuration says \(configured)"
        case .anotherCluster(let directory, let cluster, let joining):
            "\(directory) belongs to cluster \(cluster), and cannot join \(joining)"
        case .removed(let directory, let node, let cluster):
            "\(directory) is node \(node) of cluster \(cluster), which has removed it: it cannot be a member again. A new node needs an empty data directory and an id that was never used"
        }
    }
}

// MARK: Bytes

extension NodeIdentityFile.Contents {
    package static let magic = Array("RFSMNODE".utf8)
    package static let layoutVersion: UInt32 = 1
    package static let byteCount = 49

    /// What the node is to the cluster.
    package enum Membership: UInt8, Sendable, CaseIterable {
        case none = 0
        case member = 1
        case removed = 2
    }

    func encode() -> [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.layoutVersion)
        bytes.append(identity)
        bytes.append((cluster == nil ? Membership.none : isRemoved ? .removed : .member).rawValue)
        bytes.appendLittleEndian(cluster?.rawValue ?? 0)
        bytes.appendLittleEndian(startCount)
        bytes.appendLittleEndian(bytes.withUnsafeBytes { CRC32C.checksum($0) })
        return bytes
    }

    init(decoding bytes: [UInt8], path: String) throws(NodeIdentityError) {
        do throws(DecodingFault) {
            var reader = BytesReader(bytes)
            guard try reader.readBytes(Self.magic.count) == Self.magic else { throw .invalid(field: "magic") }
            let version = try reader.readUInt32()
            guard version == Self.layoutVersion else {
                throw .unknownCode(field: Self.versionField, code: UInt64(version))
            }
            identity = try reader.readIdentity("node")
            let membership: Membership = try reader.readCode("membership")
            let clusterValue = try reader.readUInt64()
            cluster = membership == .none ? nil : ClusterID(clusterValue)
            isRemoved = membership == .removed
            startCount = try reader.readUInt64()
            let checksum = try reader.readUInt32()
            try reader.expectEnd()
            guard checksum == bytes.dropLast(4).withUnsafeBytes({ CRC32C.checksum($0) }) else {
                throw .invalid(field: "checksum")
            }
        } catch {
            if case .unknownCode(Self.versionField, let version) = error {
                throw .unknownVersion(path: path, UInt32(truncatingIfNeeded: version))
            }
            throw .damaged(path: path, reason: error.description)
        }
    }

    private static let versionField = "layout version"
}
