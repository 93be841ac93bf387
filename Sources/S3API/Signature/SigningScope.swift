/// What a Signature Version 4 is bound to: `20130524/us-east-1/s3/aws4_request`, and the credential that precedes it.
package struct SigningScope: Sendable, Hashable {
    package var accessKey: String
    /// `YYYYMMDD`.
    package var date: String
    package var region: String
    package var service: String

    package init(accessKey: String, date: String, region: String, service: String = "s3") {
        self.accessKey = accessKey
        self.date = date
        self.region = region
        self.service = service
    }

    /// Reads `ACCESSKEY/20130524/us-east-1/s3/aws4_request`. An access key may contain slashes, the rest cannot.
    package init?(credential: ArraySlice<UInt8>) {
        var rest = credential
        var fields: [String] = []
        while fields.count < 4 {
            guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
            fields.append(String(decoding: rest[(slash + 1)...], as: UTF8.self))
            rest = rest[..<slash]
        }
        let (date, accessKey) = (fields[3], String(decoding: rest, as: UTF8.self))
        guard fields[0] == "aws4_request", !accessKey.isEmpty, date.utf8.count == 8,
            date.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.init(accessKey: accessKey, date: date, region: fields[2], service: fields[1])
    }

    /// Without the access key, as in a string to sign.
    package var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}
