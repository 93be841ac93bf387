import Raft

/// What runs by itself in a product: the drivers of the nodes and the network.
extension ClusterTranscript {
    // MARK: Ready

    mutating func processReady(_ command: TranscriptCommand) throws(TranscriptError) {
        let positions = try someNodes(command)
        for position in positions {
            if positions.count > 1 { output.beginSection("> \(nodes[position].id) handling Ready") }
            if !processReady(at: position) { output.line("<empty Ready>") }
            if positions.count > 1 { output.endSection() }
        }
    }

    /// Does what a node wants done. - Returns: false if that is nothing.
    mutating func processReady(at position: Int, headline: String? = nil) -> Bool {
        let outbox = nodes[position].outbox
        nodes[position].outbox = []
        let taken = step(position) { $0.takeReady() }
        guard taken != nil || !outbox.isEmpty else { return false }
        if let headline { output.beginSection(headline) }
        defer { if headline != nil { output.endSection() } }
        let ready = taken ?? Ready()
        var messages = ready.messages
        if nodes[position].options.storageIsAsynchronous {
            // Promises that need no write go through the log's thread all the same: these scripts expect them there.
            let promises = ready.append == nil ? messages.filter(\.body.isPromise) : []
            if !promises.isEmpty { messages.removeAll(where: \.body.isPromise) }
            describe(ready, messages: messages, outbox: outbox)
            handToThreads(ready, promises: promises, at: position)
        } else {
            if let append = ready.append { messages += step(position) { $0.takeResponses(upTo: append.token) } }
            describe(ready, messages: messages, outbox: outbox)
            performAtOnce(ready, at: position)
        }
        for message in messages { send(message, from: position) }
        parcels += outbox
        for fetch in ready.fetches {
            let entries = nodes[position].log.entries(from: fetch.first, to: fetch.last)
            step(position) { $0.fetched(fetch, entries) }
        }
        return true
    }

    /// The log's thread and the applier get their work.
    private mutating func handToThreads(_ ready: Ready, promises: [Message], at position: Int) {
        if ready.append != nil || !promises.isEmpty {
            let content = ready.append?.snapshot.flatMap { nodes[position].takeContent(of: $0) }
            nodes[position].appendWork.append(.init(append: ready.append, responses: promises, content: content))
        }
        if !ready.apply.isEmpty { nodes[position].applyWork.append(ready.apply) }
    }

    /// Everything is durable and applied before anything else happens.
    private mutating func performAtOnce(_ ready: Ready, at position: Int) {
        if let append = ready.append {
            let content = append.snapshot.flatMap { nodes[position].takeContent(of: $0) }
            nodes[position].write(append, content: content)
        }
        nodes[position].apply(ready.apply)
        if let append = ready.append { step(position) { $0.written(upTo: append.token) } }
        if let last = ready.apply.last { step(position) { $0.applied(to: last.index) } }
    }

    private mutating func describe(_ ready: Ready, messages: [Message], outbox: [Parcel]) {
        output.line("Ready:")
        if let standing = ready.standing {
            output.line("Lead:\(standing.leader?.description ?? "0") State:\(standing.role.stateName)")
        }
        ready.append?.write(to: &output)
        if !ready.apply.isEmpty {
            output.line("CommittedEntries:")
            for entry in ready.apply { output.line(entry.text) }
        }
        for read in ready.reads { output.line("Read \(read.position) at index \(read.index)") }
        if let failed = ready.failedReads { output.line("Reads up to \(failed) failed") }
        if !messages.isEmpty || !outbox.isEmpty {
            output.line("Messages:")
            for message in messages { output.line(message.text) }
            for parcel in outbox { output.line(parcel.text) }
        }
    }

    // MARK: Threads

    mutating func processAppendThread(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command)
        if nodes[position].appendWork.isEmpty { output.line("no append work to perform") } else { processAppend(at: position) }
    }

    /// Makes the oldest write durable and sends what waited for it; the core learns of it by a message of its own.
    private mutating func processAppend(at position: Int) {
        let work = nodes[position].appendWork.removeFirst()
        let id = nodes[position].id
        output.line("Processing:")
        var responses = work.responses
        if let append = work.append {
            append.write(to: &output)
            nodes[position].write(append, content: work.content)
            responses += step(position) { $0.takeResponses(upTo: append.token) }
        }
        output.line("Responses:")
        for response in responses {
            output.line(response.text)
            send(response, from: position)
        }
        guard let append = work.append else { return }
        post(Parcel(from: id, to: id, content: .written(token: append.token)))
    }

    mutating func processApplyThread(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command)
        if nodes[position].applyWork.isEmpty { output.line("no apply work to perform") } else { processApply(at: position) }
    }

    private mutating func processApply(at position: Int) {
        let entries = nodes[position].applyWork.removeFirst()
        guard let last = entries.last else { return }
        output.line("Processing:")
        for entry in entries { output.line(entry.text) }
        nodes[position].apply(entries)
        output.line("Responses:")
        post(Parcel(from: nodes[position].id, to: nodes[position].id, content: .applied(last.index)))
    }

    private mutating func post(_ parcel: Parcel) {
        output.line(parcel.text)
        parcels.append(parcel)
    }

    // MARK: Delivery

    mutating func deliverMessages(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 0...nodes.count, of: "nodes", keys: ["drop", "type", "from", "count", "keep", "reverse"])
        var selection = ParcelSelection()
        selection.type = try command.value("type")
        if let type = selection.type, !Parcel.types.contains(type) { throw command.mistake("there is no type \(type)") }
        selection.from = try command.number("from").map { NodeID($0) }
        selection.count = try command.count("count") ?? .max
        selection.isKept = try command.flag("keep") ?? false
        selection.isReversed = try command.flag("reverse") ?? false
        var recipients: [(position: Int, isDropped: Bool)] = []
        for word in command.words { recipients.append((try node(word, command), false)) }
        // Messages to nodes that are not there yet can be lost too.
        var lost: [NodeID] = []
        for text in command.values("drop") { lost.append(NodeID(try command.number(text, of: "drop"))) }
        if let both = lost.first(where: { id in recipients.contains { nodes[$0.position].id == id } }) {
            throw command.mistake("messages to \(both) cannot be both delivered and dropped")
        }
        var count = 0
        for recipient in recipients { count += deliver(to: recipient.position, selection) }
        for id in lost { count += drop(to: id, selection) }
        if count == 0 { output.line("no messages") }
    }

    /// Which of the messages to a node are meant, and what becomes of them.
    struct ParcelSelection {
        var type: String?
        var from: NodeID?
        var count = Int.max
        /// They are delivered and stay on their way: the network repeats them.
        var isKept = false
        /// The newest come first.
        var isReversed = false
        /// What a node's own threads say is left alone.
        var sparesLocal = false

        func has(_ parcel: Parcel, to id: NodeID) -> Bool {
            parcel.to == id && !(sparesLocal && parcel.isLocal) && (type == nil || parcel.type == type)
                && (from == nil || parcel.from == from)
        }
    }

    private mutating func take(to id: NodeID, _ selection: ParcelSelection) -> [Parcel] {
        var places = parcels.indices.filter { selection.has(parcels[$0], to: id) }
        if selection.isReversed { places.reverse() }
        places = Array(places.prefix(selection.count))
        let taken = places.map { parcels[$0] }
        if !selection.isKept { for place in places.sorted(by: >) { parcels.remove(at: place) } }
        return taken
    }

    /// - Returns: how many messages there were.
    @discardableResult
    mutating func deliver(to position: Int, _ selection: ParcelSelection = ParcelSelection()) -> Int {
        let taken = take(to: nodes[position].id, selection)
        for parcel in taken {
            output.line(parcel.text)
            deliver(parcel, to: position)
        }
        return taken.count
    }

    private mutating func drop(to id: NodeID, _ selection: ParcelSelection) -> Int {
        var selection = selection
        selection.sparesLocal = true
        let dropped = take(to: id, selection)
        for parcel in dropped { output.line("dropped: \(parcel.text)") }
        return dropped.count
    }

    private mutating func deliver(_ parcel: Parcel, to position: Int) {
        switch parcel.content {
        case .message(let message, let snapshot):
            if case .snapshot(let mark) = message.body { nodes[position].receive(snapshot, of: mark) }
            let failure: MessageError? = step(position) { core in
                do throws(MessageError) {
                    try core.step(message)
                    return nil
                } catch { return error }
            }
            if let failure { output.failure(failure.description) }
        case .proposal(let proposal): propose(proposal, at: position)
        case .transfer(let target): transferLeadership(at: position, to: target)
        case .written(let token): step(position) { $0.written(upTo: token) }
        case .applied(let index): step(position) { $0.applied(to: index) }
        }
    }

    // MARK: Until nothing moves

    mutating func stabilize(_ command: TranscriptCommand) throws(TranscriptError) {
        let positions = try someNodes(command, keys: ["log-level"])
        let outer = output.level
        if let text = try command.value("log-level") { output.level = try level(text, command) }
        defer { output.level = outer }
        for _ in 0..<Self.roundCountMax where !moveOn(positions) { return }
        output.failure("does not come to rest after \(Self.roundCountMax) rounds")
    }

    /// What takes longer than this goes on for ever.
    private static let roundCountMax = 10_000

    /// All nodes do what they want done, then receive what has come, then their threads work. - Returns: whether anything moved.
    private mutating func moveOn(_ positions: [Int]) -> Bool {
        var hasMoved = false
        for position in positions {
            if processReady(at: position, headline: "> \(nodes[position].id) handling Ready") { hasMoved = true }
        }
        for position in positions where parcels.contains(where: { $0.to == nodes[position].id }) {
            output.beginSection("> \(nodes[position].id) receiving messages")
            deliver(to: position)
            output.endSection()
            hasMoved = true
        }
        for position in positions where !nodes[position].appendWork.isEmpty {
            output.beginSection("> \(nodes[position].id) processing append thread")
            while !nodes[position].appendWork.isEmpty { processAppend(at: position) }
            output.endSection()
            hasMoved = true
        }
        for position in positions where !nodes[position].applyWork.isEmpty {
            output.beginSection("> \(nodes[position].id) processing apply thread")
            while !nodes[position].applyWork.isEmpty { processApply(at: position) }
            output.endSection()
            hasMoved = true
        }
        return hasMoved
    }
}
