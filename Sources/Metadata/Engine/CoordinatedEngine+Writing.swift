import NIOPosix
package import ObjectDataStore

extension CoordinatedEngine {
    // MARK: Buckets

    package func createBucket(_ request: CreateBucket) async throws(MetadataError) {
        _ = try await write(.createBucket(request))
    }

    package func deleteBucket(_ request: DeleteBucket) async throws(MetadataError) {
        _ = try await write(.deleteBucket(request))
    }

    package func setBucketVersioning(_ request: SetBucketVersioning) async throws(MetadataError) {
        _ = try await write(.setBucketVersioning(request))
    }

    package func setBucketTagging(_ request: SetBucketTagging) async throws(MetadataError) {
        _ = try await write(.setBucketTagging(request))
    }

    // MARK: Objects

    package func putObject(_ request: PutObject) async throws(MetadataError) -> PutObjectResult {
        try await write(.putObject(request), body: request.body).put
    }

    package func putObject(
        _ request: PutObject, completion: @escaping @Sendable (Result<PutObjectResult, MetadataError>) -> Void
    ) {
        guard case .inline = request.body else { preconditionFailure("a stored body is not discarded here") }
        write(.change(.putObject(request))) { result in
            completion(Result { () throws(MetadataError) in try result.reply.put })
        }
    }

    package func putObject(
        _ request: PutObject, consistency: WriteConsistency
    ) async throws(MetadataError) -> PutObjectResult {
        guard case .eventual = consistency, request.conditions.isEmpty, case .inline = request.body,
            try await isUnversioned(request.bucket)
        else { return try await putObject(request) }
        switch await writeEventually(.change(.putObject(request))) {
        case .applied(.change(let result)): return try result.get().put
        case .applied(.batch): preconditionFailure("one change was answered as a batch")
        case .accepted:
            // What will become of it; when is not known yet.
            return PutObjectResult(
                versionID: .null, etag: request.etag, size: request.body.byteCount, lastModifiedMilliseconds: 0,
                checksum: request.checksum, bucketVersioning: .unversioned)
        case .notApplied(let error): throw error
        }
    }

    package func deleteObject(
        _ request: DeleteObject, consistency: WriteConsistency
    ) async throws(MetadataError) -> DeleteObjectResult {
        guard case .eventual = consistency, request.conditions.isEmpty, request.versionID == nil,
            try await isUnversioned(request.bucket)
        else { return try await deleteObject(request) }
        switch await writeEventually(.change(.deleteObject(request))) {
        case .applied(.change(let result)): return try result.get().deleted
        case .applied(.batch): preconditionFailure("one change was answered as a batch")
        case .accepted: return DeleteObjectResult(versionID: nil, isDeleteMarker: false)
        case .notApplied(let error): throw error
        }
    }

    /// Then the answer to an unconditional put or delete does not depend on the state.
    private func isUnversioned(_ bucket: BucketReference) async throws(MetadataError) -> Bool {
        try await getBucket(bucket, read: .eventual).versioning == .unversioned
    }

    package func updateObjectMetadata(_ request: UpdateObjectMetadata) async throws(MetadataError) -> PutObjectResult {
        try await write(.updateMetadata(request)).put
    }

    package func setObjectTagging(_ request: SetObjectTagging) async throws(MetadataError) -> PutObjectResult {
        try await write(.setObjectTagging(request)).put
    }

    package func deleteObject(_ request: DeleteObject) async throws(MetadataError) -> DeleteObjectResult {
        try await write(.deleteObject(request)).deleted
    }

    package func deleteObjects(
        _ requests: [DeleteObject]
    ) async throws(MetadataError) -> [Result<DeleteObjectResult, MetadataError>] {
        guard requests.count <= MetadataOperation.batchCountMax else {
            throw MetadataError(.invalidArgument, "at most \(MetadataOperation.batchCountMax) objects are deleted at once")
        }
        if requests.isEmpty { return [] }
        switch await write(.batchOps(requests.map { .deleteObject($0) })) {
        case .applied(.batch(let results)): return results.map { $0.map(\.deleted) }
        case .applied(.change), .accepted: preconditionFailure("a batch was answered as one change")
        case .notApplied(let error): throw error
        }
    }

    // MARK: Multipart uploads

    package func createMultipartUpload(_ request: CreateMultipartUpload) async throws(MetadataError) -> UploadID {
        try await write(.createMultipartUpload(request)).upload
    }

    package func putPart(_ request: PutPart) async throws(MetadataError) {
        _ = try await write(.putPart(request), body: request.body)
    }

    package func completeMultipartUpload(
        _ request: CompleteMultipartUpload
    ) async throws(MetadataError) -> PutObjectResult {
        try await write(.completeMultipartUpload(request)).put
    }

    package func abortMultipartUpload(_ upload: MultipartUploadReference) async throws(MetadataError) {
        _ = try await write(.abortMultipartUpload(upload))
    }

    // MARK: Bodies

    /// Deletes it unless a record names it after all: a body is not taken from an object by a caller's mistake.
    package func discardBody(_ body: StoredBody) async {
        let key = KeySchema.body(body.id)
        let isReferenced = try? await read(.eventual, .callerFirst) { reader throws(MetadataReadError) in
            try reader.metadata.record(key, in: KeySchema.bodies) { _ in } != nil
        }
        // Where that cannot be told, the next start's sweep decides.
        if isReferenced == false { await deleteUnnamedBodies([body.id]) }
    }

    // MARK: One change

    private func write(
        _ change: MetadataChange, body: ObjectBody? = nil
    ) async throws(MetadataError) -> MetadataReply {
        let result = await write(.change(change))
        // The body of a refused change is among the effects of its application. With an unknown outcome the record may turn up at
        // the next start, which sweeps the body if it does not.
        if case .stored(let body)? = body, case .notApplied(let error) = result, !error.isOutcomeUnknown {
            await discardBody(body)
        }
        return try result.reply
    }

    package func write(_ payload: MetadataOperation.Payload) async -> WriteResult {
        await withCheckedContinuation { caller in
            write(payload) { caller.resume(returning: $0) }
        }
    }
}

extension WriteResult {
    /// Of a strong write of one change.
    fileprivate var reply: MetadataReply {
        get throws(MetadataError) {
            switch self {
            case .applied(.change(let result)): return try result.get()
            case .applied(.batch), .accepted: preconditionFailure("one change was answered as a batch")
            case .notApplied(let error): throw error
            }
        }
    }
}

/// Each kind of change has its kind of reply.
extension MetadataReply {
    fileprivate var put: PutObjectResult {
        guard case .put(let result) = self else { preconditionFailure("a put was answered as something else") }
        return result
    }

    fileprivate var deleted: DeleteObjectResult {
        guard case .deleted(let result) = self else { preconditionFailure("a deletion was answered as something else") }
        return result
    }

    fileprivate var upload: UploadID {
        guard case .uploadCreated(let id) = self else { preconditionFailure("an upload was answered as something else") }
        return id
    }
}
