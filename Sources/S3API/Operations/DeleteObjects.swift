package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// DeleteObjects: up to 1,000 keys, each with its own outcome.
    package func deleteObjects(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        guard Self.hasIntegrityHeader(request.headers) else {
            throw .invalidRequest("Missing required header for this request: Content-MD5")
        }
        guard let document = try await xmlDocument(of: request, root: "Delete", byteCountMax: 1 << 20) else {
            throw .malformedXML
        }
        let list = try DeletionList(document)
        var targets: [DeleteObject] = []
        var refusals: [Int: S3Error] = [:]
        for (position, item) in list.items.enumerated() {
            do throws(S3Error) {
                targets.append(try item.target(in: bucket, owner: request.identity.owner, request))
            } catch {
                refusals[position] = error
            }
        }
        let requests = targets
        var outcomes: [Result<DeleteObjectResult, MetadataError>] = []
        if !requests.isEmpty {
            outcomes = try await request.answering { () async throws(MetadataError) in
                try await engine.deleteObjects(requests)
            }
        } else {
            try await checkBucket(bucket, request)
        }
        // Where the bucket itself is at fault, so is the whole request.
        if case .failure(let error) = outcomes.first, error.code == .noSuchBucket || error.code == .accessDenied {
            throw S3Error(error, for: request)
        }
        return Self.answer(list, outcomes: outcomes, refusals: refusals, request)
    }

    private static func answer(
        _ list: DeletionList, outcomes: [Result<DeleteObjectResult, MetadataError>], refusals: [Int: S3Error],
        _ request: S3Request
    ) -> HTTPResponse {
        var document = XMLWriter(root: "DeleteResult", byteCountEstimate: 256 + 160 * list.items.count)
        var remaining = outcomes.makeIterator()
        for (position, item) in list.items.enumerated() {
            if let refusal = refusals[position] {
                document.deletionError(item, refusal)
                continue
            }
            switch remaining.next() {
            case .success(let result):
                if !list.isQuiet { document.deleted(item, result) }
            case .failure(let error): document.deletionError(item, S3Error(error, for: request))
            case nil: document.deletionError(item, .internalError)
            }
        }
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "DeleteResult")))
    }

    /// S3 asks for some digest of the document, so that a damaged list deletes nothing.
    private static func hasIntegrityHeader(_ headers: HTTPHeaders) -> Bool {
        headers.contains(name: "content-md5") || headers.contains(name: "x-amz-sdk-checksum-algorithm")
            || headers.contains(name: "x-amz-trailer")
            || ChecksumAlgorithm.allCases.contains { headers.contains(name: $0.headerName) }
    }
}

/// The document of DeleteObjects.
struct DeletionList: Sendable {
    static let itemCountMax = 1000

    struct Item: Sendable {
        var key: String
        var versionID: String?
        var conditions: WriteConditions

        /// - Throws: the error of this key alone.
        func target(in bucket: BucketReference, owner: Owner, _ request: S3Request) throws(S3Error) -> DeleteObject {
            let bytes = Array(key.utf8)
            let key: ObjectKey
            do throws(MetadataError) { key = try ObjectKey(bytes) } catch { throw S3Error(error, key: bytes) }
            var version: VersionID?
            if let versionID {
                version = VersionID(text: versionID)
                if version == nil { throw S3Error(MetadataError(.noSuchVersion), for: request) }
            }
            return DeleteObject(bucket: bucket, key: key, versionID: version, owner: owner, conditions: conditions)
        }
    }

    var items: [Item] = []
    /// Only failures are reported.
    var isQuiet = false

    /// - Throws: `MalformedXML` for no key, more than 1,000, or a value that is none.
    init(_ document: XMLElement) throws(S3Error) {
        switch document.value("Quiet")?.lowercased() {
        case nil, "false": break
        case "true": isQuiet = true
        default: throw .malformedXML
        }
        for element in document.children where element.name == "Object" {
            guard items.count < Self.itemCountMax, let key = element.child("Key")?.text, !key.isEmpty else {
                throw .malformedXML
            }
            let versionID = element.value("VersionId").flatMap { $0.isEmpty ? nil : $0 }
            items.append(Item(key: key, versionID: versionID, conditions: try Self.conditions(element)))
        }
        guard !items.isEmpty else { throw .malformedXML }
    }

    private static func conditions(_ element: XMLElement) throws(S3Error) -> WriteConditions {
        var conditions = WriteConditions()
        if let tag = element.value("ETag"), !tag.isEmpty { conditions.ifMatch = ETagMatch.list([tag], weak: false) }
        if let text = element.value("LastModifiedTime") {
            guard let milliseconds = HTTPDate.milliseconds(text) else { throw .malformedXML }
            conditions.ifMatchLastModifiedMilliseconds = milliseconds
        }
        if let text = element.value("Size") {
            guard let size = UInt64(text) else { throw .malformedXML }
            conditions.ifMatchSize = size
        }
        return conditions
    }
}

extension XMLWriter {
    fileprivate mutating func deleted(_ item: DeletionList.Item, _ result: DeleteObjectResult) {
        open("Deleted")
        element("Key", item.key)
        if let versionID = item.versionID { element("VersionId", versionID) }
        if result.isDeleteMarker {
            element("DeleteMarker", true)
            if let marker = result.versionID { element("DeleteMarkerVersionId", marker.text) }
        }
        close("Deleted")
    }

    fileprivate mutating func deletionError(_ item: DeletionList.Item, _ error: S3Error) {
        open("Error")
        element("Key", item.key)
        if let versionID = item.versionID { element("VersionId", versionID) }
        element("Code", error.code)
        element("Message", error.message)
        close("Error")
    }
}
