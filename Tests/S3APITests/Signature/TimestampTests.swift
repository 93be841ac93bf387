import S3API
import Testing

@Suite("Timestamps of signatures")
struct TimestampTests {
    @Test(
        "They are read and written",
        arguments: [
            ("19700101T000000Z", 0), ("20130524T000000Z", 1_369_353_600), ("20000229T235959Z", 951_868_799),
            ("20261124T060000Z", 1_795_500_000), ("99991231T235959Z", 253_402_300_799),
        ] as [(String, Int64)])
    func readAndWrite(_ text: String, _ seconds: Int64) throws {
        let timestamp = try #require(S3Timestamp(basicISO8601: text.utf8))
        #expect(timestamp.seconds == seconds)
        #expect(timestamp.basicISO8601 == text)
    }

    @Test(
        "Nothing else is read",
        arguments: [
            "", "20130524", "20130524T000000", "20130524T000000z", "2013-05-24T00:00:00Z", "20130230T000000Z",
            "20131301T000000Z", "20130524T240000Z", "20130524T006000Z", "+0130524T000000Z", " 0130524T000000Z",
            "20130524 000000Z", "20130524T0000000Z", "19000229T000000Z",
        ])
    func refused(_ text: String) {
        #expect(S3Timestamp(basicISO8601: text.utf8) == nil)
    }
}
