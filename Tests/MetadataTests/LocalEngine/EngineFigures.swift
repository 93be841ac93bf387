import Foundation
import Glibc
import KeyValueStore
import Metadata
import NIOCore
import Testing

/// Prints what the engine costs on this machine. No assertion on time: it runs only when RUSTFS_METADATA_FIGURES is set.
@Suite(
    "Figures of the local engine", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["RUSTFS_METADATA_FIGURES"] != nil))
struct EngineFigures {
    @Test("Puts of 1 KiB by 64 writers against appends of 4 KiB with fdatasync")
    func puts() async throws {
        let bed = try EngineBed()
        let body = ByteBuffer(repeating: 7, count: 1024)
        try await bed.withBucket { engine async throws in
            for round in 0..<3 {
                let syncs = try Self.syncsPerSecond(bed.directory)
                let before = engine.status().appliedIndex
                let cpu = Self.cpuSeconds()
                let start = ContinuousClock.now
                await withTaskGroup(of: Void.self) { group in
                    for writer in 0..<64 {
                        group.addTask {
                            for number in 0..<150 {
                                _ = try? await engine.put("round-\(round)/writer-\(writer)/\(number)", .inline(body))
                            }
                        }
                    }
                }
                let seconds = Self.seconds(start.duration(to: .now))
                let count = Double(engine.status().appliedIndex - before)
                print(
                    "puts/s \(Int(count / seconds)) fdatasync/s \(Int(syncs)) ratio \(count / seconds / syncs)",
                    "cpu µs/put \((Self.cpuSeconds() - cpu) / count * 1e6)")
            }
        }
    }

    @Test("Gets of 1 KiB and pages of 1,000 keys among 100,000, and pages of folders")
    func reads() async throws {
        let bed = try EngineBed()
        let body = ByteBuffer(repeating: 7, count: 1024)
        try await bed.withBucket { engine async throws in
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<500 {
                    group.addTask {
                        for number in 0..<200 {
                            let key = "folder-\(writer / 10 % 100)\(number / 10)/object number \(writer * 200 + number)"
                            _ = try? await engine.put(key, .inline(body))
                        }
                    }
                }
            }
        }
        try await bed.withEngine { engine async throws in
            let keys = try await engine.keys()
            print("keys", keys.count)
            for round in 0..<3 {
                await Self.measure("get µs (warm after the first round \(round))", 20_000) { number in
                    _ = try? await engine.get(keys[number * 7919 % 5000])
                }
                await Self.measure("head µs", 20_000) { number in
                    let key = try? ObjectKey(Array(keys[number * 7919 % 5000].utf8))
                    if let key { _ = try? await engine.headObject(GetObject(bucket: EngineBed.bucket, key: key)) }
                }
                let starts = (0..<100).map { Array(keys[$0 * 997].utf8) }
                await Self.measure("page of 1,000 keys µs", 100) { number in
                    _ = try? await engine.listObjects(ListObjects(bucket: EngineBed.bucket, startAfter: starts[number]))
                }
                await Self.measure("page of 1,000 folders µs", 30) { number in
                    let request = ListObjects(bucket: EngineBed.bucket, delimiter: [0x2F], startAfter: starts[number / 2])
                    _ = try? await engine.listObjects(request)
                }
            }
        }
    }

    private static func measure(_ name: String, _ count: Int, _ body: (Int) async -> Void) async {
        let cpu = cpuSeconds()
        let start = ContinuousClock.now
        for number in 0..<count { await body(number) }
        let wall = seconds(start.duration(to: .now))
        print(name, "wall", wall / Double(count) * 1e6, "cpu", (cpuSeconds() - cpu) / Double(count) * 1e6)
    }

    private static func syncsPerSecond(_ directory: String) throws -> Double {
        let path = directory + "/syncs"
        let file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        try #require(file >= 0)
        defer {
            close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 1, count: 4096)
        let start = ContinuousClock.now
        for _ in 0..<300 {
            _ = block.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            fdatasync(file)
        }
        return 300 / seconds(start.duration(to: .now))
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
