/// The rules for names of general purpose buckets (S3 user guide, "Bucket naming rules").
package enum BucketName {
    private static let reservedPrefixes = ["xn--", "sthree-", "amzn-s3-demo-"]
    private static let reservedSuffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]

    /// - Throws: `InvalidBucketName`.
    package static func validate(_ name: String) throws(S3Error) {
        guard isValid(name) else { throw .invalidBucketName(name) }
    }

    package static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), isAlphanumeric(bytes[0]), isAlphanumeric(bytes[bytes.count - 1]) else {
            return false
        }
        for (position, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "-"): continue
            case UInt8(ascii: "."):
                // Labels of a DNS name: neither empty nor with a hyphen at an end.
                guard isAlphanumeric(bytes[position - 1]), isAlphanumeric(bytes[position + 1]) else { return false }
            default:
                guard isAlphanumeric(byte) else { return false }
            }
        }
        return !isIPv4Address(name) && !reservedPrefixes.contains(where: { bytes.starts(with: $0.utf8) })
            && !reservedSuffixes.contains(where: { bytes.suffix($0.utf8.count).elementsEqual($0.utf8) })
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isIPv4Address(_ name: String) -> Bool {
        // Few names end with a digit and have a dot: the others need not be taken apart.
        guard let last = name.utf8.last, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last),
            name.utf8.contains(UInt8(ascii: "."))
        else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count == 4 && labels.allSatisfy { (1...3).contains($0.utf8.count) && $0.allSatisfy(\.isNumber) }
    }
}
