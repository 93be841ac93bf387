import Dispatch
import RaftStorage
import Synchronization

/// Where the log's thread says what is durable, and the loop that submits waits for it.
final class Completions: Sendable {
    private struct State {
        var durable: UInt64 = 0
        var failure: LogError?
        var isWaiting = false
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)

    func take(_ event: LogWriter.Event) {
        let isWaiting = state.withLock { state in
            switch event {
            case .durable(let token): state.durable = token
            case .failed(let error): state.failure = error
            case .waitsForSpace: break
            }
            defer { state.isWaiting = false }
            return state.isWaiting
        }
        if isWaiting { signal.signal() }
    }

    /// The newest durable token, once it is greater than that.
    func wait(behind token: UInt64) throws -> UInt64 {
        while true {
            let durable = try state.withLock { state -> UInt64? in
                if let failure = state.failure { throw failure }
                if state.durable > token { return state.durable }
                state.isWaiting = true
                return nil
            }
            if let durable { return durable }
            signal.wait()
        }
    }
}
