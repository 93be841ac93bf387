import Replication

/// What replication keeps in the store: whatever decodes encodes to the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReplicationRecord(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    ReplicationRecordCheck.check(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
