package import Metadata

/// What the service does: one method for each operation of the S3 API, each in the file of its verb.
///
/// A method gets a request whose signature and framing have been verified, and answers what S3 answers. It runs on the
/// connection's event loop; what is long or blocking goes to `hashing` or to the engine.
package struct S3Operations<Engine: MetadataEngine>: Sendable {
    package let engine: Engine
    /// The region that the service signs for and reports (`us-east-1` by default).
    package let region: String
    package let hashing: S3HashingPool

    package init(engine: Engine, region: String, hashing: S3HashingPool) {
        self.engine = engine
        self.region = region
        self.hashing = hashing
    }
}
