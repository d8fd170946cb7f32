import Glibc

/// A thread of the operating system: a sync blocks, and neither an event loop nor the cooperative pool may.
struct JoinableThread: Sendable {
    private let handle: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ run: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let body = Unmanaged.passRetained(Body(run))
        let code = pthread_create(
            &handle, nil,
            { raw in
                if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        precondition(code == 0, "no thread for the journal: \(describe(errorCode: code))")
        self.handle = handle
    }

    func join() { pthread_join(handle, nil) }
}

/// Counts wake-ups: a signal given before the wait is not lost.
final class Semaphore: @unchecked Sendable {
    // Kernel object at a fixed address, safe to use from any thread.
    private let handle: UnsafeMutablePointer<sem_t>

    init() {
        handle = .allocate(capacity: 1)
        handle.initialize(to: sem_t())
        sem_init(handle, 0, 0)
    }

    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }

    func signal() { sem_post(handle) }

    /// Returns after a signal; all signals given so far count as one.
    func wait() {
        while sem_wait(handle) != 0 {}
        while sem_trywait(handle) == 0 {}
    }
}
