import Foundation
import SimulationKit

/// Says which run it was when the product stops itself in the middle: a trap leaves no time to ask.
enum CrashNote {
    /// What the handler writes; it may only use what needs no memory and no lock. Set by the one thread that runs, between runs.
    nonisolated(unsafe) private static var text = UnsafeMutableBufferPointer<UInt8>(start: nil, count: 0)

    static func current(_ settings: SimulationSettings) {
        let line = Array(
            "\nthe product stopped itself; replay: rustfs-simulate \(SimulationOptions.arguments(settings))\n".utf8)
        let next = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: line.count)
        _ = next.initialize(from: line)
        let isFirst = text.baseAddress == nil
        text.deallocate()
        text = next
        if isFirst { install() }
    }

    private static func install() {
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV] {
            signal(number) { number in
                _ = write(STDERR_FILENO, CrashNote.text.baseAddress, CrashNote.text.count)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }
}
