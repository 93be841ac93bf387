package import FileSystem
package import KeyValueStore
package import Metadata
import NIOCore
package import ObjectDataStore

/// What an engine gives for backups of it.
package struct BackupSource: Sendable {
    /// The store of now; it may be another one later. Throws when the engine is closed.
    package var store: @Sendable () throws(MetadataError) -> RocksDBStore
    /// On the file system of the store, so that a checkpoint is made of links.
    package var keyValuePath: String
    package var fileSystem: any FileSystem
    package var bodies: ObjectDataStore
    /// Gives what `bodies` cannot.
    package var fallback: (any BodyFallback)?
    /// Bodies that the state names stay until they are in the backup.
    package var lifetimes: BodyLifetimes
    /// The cluster that a state belongs to; nil: none.
    package var cluster: @Sendable (RocksDBSnapshot) throws(MetadataStoreFailure) -> BackupHeader.Cluster?

    package init(
        keyValuePath: String, fileSystem: any FileSystem, bodies: ObjectDataStore, fallback: (any BodyFallback)?,
        lifetimes: BodyLifetimes, store: @escaping @Sendable () throws(MetadataError) -> RocksDBStore,
        cluster: @escaping @Sendable (RocksDBSnapshot) throws(MetadataStoreFailure) -> BackupHeader.Cluster?
    ) {
        self.keyValuePath = keyValuePath
        self.fileSystem = fileSystem
        self.bodies = bodies
        self.fallback = fallback
        self.lifetimes = lifetimes
        self.store = store
        self.cluster = cluster
    }

    /// Bytes of a body, from this node's file or, where that fails, from wherever the engine finds it: so many, at most
    /// `ObjectDataReader.byteCountMax`.
    package func read(
        _ body: StoredBody, at offset: UInt64, byteCount: Int, _ reader: inout ObjectDataReader?
    ) async throws(BackupError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        while bytes.count < byteCount {
            let (place, wanted) = (offset + UInt64(bytes.count), byteCount - bytes.count)
            do throws(ObjectDataStoreError) {
                let open = if let reader { reader } else { try await bodies.openReader(body) }
                reader = open
                bytes.append(contentsOf: try await open.read(at: place, maxByteCount: wanted).readableBytesView)
            } catch let failure {
                // It may be another file next time.
                reader = nil
                do throws(MetadataError) {
                    guard let fallback else { throw MetadataError(failure) }
                    let found = try await fallback.read(body, at: place, maxByteCount: wanted, after: failure)
                    bytes.append(contentsOf: found.readableBytesView)
                } catch { throw .body(body, error) }
            }
        }
        return bytes
    }
}

/// An engine whose state can be written to a file.
package protocol BackedUpEngine: Sendable {
    var backupSource: BackupSource { get }
}

extension BackedUpEngine {
    /// Writes the engine's state of now to a new file on this node, slowly enough that other writes hardly notice. Reads and writes go on.
    ///
    /// A server makes one at a time with a `BackupExporter` of its own, which also tells how far it is.
    ///
    /// - Parameters:
    ///   - path: absolute; its directory exists, and it ends with `.snap`.
    ///   - withData: the bodies above the inline size, too.
    package func createSnapshot(to path: String, withData: Bool) async throws(BackupError) -> BackupFile {
        let exporter = BackupExporter(backupSource)
        do throws(BackupError) {
            let file = try await exporter.create(BackupRequest(path: path, withData: withData))
            await exporter.close()
            return file
        } catch {
            await exporter.close()
            throw error
        }
    }
}

extension LocalMetadataEngine: BackedUpEngine {
    package var backupSource: BackupSource {
        BackupSource(
            keyValuePath: keyValuePath, fileSystem: fileSystem, bodies: bodies, fallback: nil, lifetimes: lifetimes,
            store: { [weak self] () throws(MetadataError) in
                guard let self else { throw MetadataError(.unavailable, "the engine is closed") }
                return store
            }, cluster: { _ in nil })
    }
}
