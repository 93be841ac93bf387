/// Whom the administration interface lets in.
package struct AdminCredentials: Sendable {
    /// The token that counts now. It may read a file, and suspends meanwhile. Where it cannot be read nobody is let in.
    package typealias TokenSource = @Sendable () async -> Result<[UInt8], AdminCredentialsFailure>

    /// Nil: none is configured.
    let token: TokenSource?
    /// A certificate was asked for, and one that was shown is of an authority of ours.
    let acceptsCertificates: Bool
    /// Without a token and without certificates everybody is let in: nobody but this machine reaches the address.
    let isLoopback: Bool

    /// - Parameter token: nil: there is none.
    package init(token: TokenSource?, acceptsCertificates: Bool, isLoopback: Bool) {
        self.token = token
        self.acceptsCertificates = acceptsCertificates
        self.isLoopback = isLoopback
    }

    /// Nobody is let in.
    package static let none = AdminCredentials(token: nil, acceptsCertificates: false, isLoopback: false)
}

/// Why the token is not known.
package struct AdminCredentialsFailure: Error, Sendable {
    /// For the log; no part of a secret.
    package var detail: String

    package init(detail: String) {
        self.detail = detail
    }
}

/// Who calls, for the audit.
enum AdminCaller: Sendable, Equatable {
    case token
    case certificate(String)
    /// From this machine, where no credentials are configured.
    case local

    var description: String {
        switch self {
        case .token: "token"
        case .certificate(let subject): "certificate \(subject)"
        case .local: "local"
        }
    }
}
