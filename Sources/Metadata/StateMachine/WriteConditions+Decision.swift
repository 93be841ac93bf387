extension WriteConditions {
    /// Why the conditions forbid the write; `nil`: they hold.
    ///
    /// - Parameter newest: the version that they are about, with its position; a delete marker counts as no object.
    func refusal(_ newest: (head: VersionRecordHead, position: CommitPosition)?) -> MetadataError? {
        if isEmpty { return nil }
        guard let newest, !newest.head.isDeleteMarker else {
            guard !ifMatch.isEmpty || ifMatchLastModifiedMilliseconds != nil || ifMatchSize != nil else { return nil }
            guard let newest else { return MetadataError(.noSuchKey) }
            return MetadataError(
                .noSuchKey, deleteMarker: newest.head.flags.versionID(at: newest.position),
                lastModifiedMilliseconds: newest.head.modifiedMilliseconds)
        }
        let object = newest.head
        if !ifMatch.isEmpty, !ifMatch.contains(where: { $0.matches(object.etag) }) {
            return MetadataError(.preconditionFailed, "If-Match")
        }
        if ifNoneMatch.contains(where: { $0.matches(object.etag) }) {
            return MetadataError(.preconditionFailed, "If-None-Match")
        }
        // HTTP dates have whole seconds.
        if let expected = ifMatchLastModifiedMilliseconds, expected / 1000 != object.modifiedMilliseconds / 1000 {
            return MetadataError(.preconditionFailed, "x-amz-if-match-last-modified-time")
        }
        if let expected = ifMatchSize, expected != object.size {
            return MetadataError(.preconditionFailed, "x-amz-if-match-size")
        }
        return nil
    }

    func refusal(_ version: StoredVersion?) -> MetadataError? {
        refusal(version.map { ($0.head, $0.position) })
    }
}

extension ETagMatch {
    /// Whether an existing object with this tag fulfils the condition.
    func matches(_ etag: ETag) -> Bool {
        switch self {
        case .any: true
        case .tag(let tag): tag == etag
        case .foreign: false
        }
    }
}
