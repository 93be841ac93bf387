#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A thread of its own, for work that blocks: tasks of the cooperative pool must not.
///
/// `@unchecked Sendable`: the handle is set once, by `init`, and joined once, by whoever owns the thread.
package final class PlainThread: @unchecked Sendable {
    private var handle: pthread_t

    /// - Throws: the system's error number, when it has no thread left.
    package init(_ body: @escaping @Sendable () -> Void) throws(ThreadError) {
        let start = Unmanaged.passRetained(Start(body))
        #if canImport(Darwin)
            var created: pthread_t?
        #else
            var created = pthread_t()
        #endif
        let status = pthread_create(&created, nil, runThread, start.toOpaque())
        #if canImport(Darwin)
            let thread = created
        #else
            let thread: pthread_t? = created
        #endif
        guard status == 0, let thread else {
            start.release()
            throw ThreadError(number: status)
        }
        handle = thread
    }

    /// Waits until the body has returned.
    package func join() { pthread_join(handle, nil) }
}

package struct ThreadError: Error, Sendable {
    package let number: Int32
}

private final class Start {
    let body: @Sendable () -> Void

    package init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

#if canImport(Darwin)
    private func runThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
        return nil
    }
#else
    private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
    }
#endif
