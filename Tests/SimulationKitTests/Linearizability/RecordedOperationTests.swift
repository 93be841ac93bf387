import Foundation
import SimulationKit
import Testing

@Suite("Recorded histories")
struct RecordedOperationTests {
    private func decode(_ line: String) throws -> RecordedOperation {
        try JSONDecoder().decode(RecordedOperation.self, from: Data(line.utf8))
    }

    private func verdict(_ lines: [String]) throws -> KeyedHistory.Verdict {
        var history = KeyedHistory()
        for line in lines {
            let recorded = try decode(line)
            history.add(recorded.operation, on: recorded.object)
        }
        return history.check()
    }

    @Test(
        "Each call and reply is read as what it is",
        arguments: [
            (#""call":"put","value":7,"returned":9,"reply":"done""#, RegisterModel.Call.put(7), RegisterModel.Reply.done),
            (#""call":"get","returned":9,"reply":"value","seen":7"#, .get, .value(7)),
            (#""call":"get","returned":9,"reply":"absent""#, .get, .absent),
            (#""call":"delete","returned":9,"reply":"done""#, .delete, .done),
            (
                #""call":"putIfMatch","value":8,"expected":7,"returned":9,"reply":"preconditionFailed""#,
                .putIfMatch(8, expected: 7), .preconditionFailed
            ),
            (#""call":"putIfAbsent","value":8,"returned":9,"reply":"done""#, .putIfAbsent(8), .done),
            (#""call":"deleteIfMatch","expected":7,"returned":9,"reply":"absent""#, .deleteIfMatch(expected: 7), .absent),
        ])
    func calls(fields: String, call: RegisterModel.Call, reply: RegisterModel.Reply) throws {
        let recorded = try decode(#"{"client":1,"bucket":"b","key":"k","invoked":5,\#(fields)}"#)
        #expect(recorded.object == KeyedHistory.Object(bucket: "b", key: "k"))
        #expect(recorded.operation.call == call)
        #expect(recorded.operation.invoked == 5)
        #expect(recorded.operation.outcome?.reply == reply)
        #expect(recorded.operation.outcome?.returned == 9)
    }

    @Test("Without a reply the outcome is unknown")
    func unknownOutcome() throws {
        let recorded = try decode(#"{"client":1,"bucket":"b","key":"k","invoked":5,"call":"delete"}"#)
        #expect(recorded.operation.outcome == nil)
    }

    @Test(
        "What lacks a field or goes back in time is refused",
        arguments: [
            #""call":"put","returned":9,"reply":"done""#,
            #""call":"get","returned":9,"reply":"value""#,
            #""call":"get","reply":"absent""#,
            #""call":"get","returned":4,"reply":"absent""#,
            #""call":"putIfMatch","value":8,"returned":9,"reply":"done""#,
            #""call":"swap","returned":9,"reply":"done""#,
        ])
    func refused(fields: String) {
        #expect(throws: DecodingError.self) {
            try decode(#"{"client":1,"bucket":"b","key":"k","invoked":5,\#(fields)}"#)
        }
    }

    @Test("A lost write is a violation, one of unknown outcome is none")
    func lostWrite() throws {
        let read = #"{"client":2,"bucket":"b","key":"k","call":"get","invoked":6,"returned":7,"reply":"absent"}"#
        let acknowledged =
            #"{"client":1,"bucket":"b","key":"k","call":"put","value":1,"invoked":1,"returned":5,"reply":"done"}"#
        let unknown = #"{"client":1,"bucket":"b","key":"k","call":"put","value":1,"invoked":1}"#
        guard case .violation = try verdict([acknowledged, read]) else {
            Issue.record("an acknowledged write was lost")
            return
        }
        guard case .linearizable = try verdict([unknown, read]) else {
            Issue.record("the write may not have happened")
            return
        }
    }
}
