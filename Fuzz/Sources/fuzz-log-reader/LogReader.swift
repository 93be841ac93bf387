import FileSystem
import Raft
import RaftStorage

/// Opens a log whose only segment has batches out of the input, and reads what it then says it holds.
///
/// Checksums would stop nearly every input at once, so the input is a list of records that are given theirs: what is fuzzed is what comes
/// behind the checksums. Its last byte chooses a byte of the file that is damaged afterwards.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLogReader(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: data, count: count)
    let identity = LogIdentity(clusterID: .init(high: 1, low: 2), groupID: 3, nodeID: 4)
    var settings = LogSettings()
    settings.segmentByteCount = 32_768
    settings.reserveCountMin = 1
    settings.cacheEntryCountMax = 2
    let disk = FaultyFileSystem()
    let segment = "/log/" + LogFormat.segmentName(1)
    do {
        _ = try SegmentedLog.open(directory: "/log", fileSystem: disk, identity: identity, settings: settings)
        var batches = FuzzedBatches(input)
        try disk.damage(segment, at: 8_192, with: batches.bytes(identity: identity, at: 8_192, byteCountMax: 16_384))
        if let last = input.last, count > 40, last > 127 {
            try disk.flipBit(Int(last & 7), ofByte: Int(last) * 64, in: segment)
        }
    } catch {
        preconditionFailure("a healthy disk begins a log: \(error)")
    }
    do throws(LogError) {
        let (log, recovered) = try SegmentedLog.open(
            directory: "/log", fileSystem: disk, identity: identity, settings: settings, expecting: .existing)
        // What it accepts is consistent, and stays as it is.
        precondition(recovered.hardState.commit <= recovered.lastIndex && recovered.lastTerm <= recovered.hardState.term)
        if recovered.lastIndex > recovered.baseIndex {
            _ = try log.entries(from: recovered.baseIndex.next, through: recovered.lastIndex, byteCountMax: .max)
        }
        _ = recovered.stored(applied: recovered.snapshot?.index ?? recovered.baseIndex)
        let again = try SegmentedLog.open(directory: "/log", fileSystem: disk, identity: identity, settings: settings).recovered
        precondition(again.hardState == recovered.hardState && again.lastIndex == recovered.lastIndex)
    } catch {
        guard case .refused(let refusal) = error, refusal.finding.decision == .refuse else {
            preconditionFailure("a healthy disk is read or refused: \(error)")
        }
    }
    return 0
}
