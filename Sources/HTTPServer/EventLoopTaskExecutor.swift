package import NIOCore

/// Runs tasks on one event loop, so that a request's code never leaves the thread of its connection.
///
/// SwiftNIO offers an event loop as a serial executor (for actors) but not as a task executor, which is what
/// `Task(executorPreference:)` needs. Make one for each loop and keep it as long as its tasks run.
package final class EventLoopTaskExecutor: TaskExecutor {
    package let eventLoop: any EventLoop

    package init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
