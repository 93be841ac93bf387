import HTTPServer
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

/// A handler made of a closure; to what is not HTTP it answers the status of the reason, named in the body.
struct ClosureHandler: HTTPRequestHandler {
    var answer: @Sendable (HTTPRequest) async -> HTTPResponse
    /// What needs no task.
    var answerNow: @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }
    /// Takes the promise of a response.
    var promise: @Sendable (HTTPRequest) -> (@Sendable (HTTPResponsePromise) -> Void)? = { _ in nil }

    func reply(to request: HTTPRequest) -> HTTPReply {
        if let promise = promise(request) { return .promised(promise) }
        return if let response = answerNow(request) { .now(response) } else { .later { await answer(request) } }
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await answer(request)
    }

    func respond(toMalformed reason: HTTPProtocolViolation) -> HTTPResponse {
        let status: HTTPResponseStatus =
            switch reason {
            case .malformedRequest: .badRequest
            case .requestLineTooLong: .uriTooLong
            case .headersTooLarge, .tooManyHeaders: .requestHeaderFieldsTooLarge
            case .headTimeout: .requestTimeout
            }
        return HTTPResponse(status: status, headers: [:], body: .bytes(ByteBuffer(string: "\(reason)")))
    }
}

extension HTTPResponse {
    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "text/plain"], body: .bytes(ByteBuffer(string: text)))
    }
}

/// Runs `body` against a server on a free port, and stops the server whatever happens.
func withServer(
    _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
    answerNow: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil },
    promise: @escaping @Sendable (HTTPRequest) -> (@Sendable (HTTPResponsePromise) -> Void)? = { _ in nil },
    answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse,
    body: (HTTPServer<ClosureHandler>, Int) async throws -> Void
) async throws {
    var configuration = HTTPServerConfiguration(host: "127.0.0.1", port: 0)
    configure(&configuration)
    let server = HTTPServer(
        configuration: configuration, handler: ClosureHandler(answer: answer, answerNow: answerNow, promise: promise),
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    let addresses = try await server.start()
    let port = try #require(addresses.first?.port)
    do {
        try await body(server, port)
    } catch {
        await server.stop(gracefully: .zero)
        throw error
    }
    await server.stop(gracefully: .zero)
    #expect(server.statistics.connectionsOpen == 0)
}

/// Reads a body to its end.
func collect(_ body: HTTPRequestBody) async throws(HTTPBodyError) -> ByteBuffer {
    switch body {
    case .collected(let bytes): return bytes
    case .streamed(let stream):
        var all = ByteBuffer()
        while let chunk = try await stream.next() {
            all.writeImmutableBuffer(chunk)
        }
        return all
    }
}

/// A door that opens once.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiting: [CheckedContinuation<Void, Never>]()))

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting {
            continuation.resume()
        }
    }

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen {
                    state.waiting.append(continuation)
                }
                return state.isOpen
            }
            if isOpen {
                continuation.resume()
            }
        }
    }
}

/// Waits until `condition` holds; the time limit of the test is the bound.
func waitUntil(_ condition: () -> Bool) async throws {
    while !condition() {
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Bytes of a request as a test's argument; long ones are shown by their beginning.
struct RequestText: ExpressibleByStringInterpolation, CustomTestStringConvertible, Sendable {
    var text: String

    init(stringLiteral text: String) {
        self.text = text
    }

    static func + (left: RequestText, right: RequestText) -> RequestText {
        RequestText(stringLiteral: left.text + right.text)
    }

    static func repeating(_ text: String, _ count: Int) -> RequestText {
        RequestText(stringLiteral: String(repeating: text, count: count))
    }

    var testDescription: String {
        String(text.prefix(80)).debugDescription + (text.utf8.count > 80 ? " (\(text.utf8.count) bytes)" : "")
    }
}
