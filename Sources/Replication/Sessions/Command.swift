import Metadata
package import Raft

/// What a log entry of type `normal` tells the replicated state machine; an empty payload is the first entry of a leader's term, which
/// tells it nothing. docs/formats/command.md has the layout.
package enum Command: Hashable, Sendable {
    case openSession(SessionID)
    case operation(SessionOperation)
    case expireSession(SessionID)
    case raiseVersion(ClusterVersion)
    /// Every member has applied the replacements of the state up to that entry: their files may go (`RestoreState`).
    case settleRestores(LogIndex)
}

/// An operation with what makes a repetition of it known.
package struct SessionOperation: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case metadata
        case restore
    }

    package var session: SessionID
    package var serial: Serial
    /// All operations below have been answered to whoever asked for them, and none will be sent again: their results may go.
    /// Never above `serial`.
    package var mark: Serial
    package var kind: Kind
    /// An encoded `MetadataOperation`, or `RestoreStep`.
    package var operation: [UInt8]

    package init(session: SessionID, serial: Serial, mark: Serial, kind: Kind = .metadata, operation: [UInt8]) {
        self.kind = kind
        self.session = session
        self.serial = serial
        self.mark = mark
        self.operation = operation
    }
}

extension Command {
    package static let layoutVersion: UInt8 = 1
    package static let openSessionCode: UInt8 = 1
    package static let operationCode: UInt8 = 2
    package static let expireSessionCode: UInt8 = 3
    package static let raiseVersionCode: UInt8 = 4
    package static let restoreCode: UInt8 = 5
    package static let settleRestoresCode: UInt8 = 6

    /// Layout version, kind, session.
    package static let sessionHeaderByteCount = 22
    /// The above, serial, mark.
    package static let operationHeaderByteCount = 38

    package var session: SessionID? {
        switch self {
        case .openSession(let session), .expireSession(let session): session
        case .operation(let operation): operation.session
        case .raiseVersion, .settleRestores: nil
        }
    }

    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .openSession(let session):
            bytes.appendHeader(Self.openSessionCode, session)
        case .expireSession(let session):
            bytes.appendHeader(Self.expireSessionCode, session)
        case .operation(let operation):
            precondition(operation.mark <= operation.serial, "a mark beyond the operation that carries it")
            bytes.reserveCapacity(Self.operationHeaderByteCount + operation.operation.count)
            bytes.appendHeader(operation.kind == .metadata ? Self.operationCode : Self.restoreCode, operation.session)
            bytes.appendLittleEndian(operation.serial.rawValue)
            bytes.appendLittleEndian(operation.mark.rawValue)
            bytes.append(contentsOf: operation.operation)
        case .raiseVersion(let version):
            bytes.append(Self.layoutVersion)
            bytes.append(Self.raiseVersionCode)
            bytes.appendLittleEndian(version.rawValue)
        case .settleRestores(let index):
            bytes.append(Self.layoutVersion)
            bytes.append(Self.settleRestoresCode)
            bytes.appendLittleEndian(index.rawValue)
        }
        return bytes
    }

    /// What decodes encodes to the same bytes. The operation inside is not looked at.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BytesReader(bytes)
        try reader.readVersion(Self.layoutVersion)
        let code = try reader.readUInt8()
        switch code {
        case Self.openSessionCode: self = .openSession(try reader.readSession())
        case Self.expireSessionCode: self = .expireSession(try reader.readSession())
        case Self.operationCode, Self.restoreCode:
            let session = try reader.readSession()
            let serial = Serial(try reader.readUInt64())
            let mark = Serial(try reader.readUInt64())
            guard serial.rawValue > 0, mark <= serial else { throw .invalid(field: "mark") }
            self = .operation(
                SessionOperation(
                    session: session, serial: serial, mark: mark, kind: code == Self.operationCode ? .metadata : .restore,
                    operation: reader.readRest()))
        case Self.raiseVersionCode: self = .raiseVersion(ClusterVersion(try reader.readUInt32()))
        case Self.settleRestoresCode: self = .settleRestores(try reader.readIndex("index"))
        default: throw .unknownCode(field: "kind", code: UInt64(code))
        }
        try reader.expectEnd()
    }
}

extension BytesReader {
    mutating func readSession() throws(DecodingFault) -> SessionID {
        SessionID(node: try readNode("session"), start: try readUInt64(), generation: try readUInt32())
    }
}

extension [UInt8] {
    fileprivate mutating func appendHeader(_ code: UInt8, _ session: SessionID) {
        append(Command.layoutVersion)
        append(code)
        append(session)
    }

    mutating func append(_ session: SessionID) {
        appendLittleEndian(session.node.rawValue)
        appendLittleEndian(session.start)
        appendLittleEndian(session.generation)
    }
}
