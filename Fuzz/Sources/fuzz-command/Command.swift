import Replication

/// The payload of an entry of type `normal`: whatever decodes encodes to the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCommand(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let command = try? Command(decoding: input) else { return 0 }
    precondition(command.encoded() == input, "what decodes encodes to the same bytes")
    return 0
}
