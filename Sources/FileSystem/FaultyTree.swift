/// The directories and files of a `FaultyFileSystem`, and what of them would survive a crash. Owned by its lock.
struct FaultyTree {
    enum Node {
        case directory(Directory)
        case file(Inode)
    }

    final class Directory {
        var entries: [String: Node] = [:]
        var durableEntries: [String: Node] = [:]
    }

    final class Inode {
        enum Change {
            case write(offset: Int, bytes: [UInt8])
            case truncation(Int)
        }

        var content: [UInt8] = []
        var durable: [UInt8] = []
        /// What `content` has and `durable` has not, in order.
        var unsynchronized: [Change] = []
        /// Counts only in the generation of its own.
        var lockHolder: (handle: ObjectIdentifier, generation: Int)?
    }

    static let sectorByteCount = 512

    var availableByteCount: UInt64
    var operationCount = 0
    var faults: [Int: FaultyFileSystem.Fault] = [:]
    var faultsByName: [String: [FaultyFileSystem.Fault]] = [:]
    var isHalted = false
    /// Counts crashes, so that handles from before one are known.
    var generation = 0
    private let root = Directory()

    init(availableByteCount: UInt64) {
        self.availableByteCount = availableByteCount
    }

    mutating func nextFault(_ operation: String) -> FaultyFileSystem.Fault? {
        operationCount += 1
        if isHalted { return .halt }
        var fault = faults.isEmpty ? nil : faults[operationCount]
        if fault == nil, !faultsByName.isEmpty, var armed = faultsByName[operation] {
            fault = armed.removeFirst()
            faultsByName[operation] = armed.isEmpty ? nil : armed
        }
        switch fault {
        case .halt, .haltDuringWrite: isHalted = true
        case nil, .failure, .tornWrite, .lostWrite, .misdirectedWrite: break
        }
        return fault
    }

    // MARK: Paths

    func node(_ path: String, _ operation: String) throws(FileSystemError) -> Node {
        var node = Node.directory(root)
        for component in path.split(separator: "/") {
            guard case .directory(let directory) = node else { throw FileSystemError(.notDirectory, operation, path) }
            guard let next = directory.entries[String(component)] else { throw FileSystemError(.notFound, operation, path) }
            node = next
        }
        return node
    }

    func directory(_ path: String, _ operation: String) throws(FileSystemError) -> Directory {
        guard case .directory(let directory) = try node(path, operation) else {
            throw FileSystemError(.notDirectory, operation, path)
        }
        return directory
    }

    func file(_ path: String, _ operation: String) throws(FileSystemError) -> Inode {
        guard case .file(let file) = try node(path, operation) else { throw FileSystemError(.isDirectory, operation, path) }
        return file
    }

    private func parent(of path: String, _ operation: String) throws(FileSystemError) -> (Directory, name: String) {
        let components = path.split(separator: "/")
        guard let name = components.last else { throw FileSystemError(.exists, operation, path) }
        let prefix = "/" + components.dropLast().joined(separator: "/")
        return (try directory(prefix, operation), String(name))
    }

    // MARK: Operations

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> Inode {
        let (directory, name) = try parent(of: path, "open")
        switch (directory.entries[name], mode) {
        case (.directory, _):
            throw FileSystemError(.isDirectory, "open", path)
        case (.file, .createNew):
            throw FileSystemError(.exists, "open", path)
        case (.file(let inode), .read), (.file(let inode), .update), (.file(let inode), .createIfMissing):
            return inode
        case (nil, .read), (nil, .update):
            throw FileSystemError(.notFound, "open", path)
        case (nil, .createNew), (nil, .createIfMissing):
            let inode = Inode()
            directory.entries[name] = .file(inode)
            return inode
        }
    }

    func rename(_ source: String, to target: String) throws(FileSystemError) {
        let (sourceDirectory, sourceName) = try parent(of: source, "rename")
        let (targetDirectory, targetName) = try parent(of: target, "rename")
        guard let node = sourceDirectory.entries[sourceName] else { throw FileSystemError(.notFound, "rename", source) }
        if case .directory = targetDirectory.entries[targetName] { throw FileSystemError(.isDirectory, "rename", target) }
        sourceDirectory.entries[sourceName] = nil
        targetDirectory.entries[targetName] = node
    }

    func unlink(_ path: String) throws(FileSystemError) {
        let (directory, name) = try parent(of: path, "unlink")
        switch directory.entries[name] {
        case nil: throw FileSystemError(.notFound, "unlink", path)
        case .directory: throw FileSystemError(.isDirectory, "unlink", path)
        case .file: directory.entries[name] = nil
        }
    }

    func link(_ source: String, to target: String) throws(FileSystemError) {
        let inode = try file(source, "link")
        let (directory, name) = try parent(of: target, "link")
        guard directory.entries[name] == nil else { throw FileSystemError(.exists, "link", target) }
        directory.entries[name] = .file(inode)
    }

    func removeDirectory(_ path: String) throws(FileSystemError) {
        let (directory, name) = try parent(of: path, "rmdir")
        guard case .directory(let removed) = try node(path, "rmdir") else {
            throw FileSystemError(.notDirectory, "rmdir", path)
        }
        guard removed.entries.isEmpty else { throw FileSystemError(.exists, "rmdir", path) }
        directory.entries[name] = nil
    }

    func makeDirectory(_ path: String) throws(FileSystemError) {
        let (directory, name) = try parent(of: path, "mkdir")
        guard directory.entries[name] == nil else { throw FileSystemError(.exists, "mkdir", path) }
        directory.entries[name] = .directory(Directory())
    }

    /// Takes space for growth, or says that there is none.
    mutating func apply(_ change: Inode.Change, to inode: Inode, path: String) throws(FileSystemError) {
        try takeSpace(for: change, in: inode, path: path)
        Self.apply(change, to: &inode.content)
        inode.unsynchronized.append(change)
    }

    /// As `apply`, past the cache: what survives is durable at once, and nothing else is there.
    mutating func applyDurably(
        _ change: Inode.Change, keeping survival: FaultyFileSystem.Survival, to inode: Inode, path: String
    ) throws(FileSystemError) {
        try takeSpace(for: change, in: inode, path: path)
        var coin = Coin(survival)
        for sector in Self.sectors(of: change) where coin.toss() {
            Self.apply(sector, to: &inode.content)
            Self.apply(sector, to: &inode.durable)
        }
    }

    private mutating func takeSpace(for change: Inode.Change, in inode: Inode, path: String) throws(FileSystemError) {
        let before = inode.content.count
        let after =
            switch change {
            case .write(let offset, let bytes): max(before, offset + bytes.count)
            case .truncation(let count): count
            }
        let growth = UInt64(max(0, after - before))
        guard growth <= availableByteCount else { throw FileSystemError(.noSpace, "pwrite", path) }
        availableByteCount -= growth
    }

    /// What a disk may do of a change and leave the rest.
    private static func sectors(of change: Inode.Change) -> [Inode.Change] {
        switch change {
        case .truncation:
            [change]
        case .write(let offset, let bytes):
            stride(from: 0, to: bytes.count, by: sectorByteCount).map { start in
                .write(offset: offset + start, bytes: Array(bytes[start..<min(start + sectorByteCount, bytes.count)]))
            }
        }
    }

    func synchronize(_ inode: Inode) {
        for change in inode.unsynchronized { Self.apply(change, to: &inode.durable) }
        inode.unsynchronized = []
    }

    private static func apply(_ change: Inode.Change, to content: inout [UInt8]) {
        switch change {
        case .write(let offset, let bytes):
            let end = offset + bytes.count
            if content.count < end { content.append(contentsOf: repeatElement(0, count: end - content.count)) }
            content.replaceSubrange(offset..<end, with: bytes)
        case .truncation(let count):
            if content.count > count { content.removeSubrange(count...) }
            if content.count < count { content.append(contentsOf: repeatElement(0, count: count - content.count)) }
        }
    }

    // MARK: Crash

    /// What ends with the process.
    mutating func kill() {
        faults = [:]
        faultsByName = [:]
        isHalted = false
        generation += 1
    }

    mutating func crash(keeping survival: FaultyFileSystem.Survival) {
        kill()
        var coin = Coin(survival)
        Self.crash(root, &coin)
    }

    private static func crash(_ directory: Directory, _ coin: inout Coin) {
        // Sorted, so that a seed means the same run in each process.
        let names = Set(directory.entries.keys).union(directory.durableEntries.keys).sorted()
        var survivors: [String: Node] = [:]
        for name in names {
            let (now, durable) = (directory.entries[name], directory.durableEntries[name])
            survivors[name] = isSame(now, durable) || !coin.toss() ? durable : now
        }
        directory.entries = survivors
        directory.durableEntries = survivors
        for (_, node) in survivors.sorted(by: { $0.key < $1.key }) {
            switch node {
            case .directory(let child): crash(child, &coin)
            case .file(let inode): crash(inode, &coin)
            }
        }
    }

    private static func crash(_ inode: Inode, _ coin: inout Coin) {
        for change in inode.unsynchronized {
            for sector in sectors(of: change) where coin.toss() { apply(sector, to: &inode.durable) }
        }
        inode.unsynchronized = []
        inode.content = inode.durable
    }

    private static func isSame(_ left: Node?, _ right: Node?) -> Bool {
        switch (left, right) {
        case (nil, nil): true
        case (.file(let left), .file(let right)): left === right
        case (.directory(let left), .directory(let right)): left === right
        case (nil, _), (.file, _), (.directory, _): false
        }
    }
}

/// Decides what survives.
private struct Coin {
    private let survival: FaultyFileSystem.Survival
    private var state: UInt64 = 0

    init(_ survival: FaultyFileSystem.Survival) {
        self.survival = survival
        if case .some(let seed) = survival { state = seed }
    }

    mutating func toss() -> Bool {
        switch survival {
        case .nothing: return false
        case .everything: return true
        case .some:
            // SplitMix64 (Steele, Lea and Flood, 2014).
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return (mixed ^ mixed >> 31) & 1 == 1
        }
    }
}

extension FileSystemError {
    /// As the operating system would report it.
    init(_ code: Code, _ operation: String, _ path: String) {
        self.init(number: code.number, operation: operation, path: path)
    }
}
