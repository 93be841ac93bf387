import ArgumentParser
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Sends one kind of request as fast as the answers come, or at a rate, and prints one line of figures.
///
/// Everything costly (signatures, formatting) happens before the clock starts, so that the generator leaves the machine to the server.
@main
struct S3Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3-load", abstract: "Measures an HTTP or S3 server with many connections.")

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        /// Unsigned `GET` of `--path`.
        case fixed
        case get, head, put
    }

    @Argument(help: "fixed, get, head or put.") var kind: Kind
    @Option var host = "127.0.0.1"
    @Option(parsing: .singleValue, help: "May be given several times: the connections are spread over all.") var port: [Int]
    @Option(help: "Connections, each with one request at a time.") var connections = 64
    @Option(help: "Measured seconds, after those of warming up.") var seconds = 5.0
    @Option(help: "Seconds of warming up (default 1; 0 for put).") var warmUp: Double?
    @Option(help: "Requests a second, all together; 0 sends the next as soon as an answer is there.") var rate = 0.0
    @Option(help: "Event loops of the generator.") var loops = 1
    @Option(help: "Target of fixed requests.") var path = "/"
    @Option var bucket = "bench"
    @Option(help: "Keys are PREFIX0, PREFIX1, …") var prefix = "key-"
    @Option(help: "Keys in each folder: PREFIX0/0, PREFIX0/1, …, PREFIX1/0, …; 0 for keys without folders.") var folderSize = 0
    @Option(help: "Distinct keys. get and head go round; put ends after the last one.") var keys = 10_000
    @Option(help: "Bytes of each body that put sends.") var size = 1024
    @Option var accessKey = "rustfsadmin"
    @Option var secretKey = "rustfsadmin"
    @Option var region = "us-east-1"

    func run() async throws {
        let requests = makeRequests()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let start = NIODeadline.now()
        let processorSecondsAtStart = processorSeconds
        let warmUp = warmUp ?? (kind == .put ? 0 : 1)
        let plan = LoadPlan(
            requests: requests, isHead: kind == .head, goesRound: kind != .put,
            interval: rate > 0 ? .nanoseconds(Int64(Double(connections) / rate * 1e9)) : nil,
            measureFrom: start + .nanoseconds(Int64(warmUp * 1e9)),
            end: start + .nanoseconds(Int64((warmUp + seconds) * 1e9)))
        let bootstrap = ClientBootstrap(group: group)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let results = try await withThrowingTaskGroup(of: LoadResult.self) { tasks in
            for number in 0..<connections {
                let channel = try await bootstrap.connect(host: host, port: port[number % port.count]) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = LoadConnection(
                            plan: plan, share: Double(number) / Double(connections), eventLoop: channel.eventLoop)
                        try channel.pipeline.syncOperations.addHandler(connection)
                        return connection.result.futureResult
                    }
                }
                tasks.addTask { try await channel.get() }
            }
            var all = LoadResult()
            for try await result in tasks {
                all.merge(result)
            }
            return all
        }
        report(
            results, processorSeconds: processorSeconds - processorSecondsAtStart,
            seconds: Double((NIODeadline.now() - start).nanoseconds) / 1e9)
        try await group.shutdownGracefully()
    }

    /// All endpoints get the same ones: a server takes the `Host` that is signed.
    private func makeRequests() -> RequestList {
        var list = RequestList()
        guard kind != .fixed else {
            list.append("GET \(path) HTTP/1.1\r\nHost: \(host):\(port[0])\r\n\r\n")
            return list
        }
        let signer = RequestSigner(
            host: "\(host):\(port[0])", accessKey: accessKey, secretKey: secretKey, region: region, time: time(nil))
        for number in 0..<keys {
            let key = folderSize > 0 ? "\(prefix)\(number / folderSize)/\(number % folderSize)" : "\(prefix)\(number)"
            list.append(
                signer.head(
                    method: kind.rawValue.uppercased(), path: "/\(bucket)/\(key)",
                    bodyByteCount: kind == .put ? size : nil))
        }
        if kind == .put {
            list.body = ByteBuffer(repeating: UInt8(ascii: "b"), count: size)
        }
        return list
    }

    /// Of this process so far.
    private var processorSeconds: Double {
        var usage = rusage()
        // RUSAGE_SELF, whose imported type differs between platforms.
        getrusage(0, &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// - Parameters:
    ///   - processorSeconds: What the generator itself took.
    ///   - seconds: In that time.
    private func report(_ result: LoadResult, processorSeconds: Double, seconds: Double) {
        let elapsed = Double(result.measuredNanoseconds) / 1e9
        let perSecond = elapsed > 0 ? Double(result.latencies.count) / elapsed : 0
        print(
            "requests=\(result.latencies.count) all_requests=\(result.answerCount) seconds=\(rounded(elapsed)) requests_per_second=\(Int(perSecond))",
            "p50_us=\(result.latencies.percentile(0.5)) p99_us=\(result.latencies.percentile(0.99))",
            "max_us=\(result.latencies.microsecondsMax) errors=\(result.errorCount)",
            "generator_cpu_seconds=\(rounded(processorSeconds)) generator_load=\(rounded(processorSeconds / seconds))")
    }

    private func rounded(_ value: Double) -> Double {
        (value * 1000).rounded() / 1000
    }
}
