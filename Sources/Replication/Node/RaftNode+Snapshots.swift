import Logging
import NIOPosix
import Raft

/// Snapshots: taking, sending and receiving them is work for a thread that may block.
extension RaftNode {
    /// Runs on the snapshots' thread, in order.
    func onDisk(_ work: @escaping @Sendable (StateStorage) -> Void) {
        let storage = storage
        snapshotThread.submit { state in
            guard case .active = state else { return }
            work(storage)
        }
    }

    func takeSnapshot() {
        let store = applier.store
        onDisk { [self] storage in
            do throws(StateStorageError) {
                let description = try storage.takeSnapshot(of: store)
                logger.info(
                    "A snapshot was taken",
                    metadata: ["index": "\(description.id.index.rawValue)", "bytes": "\(description.byteCount)"])
                post(.event(.snapshotTaken(description)))
            } catch { post(.event(.snapshotFailed(detail: "\(error)"))) }
        }
    }

    func checkSnapshot(_ id: SnapshotID) {
        onDisk { [logger] storage in
            do throws(StateStorageError) {
                for path in try storage.check(id) {
                    logger.error(
                        "A file of a snapshot is not what it was: it is damaged on this node's disk",
                        metadata: ["path": "\(path)"])
                }
            } catch { logger.error("A snapshot cannot be compared with its checksums", metadata: ["error": "\(error)"]) }
        }
    }

    /// Removes the files of replaced stores as soon as their last readers have gone.
    func removeReplacedStores() {
        storage.whenStoreCloses { [weak self] in
            self?.onDisk { [logger = self?.logger] storage in
                do throws(StateStorageError) { try storage.removeClosedStores() } catch {
                    logger?.warning("The files of a replaced store cannot be removed", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    func sendChunk(_ id: SnapshotID, _ number: UInt64, to receiver: NodeID) {
        let size = configuration.replica.snapshots.chunkByteCount
        let header = replica.envelope(
            to: receiver, .snapshotChunk(SnapshotChunk(id: id, number: number, checksum: 0, bytes: [])))
        let lane = bulkLanes.snapshots
        onDisk { [self] storage in
            do throws(StateStorageError) {
                var envelope = header
                envelope.message = .snapshotChunk(
                    SnapshotChunk(
                        id: id, number: number, bytes: try storage.chunk(number, of: id, chunkByteCount: size)))
                lane.send(envelope)
            } catch {
                logger.warning("A chunk of a snapshot cannot be read", metadata: ["error": "\(error)"])
                post(.event(.chunkUnreadable(id, to: receiver)))
            }
        }
    }

    /// The receiver's side.
    func receive(_ effect: ReplicaEffect) {
        onDisk { [self] storage in
            switch effect {
            case .openReception(let offer):
                reply(offer.id) { () throws(ReceptionFailure) in
                    .receptionOpened(offer.id, chunkCount: try storage.openReception(offer))
                }
            case .storeChunk(let id, let number, let bytes):
                reply(id) { () throws(ReceptionFailure) in
                    try storage.storeChunk(number, of: id, bytes)
                    return .chunkStored(id, number: number)
                }
            case .finishReception(let id):
                reply(id) { () throws(ReceptionFailure) in
                    try storage.finishReception(id)
                    return .receptionFinished(id)
                }
            case .abandonReception(let id): storage.abandonReception(id)
            default: preconditionFailure("no effect of a reception")
            }
        }
    }

    private func reply(_ id: SnapshotID, _ work: () throws(ReceptionFailure) -> ReplicaEvent) {
        do throws(ReceptionFailure) {
            post(.event(try work()))
        } catch { post(.event(.receptionFailed(id, error))) }
    }
}
