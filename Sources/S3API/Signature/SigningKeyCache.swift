package import Crypto
import Synchronization

/// A key for one access key, day and region: `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")`.
package struct SigningKey: Sendable {
    /// Keyed, and ready for the first byte: to sign, a copy is fed.
    private let code: HMAC<SHA256>

    package init(secretKey: String, scope: SigningScope) {
        var key = SymmetricKey(data: Array("AWS4\(secretKey)".utf8))
        for field in [scope.date, scope.region, scope.service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(field.utf8), using: key))
        }
        self.code = HMAC<SHA256>(key: key)
    }

    package func sign(_ stringToSign: [UInt8]) -> HMAC<SHA256>.MAC {
        var code = code
        code.update(data: stringToSign)
        return code.finalize()
    }

    /// As below, for a signature in 64 lower-case digits.
    func isValid(digits signature: Substring.UTF8View, for stringToSign: UnsafeRawBufferPointer) -> Bool {
        guard signature.count == 2 * SHA256.byteCount else { return false }
        var code = code
        code.update(data: stringToSign)
        let digits = Hexadecimal.lowercaseDigits.utf8Start
        return code.finalize().withUnsafeBytes { expected in
            signature.withContiguousStorageIfAvailable { signature in
                var difference: UInt8 = 0
                for position in 0..<expected.count {
                    difference |= signature[2 * position] ^ digits[Int(expected[position] >> 4)]
                    difference |= signature[2 * position + 1] ^ digits[Int(expected[position] & 15)]
                }
                return difference == 0
            } ?? false
        }
    }

    /// Compares in a time that does not depend on where the two differ.
    package func isValid(signature: [UInt8], for stringToSign: [UInt8]) -> Bool {
        guard signature.count == SHA256.byteCount else { return false }
        var difference: UInt8 = 0
        for (expected, given) in zip(sign(stringToSign), signature) { difference |= expected ^ given }
        return difference == 0
    }
}

/// Signing keys by scope, so that a request costs one HMAC and not five. Safe from any thread.
///
/// Only scopes of known access keys within the clock skew are asked for, so that strangers cannot fill it; when it is full all
/// the same, it starts afresh, which costs one derivation for each scope in use.
package final class SigningKeyCache: Sendable {
    private let keys = Mutex<[SigningScope: SigningKey]>([:])
    private let countMax: Int

    package init(countMax: Int) {
        precondition(countMax > 0, "a cache holds something")
        self.countMax = countMax
    }

    package func key(for scope: SigningScope, secretKey: String) -> SigningKey {
        if let key = keys.withLock({ $0[scope] }) { return key }
        let key = SigningKey(secretKey: secretKey, scope: scope)
        keys.withLock { keys in
            if keys.count >= countMax { keys.removeAll(keepingCapacity: true) }
            keys[scope] = key
        }
        return key
    }

    package var count: Int { keys.withLock { $0.count } }
}
