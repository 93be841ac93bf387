package import ObjectDataStore

/// What an applied operation answers its caller. A refusal (a failed precondition, a missing bucket) is an answer, not a failure:
/// it is the same on each replica, and it left no writes.
package enum MetadataOutcome: Sendable, Equatable {
    case change(Result<MetadataReply, MetadataError>)
    /// One answer for each change of a `batchOps`, in their order.
    case batch([Result<MetadataReply, MetadataError>])
}

/// The answer to one change that was made.
package enum MetadataReply: Sendable, Equatable {
    /// Buckets created, deleted or changed; parts put; uploads aborted.
    case done
    /// An object put, completed or updated.
    case put(PutObjectResult)
    case deleted(DeleteObjectResult)
    case uploadCreated(UploadID)
}

/// What must happen outside the store once the batch is committed, and only then.
package struct ApplyEffects: Sendable, Equatable {
    /// Stored bodies that nothing needs any more: those of versions and parts that went, and those named by refused changes.
    /// If they are not deleted (a crash), the sweep at the next start finds them: `bodies` does not name them.
    package var releasedBodies: [BodyID] = []
    /// Stored bodies that something has begun to need.
    package var referencedBodies: [StoredBody] = []
    /// Buckets made, deleted or changed: what a cache outside has of them is stale.
    package var changedBuckets: [String] = []

    package init() {}

    package var isEmpty: Bool { releasedBodies.isEmpty && referencedBodies.isEmpty && changedBuckets.isEmpty }
}

/// Why the making of a change stopped. Handlers throw it; `apply` turns a refusal into an outcome and a failure into its own error.
enum ApplyStop: Error {
    /// Decided before the first write of the change.
    case refused(MetadataError)
    case failed(MetadataStoreFailure)

    static func refused(_ code: MetadataError.Code, _ detail: String = "") -> ApplyStop {
        .refused(MetadataError(code, detail))
    }

    static func damaged(_ record: String, _ reason: String) -> ApplyStop {
        .failed(.damaged(RecordDamage(record, reason)))
    }
}
