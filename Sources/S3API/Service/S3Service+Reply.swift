package import HTTPServer
import Metadata
import NIOCore
import NIOHTTP1

/// The two kinds of request that most are, answered without a task: plain reads of what is at hand, and writes of small objects.
extension S3Service {
    package func reply(to request: HTTPRequest) -> HTTPReply {
        switch request.method {
        case .GET, .HEAD: replyToRead(request) ?? .later { [self] in await respond(to: request) }
        case .PUT: replyToPut(request)
        default: .later { [self] in await respond(to: request) }
        }
    }

    /// The general way's steps in its order; what may have to wait is left to it.
    private func replyToPut(_ request: HTTPRequest) -> HTTPReply {
        guard case .collected(let bytes) = request.body, bytes.readableBytes <= ObjectBody.inlineByteCountMax else {
            return .later { [self] in await respond(to: request) }
        }
        let call = S3Call(request, requestID: requestIDs.next())
        do throws(S3Error) {
            let admitted = try admit(request)
            guard case .putObject = admitted.operation, admitted.consistency.write == .strong,
                let body = try S3RequestBody(atOnce: bytes, plan: admitted.plan),
                case .collected(let content, let digests) = body
            else {
                return .later { [self] in
                    await respond(to: call, of: admitted.operation) { () async throws(S3Error) in
                        try await answer(admitted, requestID: call.requestID)
                    }
                }
            }
            let put = admitted.request(requestID: call.requestID, body: body)
            let change = try PutDescription(put).request(with: ReceivedContent(body: .inline(content), digests: digests))
            let finished = { @Sendable (result: Result<PutObjectResult, MetadataError>) -> HTTPResponse in
                self.response(result.map(HTTPResponse.init).mapError { S3Error($0, for: put) }, call, .putObject)
            }
            return .promised { [engine] promise in
                engine.putObject(change) { result in promise.complete { finished(result) } }
            }
        } catch { return .now(refusal(error, call)) }
    }
}
