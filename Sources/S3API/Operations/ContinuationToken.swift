/// The opaque text in which a listing hands out where to go on.
///
/// ```
/// base64url( 0x01 | FNV-1a of the position (4 bytes, big-endian) | position )
/// ```
/// The check keeps a token that was cut, typed or taken from elsewhere from passing for a position; it is no protection
/// against a forger, who could as well ask for any `start-after`.
package enum ContinuationToken {
    private static let version: UInt8 = 1

    package static func encode(_ position: [UInt8]) -> String {
        let check = check(position)
        return Base64URL.encode(
            [version] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: check >> $0) } + position)
    }

    /// - Throws: `InvalidArgument` for a token that is not ours.
    package static func decode(_ token: String) throws(S3Error) -> [UInt8] {
        guard let bytes = Base64URL.decode(token.utf8), bytes.count > 5, bytes[0] == version else { throw invalid(token) }
        let position = Array(bytes[5...])
        let expected = bytes[1..<5].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard check(position) == expected else { throw invalid(token) }
        return position
    }

    private static func check(_ bytes: [UInt8]) -> UInt32 {
        bytes.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
    }

    private static func invalid(_ token: String) -> S3Error {
        .invalidArgument("The continuation token provided is incorrect", name: "continuation-token", value: token)
    }
}
