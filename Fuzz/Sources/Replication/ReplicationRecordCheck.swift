/// The records are the module's own; this is how the fuzz target reaches them.
package enum ReplicationRecordCheck {
    package static func check(_ bytes: [UInt8]) {
        if let record = try? PositionRecord.decode(bytes) { precondition(record.encode() == bytes) }
        if let record = try? GenesisRecord.decode(bytes) { precondition(record.encode() == bytes) }
        if let record = try? ClusterRecord.decode(bytes) { precondition(record.encode() == bytes) }
        if let record = try? SessionRecord.decode(bytes) { precondition(record.encode() == bytes) }
    }
}
