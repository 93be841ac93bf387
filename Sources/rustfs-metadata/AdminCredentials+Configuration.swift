import AdminAPI
import Configuration
import FileSystem
import Logging
import NIOPosix

extension AdminCredentials {
    /// A file is read anew for each request, so that a token ends when the file has another one. Whoever administers asks seldom.
    init(_ admin: ServerConfiguration.Admin, _ logger: Logger) {
        let source: TokenSource? =
            switch admin.token {
            case nil: nil
            case .text(let text): { .success(Array(text.utf8)) }
            case .file(let path):
                {
                    let token = await Self.token(in: AbsolutePath.of(path))
                    if case .failure(let failure) = token {
                        logger.error(
                            "The token of administrators cannot be read",
                            metadata: ["path": "\(path)", "error": "\(failure.detail)"])
                    }
                    return token
                }
            }
        self.init(
            token: source, acceptsCertificates: admin.tls?.clientAuthorityFile != nil, isLoopback: admin.address.isLoopback)
    }

    private static let tokenByteCounts = 16...256

    private static func token(in path: String) async -> Result<[UInt8], AdminCredentialsFailure> {
        let bytes: [UInt8]
        do {
            bytes = try await NIOThreadPool.singleton.runIfActive {
                try POSIXFileSystem().readFile(path, byteCountMax: 4096)
            }
        } catch { return .failure(AdminCredentialsFailure(detail: "\(error)")) }
        // Editors end a file with a line feed.
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
        var token = bytes.drop(while: isBlank)
        while let last = token.last, isBlank(last) { token.removeLast() }
        guard tokenByteCounts.contains(token.count), token.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            let counts = "\(tokenByteCounts.lowerBound) to \(tokenByteCounts.upperBound)"
            return .failure(
                AdminCredentialsFailure(detail: "it must hold one token of \(counts) visible ASCII characters"))
        }
        return .success(Array(token))
    }
}
