import AdminDocuments
import ArgumentParser

/// Why a command has not been done.
enum AdminFailure: Error {
    case usage(String)
    case unreadableFile(String)
    /// A snapshot file is not what it should be.
    case badSnapshotFile(String)
    /// Nobody who could do it answers: why each of them did not.
    case unavailable([(endpoint: String, reason: String)])
    /// A node has said no.
    case answered(status: Int, AdminErrorDocument)
    /// It was asked for, and no answer came.
    case unknown(String)
    case badAnswer(String)

    var exitCode: ExitCode {
        switch self {
        case .usage: .usage
        case .unreadableFile: .unreadableFile
        case .badSnapshotFile: .refused
        case .unavailable: .unavailable
        case .unknown: .unknownOutcome
        case .badAnswer: .badAnswer
        case .answered(let status, let document):
            switch status {
            case _ where document.code == AdminErrorDocument.unknownOutcome: .unknownOutcome
            case 401, 403: .notPermitted
            case 400, 413, 415: .usage
            case 503: .unavailable
            case 404, 405, 409, 500, 507: .refused
            default: .badAnswer
            }
        }
    }

    var message: String {
        switch self {
        case .usage(let text), .unreadableFile(let text), .badSnapshotFile(let text), .unknown(let text), .badAnswer(let text):
            text
        case .answered(_, let document): "\(document.message) (\(document.code))"
        case .unavailable(let reasons):
            "No node answers that could do it:"
                + reasons.map { "\n  \($0.endpoint): \($0.reason)" }.joined()
        }
    }

    /// What `--output json` shows.
    var document: AdminErrorDocument {
        if case .answered(_, let document) = self { return document }
        let code =
            switch self {
            case .usage: "Usage"
            case .unreadableFile: "UnreadableFile"
            case .badSnapshotFile: "BadSnapshotFile"
            case .unavailable: "Unavailable"
            case .unknown: AdminErrorDocument.unknownOutcome
            case .badAnswer, .answered: "BadAnswer"
            }
        return AdminErrorDocument(code: code, message: message)
    }
}
