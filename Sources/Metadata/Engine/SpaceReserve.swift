package import NIOPosix

/// Keeps the disk from running full under the store, which could not go on after that.
///
/// What adds is refused while less than the reserve is available; what removes is let through down to a quarter of it, so
/// that a full disk can be emptied. A write refused here has left no trace, and the next one may succeed.
package struct SpaceReserve: Sendable {
    private let reservedByteCount: UInt64
    /// `nil`: it cannot be told, and nothing is refused.
    private let availableByteCount: @Sendable () -> UInt64?

    package init(reservedByteCount: UInt64, availableByteCount: @escaping @Sendable () -> UInt64?) {
        self.reservedByteCount = reservedByteCount
        self.availableByteCount = availableByteCount
    }

    /// Whether a large body may be written (or go on): it must leave twice the reserve, so that metadata can still be written
    /// when bodies no longer can. May block as `admit` does.
    package func checkBody() throws(MetadataError) {
        guard let available = availableByteCount(), available / 2 < reservedByteCount else { return }
        throw MetadataError(.noSpace, "the disk has \(available) bytes left, and large bodies must leave more")
    }

    /// As `checkBody`, on the pool: a file system may take its time to tell what it has left.
    package func checkBody(on threads: NIOThreadPool) async throws(MetadataError) {
        let outcome = await threads.runBlocking { Result { () throws(MetadataError) in try checkBody() } }
        guard let outcome else { throw MetadataError(.unavailable, "the engine is stopping") }
        try outcome.get()
    }

    /// What is refused with the space of now.
    package struct Refusals: Sendable {
        package var adding: MetadataError?
        package var removing: MetadataError?

        package init() {}
    }

    /// May block for as long as the system takes to tell.
    package var refusals: Refusals {
        var refusals = Refusals()
        guard let available = availableByteCount(), available < reservedByteCount else { return refusals }
        let error = MetadataError(.noSpace, "the disk of the key-value store has \(available) bytes left")
        refusals.adding = error
        if available < reservedByteCount / 4 { refusals.removing = error }
        return refusals
    }

    /// Those of a batch that may be written; each of the others goes to `refuse`. May block for as long as the system takes to tell.
    func admit(_ batch: [PendingWrite], refuse: (PendingWrite, MetadataError) -> Void) -> [PendingWrite] {
        let refusals = refusals
        guard refusals.adding != nil else { return batch }
        return batch.filter { write in
            guard let error = write.operation.payload.onlyRemoves ? refusals.removing : refusals.adding else { return true }
            refuse(write, error)
            return false
        }
    }
}

extension MetadataOperation.Payload {
    /// Takes nothing but what a delete marker or a log record needs.
    package var onlyRemoves: Bool {
        switch self {
        case .change(let change): change.onlyRemoves
        case .batchOps(let changes): changes.allSatisfy(\.onlyRemoves)
        }
    }

    /// For bounding queues and batches, and what to allocate for an operation: bodies and a guess for the rest.
    var approximateByteCount: Int {
        switch self {
        case .change(let change): change.approximateByteCount
        case .batchOps(let changes): changes.reduce(0) { $0 + $1.approximateByteCount }
        }
    }
}

extension MetadataChange {
    fileprivate var onlyRemoves: Bool {
        switch self {
        case .deleteObject, .deleteBucket, .abortMultipartUpload, .abandonBodies: true
        case .putObject, .updateMetadata, .createBucket, .setBucketVersioning, .createMultipartUpload, .putPart,
            .completeMultipartUpload, .setObjectTagging, .setBucketTagging:
            false
        }
    }

    fileprivate var approximateByteCount: Int {
        let record = 512
        return switch self {
        case .putObject(let request): record + request.body.inlineByteCount
        case .putPart(let request): record + request.body.inlineByteCount
        case .completeMultipartUpload(let request): record + 128 * request.parts.count
        case .deleteObject, .deleteBucket, .abortMultipartUpload, .updateMetadata, .createBucket, .setBucketVersioning,
            .createMultipartUpload:
            record
        case .setObjectTagging(let request): record + request.tags.encodedByteCount
        case .setBucketTagging(let request): record + request.tags.encodedByteCount
        case .abandonBodies(let ids): record + 16 * ids.count
        }
    }
}

extension ObjectBody {
    fileprivate var inlineByteCount: Int {
        switch self {
        case .inline: Int(clamping: byteCount)
        case .stored: 0
        }
    }
}
