/// How much work reading foreign bytes takes: bytes looked at, and comparisons made. Counted in debug builds only,
/// while a test asks for it, so that tests can hold that each reader's work grows as its input does. Released programs
/// have nothing of it.
public enum ReadingSteps {
    #if DEBUG
        /// What one test counts. Touched by the task that made it alone.
        final class Counter: @unchecked Sendable {
            var steps = 0
        }

        @TaskLocal static var counter: Counter?

        /// The steps that `work` takes on this task.
        public static func counted(_ work: () throws -> Void) rethrows -> Int {
            let counter = Counter()
            try $counter.withValue(counter) { try work() }
            return counter.steps
        }
    #endif

    /// Notes work done.
    @inline(__always)
    public static func add(_ steps: Int) {
        #if DEBUG
            counter?.steps += steps
        #endif
    }
}
