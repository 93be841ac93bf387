package import KeyValueStore
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

/// Why an operation could not be applied: the store is damaged, unreadable or of another schema. The batch must not be committed,
/// and the state machine with it is of no further use.
package enum MetadataStoreFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case store(KeyValueStoreError)
    case damaged(RecordDamage)
    /// The store was written with this schema version, which is not ours.
    case unsupportedSchema(UInt32)

    package var description: String {
        switch self {
        case .store(let error): error.description
        case .damaged(let damage): damage.description
        case .unsupportedSchema(let version):
            "the store has schema version \(version), this program has \(KeySchema.schemaVersion)"
        }
    }

    /// As the callers of the engine see it.
    package var metadataError: MetadataError {
        switch self {
        case .damaged, .unsupportedSchema: MetadataError(.corruption, description)
        case .store(let error):
            switch error.code {
            case .corruption: MetadataError(.corruption, error.detail)
            case .noSpace: MetadataError(.noSpace, error.detail)
            case .closed, .locked: MetadataError(.unavailable, error.detail)
            case .ioError, .incomplete, .invalidArgument: MetadataError(.ioError, error.detail)
            }
        }
    }
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
