package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// ListBuckets: the caller's own, by name.
    package func listBuckets(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let prefix = request.query.string("prefix") ?? ""
        let maxBuckets = try Self.maxBuckets(request.query)
        var startAfter = ""
        if let token = request.query.string("continuation-token"), !token.isEmpty {
            startAfter = String(decoding: try ContinuationToken.decode(token), as: UTF8.self)
        }
        var page = ListBucketsPage(buckets: [], nextStartAfter: nil)
        let wantedRegion = request.query.string("bucket-region")
        if wantedRegion == nil || wantedRegion == region {
            page = try await request.answering { () async throws(MetadataError) in
                try await engine.listBuckets(
                    ListBuckets(
                        owner: request.identity.owner.canonicalID, prefix: prefix, startAfter: startAfter,
                        maxBuckets: maxBuckets),
                    read: request.read)
            }
        }
        var document = XMLWriter(root: "ListAllMyBucketsResult", byteCountEstimate: 512 + 160 * page.buckets.count)
        document.owner(request.identity.owner)
        document.open("Buckets")
        for bucket in page.buckets {
            document.open("Bucket")
            document.element("Name", bucket.name)
            document.element("CreationDate", milliseconds: bucket.createdMilliseconds)
            document.element("BucketRegion", region)
            document.close("Bucket")
        }
        document.close("Buckets")
        if !prefix.isEmpty { document.element("Prefix", prefix) }
        if let next = page.nextStartAfter {
            document.element("ContinuationToken", ContinuationToken.encode(Array(next.utf8)))
        }
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "ListAllMyBucketsResult")))
    }

    private static func maxBuckets(_ query: S3Query) throws(S3Error) -> Int {
        guard let text = query.string("max-buckets"), !text.isEmpty else { return 10_000 }
        guard let count = Int(text), (1...10_000).contains(count) else {
            throw .invalidArgument(
                "Argument max-buckets must be an integer between 1 and 10000", name: "max-buckets", value: text)
        }
        return count
    }
}
