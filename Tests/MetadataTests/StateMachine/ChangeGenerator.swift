import Metadata
import NIOCore
import ObjectDataStore

/// SplitMix64: the same numbers from the same seed on every machine.
struct ApplyRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func chance(_ numerator: Int, in denominator: Int) -> Bool { below(denominator) < numerator }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

/// Makes changes that mostly make sense for the state that a model is in, and sometimes do not.
struct ChangeGenerator {
    var random: ApplyRandom
    private var bodySequence: UInt64 = 0

    /// Few, so that things meet; with prefixes of each other, a zero byte, and the characters around the delimiter.
    static let keys = ["a", "a\0", "a\0b", "a/b", "a-b", "ключ"].map { ObjectKey(validated: Array($0.utf8)) }
    static let buckets = ["one", "two"]
    static let owners = ["owner-id", "stranger-id"].map { Owner(canonicalID: $0, displayName: $0) }
    private static let minimalPart: UInt64 = 5 * 1024 * 1024

    init(seed: UInt64) { random = ApplyRandom(seed: seed) }

    mutating func payload(_ model: MetadataModel) -> MetadataOperation.Payload {
        guard random.chance(1, in: 6) else { return .change(change(model)) }
        let count = random.below(5)
        return .batchOps((0..<count).map { _ in change(model) })
    }

    mutating func change(_ model: MetadataModel) -> MetadataChange {
        switch random.below(100) {
        case 0..<8: createBucket()
        case 8..<10: .deleteBucket(DeleteBucket(bucket: reference()))
        case 10..<15: setVersioning()
        case 15..<39: putObject(model)
        case 39..<42: .setBucketTagging(SetBucketTagging(bucket: reference(), tags: tags()))
        case 42..<56: deleteObject(model)
        case 56..<62: setObjectTagging(model)
        case 62..<67: updateMetadata(model)
        case 67..<73: createUpload()
        case 73..<88: putPart(model)
        case 88..<96: complete(model)
        case 96: abandonBodies()
        default: .abortMultipartUpload(upload(model))
        }
    }

    // MARK: Buckets

    private mutating func reference() -> BucketReference {
        let owner = random.chance(1, in: 4) ? random.pick(Self.owners).canonicalID : nil
        return BucketReference(name: random.pick(Self.buckets), requiredOwner: owner)
    }

    private mutating func createBucket() -> MetadataChange {
        .createBucket(CreateBucket(name: random.pick(Self.buckets), owner: random.pick(Self.owners), location: "here"))
    }

    private mutating func setVersioning() -> MetadataChange {
        let versioning: BucketVersioning = random.pick([.unversioned, .enabled, .enabled, .suspended, .suspended])
        return .setBucketVersioning(SetBucketVersioning(bucket: reference(), versioning: versioning))
    }

    // MARK: Objects

    private mutating func tags() -> [ResourceTag] {
        (0..<random.below(3)).map { _ in ResourceTag(key: random.pick(["a", "b"]), value: random.pick(["", "é", "e\u{301}"])) }
    }

    /// `nil`, or mostly one that is there.
    private mutating func versionID(_ model: MetadataModel, of key: ObjectKey, in bucket: BucketReference) -> VersionID? {
        guard random.chance(3, in: 5) else { return nil }
        let known = (model.buckets[bucket.name]?.versions[key] ?? []).map(\.id)
        let strange = [VersionID.null, .version(CommitPosition(index: UInt64(random.below(50)), offset: 0))]
        return random.pick(known.isEmpty || random.chance(1, in: 5) ? strange : known)
    }

    private mutating func setObjectTagging(_ model: MetadataModel) -> MetadataChange {
        let bucket = reference()
        let key = random.pick(Self.keys)
        return .setObjectTagging(
            SetObjectTagging(bucket: bucket, key: key, versionID: versionID(model, of: key, in: bucket), tags: tags()))
    }

    private mutating func etag() -> ETag { ETag(high: 9, low: UInt64(random.below(3))) }

    private mutating func match() -> ETagMatch { random.pick([.any, .foreign, .tag(etag())]) }

    private mutating func conditions() -> WriteConditions {
        var conditions = WriteConditions()
        if random.chance(1, in: 8) { conditions.ifMatch = [match(), match()] }
        if random.chance(1, in: 8) { conditions.ifNoneMatch = [match()] }
        if random.chance(1, in: 20) { conditions.ifMatchSize = UInt64(random.below(3)) }
        if random.chance(1, in: 20) { conditions.ifMatchLastModifiedMilliseconds = 1000 * UInt64(random.below(300)) }
        return conditions
    }

    /// Small bodies in one of three sizes (one of them empty), or a stored one: of a new body, or (wrongly) of one in use.
    private mutating func body(_ model: MetadataModel, length: UInt64 = 150_000) -> ObjectBody {
        if random.chance(2, in: 3) {
            return .inline(ByteBuffer(repeating: UInt8(random.below(256)), count: random.below(3)))
        }
        if random.chance(1, in: 12), let used = model.bodiesInUse.sorted().first {
            return .stored(StoredBody(id: used, length: length))
        }
        return newBody(length: length)
    }

    private mutating func newBody(length: UInt64) -> ObjectBody {
        bodySequence += 1
        return .stored(StoredBody(id: BodyID(origin: 1, sequence: bodySequence), length: length))
    }

    /// Some that are in use, some that were, some that are about to be.
    private mutating func abandonBodies() -> MetadataChange {
        .abandonBodies(
            (0..<random.below(4)).map { _ in
                BodyID(origin: 1, sequence: UInt64(random.below(Int(bodySequence) + 4)))
            })
    }

    private mutating func putObject(_ model: MetadataModel) -> MetadataChange {
        let attributes = ObjectAttributes(
            contentType: random.pick([nil, "a/b", "c/d"]),
            userMetadata: random.chance(1, in: 3) ? [MetadataField(name: "name", value: "value")] : [],
            tags: random.chance(1, in: 4) ? tags() : [])
        return .putObject(
            PutObject(
                bucket: reference(), key: random.pick(Self.keys), body: body(model), etag: etag(), attributes: attributes,
                owner: random.pick(Self.owners), conditions: conditions()))
    }

    private mutating func deleteObject(_ model: MetadataModel) -> MetadataChange {
        let bucket = reference()
        let key = random.pick(Self.keys)
        return .deleteObject(
            DeleteObject(
                bucket: bucket, key: key, versionID: versionID(model, of: key, in: bucket), owner: random.pick(Self.owners),
                conditions: conditions()))
    }

    private mutating func updateMetadata(_ model: MetadataModel) -> MetadataChange {
        let bucket = reference()
        let key = random.pick(Self.keys)
        let seen = model.buckets[bucket.name]?.versions[key]?.first?.etag
        return .updateMetadata(
            UpdateObjectMetadata(
                bucket: bucket, key: key, expectedETag: random.chance(1, in: 5) ? etag() : seen ?? etag(),
                attributes: ObjectAttributes(contentType: random.pick([nil, "e/f"]), tags: tags()),
                keepsTags: random.chance(1, in: 2), conditions: conditions()))
    }

    // MARK: Multipart

    private mutating func createUpload() -> MetadataChange {
        .createMultipartUpload(
            CreateMultipartUpload(
                bucket: reference(), key: random.pick(Self.keys),
                attributes: ObjectAttributes(contentType: random.pick([nil, "a/b"]), tags: tags()),
                owner: random.pick(Self.owners)))
    }

    private mutating func upload(_ model: MetadataModel) -> MultipartUploadReference {
        let bucket = reference()
        let uploads = (model.buckets[bucket.name]?.uploads ?? [:]).sorted { $0.key.position < $1.key.position }
        guard !uploads.isEmpty, random.chance(9, in: 10) else {
            let id = UploadID(position: CommitPosition(index: UInt64(random.below(50)), offset: 0))
            return MultipartUploadReference(bucket: bucket, key: random.pick(Self.keys), uploadID: id)
        }
        let chosen = random.pick(uploads)
        let key = random.chance(1, in: 15) ? random.pick(Self.keys) : chosen.value.key
        return MultipartUploadReference(bucket: bucket, key: key, uploadID: chosen.key)
    }

    private mutating func putPart(_ model: MetadataModel) -> MetadataChange {
        let body = random.chance(1, in: 4) ? body(model) : newBody(length: Self.minimalPart + UInt64(random.below(3)))
        let number = random.chance(1, in: 25) ? random.pick([0, 10_001]) : UInt16(1 + random.below(4))
        return .putPart(
            PutPart(upload: upload(model), number: number, body: body, etag: etag(), checksum: nil))
    }

    private mutating func complete(_ model: MetadataModel) -> MetadataChange {
        // Sometimes one that was completed already comes again.
        if random.chance(1, in: 4), let again = completedUpload(model) { return .completeMultipartUpload(again) }
        let upload = upload(model)
        let parts = (model.buckets[upload.bucket.name]?.uploads[upload.uploadID]?.parts ?? [:]).sorted { $0.key < $1.key }
        var named = parts.map { CompletedPart(number: $0.key, etag: .tag($0.value.etag), checksum: nil) }
        if random.chance(1, in: 3) { named.removeAll { _ in random.chance(1, in: 3) } }
        if random.chance(1, in: 12) { named.append(CompletedPart(number: 2, etag: match(), checksum: nil)) }
        if random.chance(1, in: 20) { named.reverse() }
        let size = parts.reduce(0) { $0 + $1.value.size }
        return .completeMultipartUpload(
            CompleteMultipartUpload(
                upload: upload, parts: named, expectedSize: random.chance(1, in: 6) ? size : nil, conditions: conditions()))
    }

    private mutating func completedUpload(_ model: MetadataModel) -> CompleteMultipartUpload? {
        let bucket = reference()
        let key = random.pick(Self.keys)
        let versions = model.buckets[bucket.name]?.versions[key] ?? []
        guard let version = versions.first(where: { $0.upload != nil }), let upload = version.upload else { return nil }
        var parts = version.parts
        if random.chance(1, in: 4) { parts[0].etag = .tag(etag()) }
        if random.chance(1, in: 4) { parts.removeLast() }
        return CompleteMultipartUpload(
            upload: MultipartUploadReference(bucket: bucket, key: key, uploadID: upload), parts: parts)
    }
}
