package import Metadata
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// An access key with its secret and who stands behind it.
package struct S3Credential: Sendable, Hashable {
    package var accessKey: String
    package var secretKey: String
    package var owner: Owner

    package init(accessKey: String, secretKey: String, owner: Owner) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.owner = owner
    }
}

/// All credentials that the service accepts; fixed while it runs.
package struct S3CredentialStore: Sendable {
    private let credentials: [String: S3Credential]

    /// - Parameter credentials: of two with the same access key the first counts.
    package init(_ credentials: [S3Credential]) {
        self.credentials = Dictionary(credentials.map { ($0.accessKey, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func credential(accessKey: String) -> S3Credential? {
        credentials[accessKey]
    }
}

/// How an `S3Service` is set up.
package struct S3ServiceConfiguration: Sendable {
    /// The region that signatures must name.
    package var region: String
    package var credentials: S3CredentialStore
    /// What `HostId` and `x-amz-id-2` say: something that tells an operator which server answered.
    package var hostID: String
    /// Milliseconds UTC. May be called from any thread.
    package var clock: @Sendable () -> UInt64
    package var limits: S3Limits
    /// Below which hosts name buckets. None: every request is path-style.
    package var domains = S3Domains()
    /// What reads that name nothing else ask of the state.
    package var readConsistency = ReadConsistency.linearizable

    package init(
        region: String = "us-east-1", credentials: S3CredentialStore, hostID: String = "rustfs-metadata",
        limits: S3Limits = S3Limits(), clock: @escaping @Sendable () -> UInt64 = S3ServiceConfiguration.systemClock
    ) {
        self.region = region
        self.credentials = credentials
        self.hostID = hostID
        self.limits = limits
        self.clock = clock
    }

    @Sendable
    package static func systemClock() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
    }
}

/// The bounds of the front. Those of S3 are the defaults.
package struct S3Limits: Sendable {
    /// How far a request's date may be from ours, both ways: 15 minutes.
    package var clockSkewSecondsMax: Int64 = 900
    /// How long a presigned URL may hold: 7 days.
    package var presignedSecondsMax: Int64 = 604_800
    /// The largest object of one PUT and the largest part: 5 GiB.
    package var entityByteCountMax: UInt64 = 5 << 30
    /// Signing keys kept (one a day, region and access key).
    package var signingKeyCountMax = 1024
    /// Bodies and pieces of them from this size on are hashed off the event loop: below it the hop costs more than the hash.
    package var offloadedHashByteCountMin = 64 * 1024

    package init() {}
}

/// Makes request ids: 16 hexadecimal digits, never the same twice in one process and hardly ever in two.
package final class S3RequestIDs: Sendable {
    private let counter: Atomic<UInt64>

    package init(seed: UInt64 = UInt64.random(in: .min ... .max)) {
        counter = Atomic(seed)
    }

    /// Consecutive counts pass through a bijection (SplitMix64's finalizer), so that ids are distinct and do not look alike.
    package func next() -> String {
        var value = counter.wrappingAdd(0x9e37_79b9_7f4a_7c15, ordering: .relaxed).newValue
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        value ^= value >> 31
        return String(unsafeUninitializedCapacity: 16) { text in
            for position in 0..<16 {
                text[position] = Hexadecimal.uppercaseDigits.utf8Start[Int(value >> UInt64(60 - 4 * position) & 15)]
            }
            return 16
        }
    }
}
