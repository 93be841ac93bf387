import Metadata
import NIOCore
import NIOPosix
import Synchronization

/// What space the disk has left, asked twice a second, so that a write does not have to ask.
final class SpaceWatch: Sendable {
    private static let milliseconds: Int64 = 500

    private let reserve: SpaceReserve
    private let refusals = Mutex<SpaceReserve.Refusals>(SpaceReserve.Refusals())
    private let timer = Mutex<RepeatedTask?>(nil)

    init(_ reserve: SpaceReserve) { self.reserve = reserve }

    func start(on loop: any EventLoop, threads: NIOThreadPool) {
        let task = loop.scheduleRepeatedTask(
            initialDelay: .zero, delay: .milliseconds(Self.milliseconds)
        ) { [self] _ in
            threads.submit { [self] state in
                guard case .active = state else { return }
                let current = reserve.refusals
                refusals.withLock { $0 = current }
            }
        }
        timer.withLock { $0 = task }
    }

    func stop() { timer.withLock { $0 }?.cancel() }

    /// - Throws: `.noSpace`.
    func admit(_ payload: MetadataOperation.Payload) throws(MetadataError) {
        let refusals = refusals.withLock { $0 }
        if let error = payload.onlyRemoves ? refusals.removing : refusals.adding { throw error }
    }
}
