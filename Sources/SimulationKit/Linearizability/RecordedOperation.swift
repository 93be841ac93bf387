/// One operation of a history that was recorded outside this process, as a line of JSON has it (docs/chaos.md):
///
///     {"client": 3, "bucket": "b", "key": "k", "call": "put", "value": 7, "invoked": 120, "returned": 340, "reply": "done"}
///
/// Without `returned` and `reply` the outcome is unknown.
package struct RecordedOperation: Sendable, Decodable {
    private enum Call: String, Decodable {
        case get, put, delete, putIfMatch, putIfAbsent, deleteIfMatch
    }

    private enum Reply: String, Decodable {
        case done, value, absent, preconditionFailed
    }

    private enum CodingKeys: String, CodingKey {
        case client, bucket, key, call, value, expected, invoked, returned, reply, seen
    }

    package let object: KeyedHistory.Object
    package let operation: HistoryOperation<RegisterModel>

    /// - Throws: `DecodingError`, also where an operation lacks what its call or reply needs, or ends before it begins.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        object = KeyedHistory.Object(
            bucket: try fields.decode(String.self, forKey: .bucket), key: try fields.decode(String.self, forKey: .key))
        let invoked = try fields.decode(UInt64.self, forKey: .invoked)
        operation = HistoryOperation(
            client: try fields.decode(Int.self, forKey: .client), call: try Self.call(fields), invoked: invoked,
            outcome: try Self.outcome(fields, from: invoked))
    }

    private static func call(_ fields: KeyedDecodingContainer<CodingKeys>) throws -> RegisterModel.Call {
        let value = { try fields.decode(UInt64.self, forKey: .value) }
        let expected = { try fields.decode(UInt64.self, forKey: .expected) }
        return switch try fields.decode(Call.self, forKey: .call) {
        case .get: .get
        case .put: .put(try value())
        case .delete: .delete
        case .putIfMatch: .putIfMatch(try value(), expected: try expected())
        case .putIfAbsent: .putIfAbsent(try value())
        case .deleteIfMatch: .deleteIfMatch(expected: try expected())
        }
    }

    private static func outcome(
        _ fields: KeyedDecodingContainer<CodingKeys>, from invoked: UInt64
    ) throws -> HistoryOperation<RegisterModel>.Outcome? {
        guard let kind = try fields.decodeIfPresent(Reply.self, forKey: .reply) else { return nil }
        let returned = try fields.decode(UInt64.self, forKey: .returned)
        guard returned >= invoked else {
            throw DecodingError.dataCorruptedError(forKey: .returned, in: fields, debugDescription: "before it was invoked")
        }
        let reply: RegisterModel.Reply =
            switch kind {
            case .done: .done
            case .value: .value(try fields.decode(UInt64.self, forKey: .seen))
            case .absent: .absent
            case .preconditionFailed: .preconditionFailed
            }
        return HistoryOperation.Outcome(reply, returned: returned)
    }
}
