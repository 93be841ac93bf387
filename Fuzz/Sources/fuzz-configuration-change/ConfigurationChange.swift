import Raft

/// The payload of an entry of type `configurationChange`: what decodes encodes to the same bytes, and each configuration that it makes of
/// a sound one is sound.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfigurationChange(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let change = try? ConfigurationChange(decoding: input) else { return 0 }
    precondition(change.encoded() == input, "what decodes encodes to the same bytes")
    var joint = Configuration(voters: [NodeID(1), NodeID(2)], learners: [NodeID(4)])
    joint.outgoingVoters = [NodeID(2), NodeID(3)]
    joint.learnersNext = [NodeID(3)]
    for configuration in [Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)], learners: [NodeID(4)]), joint] {
        guard let changer = try? ConfigurationChanger(restoring: configuration) else {
            preconditionFailure("these are sound")
        }
        guard let next = try? changer.changed(by: change) else { continue }
        precondition(next.defect == nil, "a change makes an unsound configuration")
    }
    return 0
}
