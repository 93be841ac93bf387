import HTTPServer
import NIOCore
import NIOHTTP1

/// All that a client sees of a response, without the request's id.
func seen(_ response: HTTPResponse) -> [String] {
    let id = response.headers.first(name: "x-amz-request-id") ?? "none"
    var lines = response.headers.map { "\($0.name.lowercased()): \($0.value)" }.sorted()
    switch response.body {
    case .none: lines.append("no body")
    case .omitted(let byteCount): lines.append("\(byteCount) bytes left out")
    case .bytes(let bytes): lines.append(String(buffer: bytes))
    case .streamed, .chunked: lines.append("streamed")
    }
    return ["\(response.status.code)", "\(response.closesConnection)"] + lines.map { $0.replacing(id, with: "ID") }
}
