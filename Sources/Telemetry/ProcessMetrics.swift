import Glibc
import Synchronization

/// What Prometheus clients tell of their process everywhere, from `/proc` (proc(5)).
package struct ProcessMetrics: Sendable {
    private let startTimeSeconds: Double?
    private let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
    private let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))

    package init() {
        let boot = Self.lines(of: "/proc/stat").first { $0.hasPrefix("btime ") }.flatMap {
            Double($0.dropFirst("btime ".count))
        }
        // Field 22, counted from 1, is the start in ticks since boot.
        let start = Self.statFields().flatMap { $0.count > 19 ? Double($0[19]) : nil }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        startTimeSeconds = boot.flatMap { boot in start.map { boot + $0 / ticks } }
    }

    /// Reads a handful of files of the kernel's memory; what cannot be read is left out.
    package func samples() -> [MetricSample] {
        var samples: [MetricSample] = []
        if let fields = Self.statFields(), fields.count > 21 {
            if let user = Double(fields[11]), let system = Double(fields[12]) {
                samples.append(
                    MetricSample(
                        name: "process_cpu_seconds_total", help: "User and system CPU time spent in seconds.", kind: .counter,
                        value: (user + system) / ticksPerSecond))
            }
            if let threads = Double(fields[17]) {
                samples.append(MetricSample(name: "process_threads", help: "Number of threads.", value: threads))
            }
            if let bytes = Double(fields[20]) {
                samples.append(
                    MetricSample(name: "process_virtual_memory_bytes", help: "Virtual memory size in bytes.", value: bytes))
            }
            if let pages = Double(fields[21]) {
                samples.append(
                    MetricSample(
                        name: "process_resident_memory_bytes", help: "Resident memory size in bytes.", value: pages * pageBytes)
                )
            }
        }
        if let count = Self.openDescriptorCount() {
            samples.append(
                MetricSample(name: "process_open_fds", help: "Number of open file descriptors.", value: Double(count)))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            samples.append(
                MetricSample(
                    name: "process_max_fds", help: "Maximum number of open file descriptors.", value: Double(limit.rlim_cur)))
        }
        if let startTimeSeconds {
            samples.append(
                MetricSample(
                    name: "process_start_time_seconds", help: "Start time of the process since unix epoch in seconds.",
                    value: startTimeSeconds))
        }
        return samples
    }

    /// The fields of `/proc/self/stat` after the command's name, which may hold spaces and parentheses: the first is the state.
    private static func statFields() -> [Substring]? {
        guard let line = lines(of: "/proc/self/stat").first, let end = line.lastIndex(of: ")") else { return nil }
        return line[line.index(after: end)...].split(separator: " ")
    }

    private static func openDescriptorCount() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of the directory itself.
        return max(0, count - 3)
    }

    private static func lines(of path: String) -> [Substring] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
