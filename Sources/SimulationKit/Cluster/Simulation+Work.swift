import Replication

extension Simulation {
    func perform(_ work: NodeWork, _ node: SimulatedNode) throws(InvariantViolation) {
        guard let process = node.process else { return }
        switch work {
        case .writeLog: try writeLog(node, process)
        case .synchronizeLog: try synchronizeLog(node, process)
        case .retryLog: try retryLog(node, process)
        case .apply:
            try apply(node, process)
            // An installation may have waited for it.
            guard node.process === process else { return }
            try pumpLog(node, process)
        case .fetch(let request): try fetch(request, node, process)
        case .replaceState: try replaceState(node, process)
        case .takeSnapshot: try takeSnapshot(node, process)
        case .sendChunk(let id, let number, let receiver): try sendChunk(id, number, to: receiver, node, process)
        case .replica(let event):
            if case .connectionLost(let peer) = event { try lostBodies(of: peer, node, process) }
            guard node.process === process else { return }
            try feed(event, to: node)
        case .body(let work): try perform(work, node, process)
        case .restore(let work):
            try perform(work, node, process)
            guard node.process === process else { return }
            try pumpLog(node, process)
        }
    }
}
