#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A value with a lock and a condition: threads wait here until others have changed it.
///
/// `@unchecked Sendable`: the value is touched inside the lock only.
package final class Monitor<Value>: @unchecked Sendable {
    private var value: Value
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Signals cost a system call: they are sent only to somebody.
    private var waiterCount = 0

    package init(_ value: sending Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
        #if canImport(Darwin)
            pthread_cond_init(condition, nil)
        #else
            // Nobody may wake early or late because the wall clock was set.
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Changes the value and wakes those who wait for it.
    package func change<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            let hasWaiters = waiterCount > 0
            pthread_mutex_unlock(mutex)
            if hasWaiters { pthread_cond_broadcast(condition) }
        }
        return try body(&value)
    }

    /// Waits until `isReady` says so, or for that long, and then changes the value.
    package func wait<Result>(
        milliseconds: Int? = nil, until isReady: (Value) -> Bool, then body: (inout Value) -> Result
    ) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let deadline = milliseconds.map(Self.deadline)
        waiterCount += 1
        while !isReady(value) {
            if var deadline {
                if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { break }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
        waiterCount -= 1
        return body(&value)
    }

    private static func deadline(milliseconds: Int) -> timespec {
        var time = timespec()
        #if canImport(Darwin)
            clock_gettime(CLOCK_REALTIME, &time)
        #else
            clock_gettime(CLOCK_MONOTONIC, &time)
        #endif
        time.tv_sec += milliseconds / 1_000
        time.tv_nsec += milliseconds % 1_000 * 1_000_000
        if time.tv_nsec >= 1_000_000_000 {
            time.tv_sec += 1
            time.tv_nsec -= 1_000_000_000
        }
        return time
    }
}
