import KeyValueStore
import ObjectDataStore

/// The `bodies` family: a stored body is needed exactly as long as it is named there.
extension MetadataStateMachine {
    func putReference(
        _ id: BodyID, _ reference: BodyReference, replacing old: BodyReference? = nil,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        let key = KeySchema.body(id)
        let contribution = old.map { RecordHash.contribution(KeySchema.bodies, key, $0.encode()) }
        writer.put(reference.encode(), for: key, in: KeySchema.bodies, replacing: contribution)
    }

    func release(
        _ id: BodyID, _ reference: BodyReference, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) {
        writer.delete(KeySchema.body(id), in: KeySchema.bodies, holding: reference.encode())
        effects.releasedBodies.append(id)
    }

    /// A body belongs to one version or part: named by two it would be deleted with the first of them.
    func requireUnreferenced(
        _ body: ObjectBody, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) {
        guard case .stored(let stored) = body else { return }
        if try writer.contains(KeySchema.body(stored.id), in: KeySchema.bodies) {
            throw .refused(.invalidArgument, "the body belongs to an object already")
        }
    }

    /// The body of a refused change will be named by nothing, on any replica (unless something else names it).
    func releaseBody(
        namedBy change: MetadataChange, _ writer: DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) throws(ApplyStop) {
        let body: ObjectBody
        switch change {
        case .putObject(let request): body = request.body
        case .putPart(let request): body = request.body
        case .deleteObject, .updateMetadata, .createBucket, .deleteBucket, .setBucketVersioning, .createMultipartUpload,
            .completeMultipartUpload, .abortMultipartUpload, .setObjectTagging, .setBucketTagging:
            return
        }
        guard case .stored(let stored) = body else { return }
        if try writer.contains(KeySchema.body(stored.id), in: KeySchema.bodies) { return }
        effects.releasedBodies.append(stored.id)
    }
}
