package import HTTPServer
package import Logging
package import Metadata
package import Metrics
import NIOCore
import NIOHTTP1

/// The S3 protocol's front: parses, routes, authenticates and verifies each request, and hands it to its operation.
///
/// What arrives at `S3Operations` is known to come from the identity it names; what leaves is a response of the operation or an
/// error document. It runs on the connection's event loop.
package final class S3Service<Engine: MetadataEngine>: HTTPRequestHandler {
    let engine: Engine
    let configuration: S3ServiceConfiguration
    let verifier: SignatureVerifier
    let requestIDs: S3RequestIDs
    let metrics: S3Metrics
    private let operations: S3Operations<Engine>
    private let hashing: S3HashingPool
    private let logger: Logger

    /// - Parameter metricsFactory: what counts the requests.
    package init(
        engine: Engine, configuration: S3ServiceConfiguration, hashing: S3HashingPool, logger: Logger,
        metricsFactory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.engine = engine
        self.operations = S3Operations(engine: engine, region: configuration.region, hashing: hashing)
        self.configuration = configuration
        self.verifier = SignatureVerifier(
            region: configuration.region, credentials: configuration.credentials, limits: configuration.limits)
        self.hashing = hashing
        self.requestIDs = S3RequestIDs()
        self.metrics = S3Metrics(factory: metricsFactory)
        self.logger = logger
    }

    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let call = S3Call(request, requestID: requestIDs.next())
        let admitted: AdmittedRequest
        do throws(S3Error) { admitted = try admit(request) } catch { return refusal(error, call) }
        return await respond(to: call, of: admitted.operation) { () async throws(S3Error) in
            try await answer(admitted, requestID: call.requestID)
        }
    }

    /// Makes a response of what `answer` returns or throws.
    func respond(
        to call: S3Call, of operation: S3Operation, _ answer: () async throws(S3Error) -> HTTPResponse
    ) async -> HTTPResponse {
        let answered: Result<HTTPResponse, S3Error>
        do throws(S3Error) { answered = .success(try await answer()) } catch { answered = .failure(error) }
        return response(answered, call, operation)
    }

    /// The last step of every request: it is counted here.
    func response(_ answered: Result<HTTPResponse, S3Error>, _ call: S3Call, _ operation: S3Operation?) -> HTTPResponse {
        switch answered {
        case .success(var response):
            addCommonHeaders(&response, requestID: call.requestID)
            metrics.record(operation, status: response.status, error: nil, since: call.begin)
            return response
        case .failure(let error):
            metrics.record(operation, status: error.status, error: error.code, since: call.begin)
            return errorResponse(error, call.request, requestID: call.requestID)
        }
    }

    /// The response to a request that was not admitted.
    func refusal(_ error: S3Error, _ call: S3Call) -> HTTPResponse {
        response(.failure(error), call, operation(of: call.request))
    }

    private func operation(of request: HTTPRequest) -> S3Operation? {
        guard let target = try? target(of: request) else { return nil }
        return try? S3Router.route(method: request.method, target: target, headers: request.headers)
    }

    private func target(of request: HTTPRequest) throws(S3Error) -> S3Target {
        let domains = configuration.domains
        return try S3Target(
            parsing: request.target, host: domains.isEmpty ? nil : request.headers.first(name: "host"), domains: domains)
    }

    func answer(_ admitted: AdmittedRequest, requestID: String) async throws(S3Error) -> HTTPResponse {
        let body = try await S3RequestBody(
            admitted.request.body, plan: admitted.plan, hashing: hashing, eventLoop: admitted.request.eventLoop)
        return try await perform(admitted.request(requestID: requestID, body: body))
    }

    /// Checks all of a request but its body.
    func admit(_ request: HTTPRequest) throws(S3Error) -> AdmittedRequest {
        let now = configuration.clock()
        let target = try target(of: request)
        let operation = try S3Router.route(method: request.method, target: target, headers: request.headers)
        // A form carries its signature in its body: there is nothing here to authenticate.
        if operation == .notImplemented("PostObject") { throw .notImplemented(operation: operation.name) }

        let signature = try verifier.verify(
            method: request.method, target: target, headers: request.headers, nowMilliseconds: now)
        if case .notImplemented(let name) = operation { throw .notImplemented(operation: name) }
        try S3HeaderPolicy.check(request.headers, of: signature.identity)

        let consistency = try S3Consistency(request.headers, reads: configuration.readConsistency)
        let plan = try BodyPlan(
            operation: operation, headers: request.headers, signature: signature, limits: configuration.limits)
        return AdmittedRequest(
            request: request, operation: operation, target: target, identity: signature.identity, consistency: consistency,
            plan: plan, nowMilliseconds: now)
    }

    func perform(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        switch request.operation {
        case .listBuckets: try await operations.listBuckets(request)
        case .createBucket: try await operations.createBucket(request)
        case .headBucket: try await operations.headBucket(request)
        case .deleteBucket: try await operations.deleteBucket(request)
        case .getBucketLocation: try await operations.getBucketLocation(request)
        case .getBucketVersioning: try await operations.getBucketVersioning(request)
        case .putBucketVersioning: try await operations.putBucketVersioning(request)
        case .getBucketTagging: try await operations.getBucketTagging(request)
        case .putBucketTagging: try await operations.putBucketTagging(request)
        case .deleteBucketTagging: try await operations.deleteBucketTagging(request)
        case .listObjects: try await operations.listObjects(request)
        case .listObjectsV2: try await operations.listObjectsV2(request)
        case .listObjectVersions: try await operations.listObjectVersions(request)
        case .listMultipartUploads: try await operations.listMultipartUploads(request)
        case .putObject: try await operations.putObject(request)
        case .getObject: try await operations.getObject(request)
        case .headObject: try await operations.headObject(request)
        case .getObjectAttributes: try await operations.getObjectAttributes(request)
        case .deleteObject: try await operations.deleteObject(request)
        case .deleteObjects: try await operations.deleteObjects(request)
        case .copyObject: try await operations.copyObject(request)
        case .getObjectTagging: try await operations.getObjectTagging(request)
        case .putObjectTagging: try await operations.putObjectTagging(request)
        case .deleteObjectTagging: try await operations.deleteObjectTagging(request)
        case .createMultipartUpload: try await operations.createMultipartUpload(request)
        case .uploadPart: try await operations.uploadPart(request)
        case .uploadPartCopy: try await operations.uploadPartCopy(request)
        case .completeMultipartUpload: try await operations.completeMultipartUpload(request)
        case .abortMultipartUpload: try await operations.abortMultipartUpload(request)
        case .listParts: try await operations.listParts(request)
        case .notImplemented(let name): throw .notImplemented(operation: name)
        }
    }

    // MARK: Errors

    package func respond(toMalformed reason: HTTPProtocolViolation) -> HTTPResponse {
        let error = S3Error(reason)
        metrics.record(nil, status: error.status, error: error.code, since: .now)
        return errorResponse(error, method: .GET, target: "/", requestID: requestIDs.next())
    }

    private func errorResponse(_ error: S3Error, _ request: HTTPRequest, requestID: String) -> HTTPResponse {
        errorResponse(error, method: request.method, target: request.target, requestID: requestID)
    }

    private func errorResponse(_ error: S3Error, method: HTTPMethod, target: String, requestID: String) -> HTTPResponse {
        if error.status.code >= 500, error.code != "NotImplemented" {
            logger.warning(
                "A request has failed.",
                metadata: ["code": "\(error.code)", "status": "\(error.status.code)", "request-id": "\(requestID)"])
        }
        var headers = HTTPHeaders()
        for header in error.headers { headers.add(name: header.name, value: header.value) }
        // Neither HEAD nor 304 has a body: the status and the request id must do.
        var response = HTTPResponse(status: error.status, headers: headers, closesConnection: error.closesConnection)
        if method != .HEAD, error.status != .notModified {
            response.headers.add(name: "Content-Type", value: "application/xml")
            let resource = String(Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") }))
            response.body = .bytes(
                S3ErrorDocument.encode(error, resource: resource, requestID: requestID, hostID: configuration.hostID))
        }
        addCommonHeaders(&response, requestID: requestID)
        return response
    }

    /// The HTTP server adds `Date`.
    func addCommonHeaders(_ response: inout HTTPResponse, requestID: String) {
        response.headers.add(name: "x-amz-request-id", value: requestID)
        response.headers.add(name: "x-amz-id-2", value: configuration.hostID)
        response.headers.replaceOrAdd(name: "Server", value: "rustfs-metadata")
        // At least the state that was read or written: whoever asks for that much elsewhere sees it there.
        if let index = engine.appliedIndex {
            response.headers.add(name: S3Consistency.appliedIndexHeader, value: String(index))
        }
    }
}

extension S3Error {
    /// What the HTTP server refuses by itself, as an error of S3.
    package init(_ violation: HTTPProtocolViolation) {
        switch violation {
        case .malformedRequest:
            self.init("BadRequest", .badRequest, "An error occurred when parsing the HTTP request.", closesConnection: true)
        case .requestLineTooLong:
            self.init("RequestURITooLong", .uriTooLong, "The request line is too long.", closesConnection: true)
        case .headersTooLarge, .tooManyHeaders:
            self.init(
                "RequestHeaderSectionTooLarge", .badRequest,
                "Your request header section exceeds the maximum allowed request header section size.",
                closesConnection: true)
        case .headTimeout: self = .requestTimedOut
        }
    }
}

/// A request that has come in, and since when.
struct S3Call: Sendable {
    let request: HTTPRequest
    let requestID: String
    let begin = ContinuousClock.now

    init(_ request: HTTPRequest, requestID: String) {
        self.request = request
        self.requestID = requestID
    }
}
