/// Runs tasks on one event loop, so that a request's code never leaves the thread of its connection.
///
/// SwiftNIO offers an event loop as a serial executor (for actors) but not as a task executor, which is what
/// `Task(executorPreference:)` needs. Make one for each loop and keep it as long as its tasks run.
final class EventLoopTaskExecutor: TaskExecutor {
    private let inbox: EventLoopInbox

    init(inbox: EventLoopInbox) {
        self.inbox = inbox
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
