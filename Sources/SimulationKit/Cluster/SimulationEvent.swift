import Raft
import Replication

/// What happens in a run, in virtual time.
enum SimulationEvent {
    case tick(ProcessReference)
    case deliver(Delivery)
    case deliverBody(BodyDelivery)
    case work(ProcessReference, NodeWork)
    case restart(Int)
    case client(Int)
    case operatorTurn
    case fault
    case mend(Repair)
    case damageBody
    case restore(RestoreTurn)
}

/// A process of a node: what is meant for one finds no other.
struct ProcessReference: Hashable {
    var node: Int
    var life: Int
}

/// A message on its way.
struct Delivery {
    var from: Int
    var to: Int
    /// Of the connection that it travels on.
    var epoch: UInt32
    /// It was sent when all faults were over.
    var isOfHealedNetwork: Bool
    var envelope: PeerEnvelope
}

/// What a node's disk, applier or connections do.
enum NodeWork {
    case writeLog
    case synchronizeLog
    case retryLog
    case apply
    case fetch(LogFetch)
    case replaceState
    case takeSnapshot
    case replica(ReplicaEvent)
    case sendChunk(SnapshotID, number: UInt64, to: NodeID)
    case body(BodyWork)
    case restore(RestoreWork)
}

/// The end of a fault.
enum Repair {
    case links([Link])
    case clockRate(node: Int)
    case diskSpeed(node: Int)
    case diskSpace(node: Int)
}
