import Replication

/// What a peer sends: whatever decodes encodes to the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPeerMessage(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let envelope = try? PeerEnvelope(decoding: input) else { return 0 }
    precondition(envelope.encoded() == input, "what decodes encodes to the same bytes")
    if case .snapshotChunk(let chunk) = envelope.message { _ = chunk.isWhole }
    return 0
}
