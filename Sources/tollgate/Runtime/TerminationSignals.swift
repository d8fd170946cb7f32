import Foundation

/// The writing end of the pipe that the signal handler speaks through; a handler may touch nothing but such a global.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// Waits for SIGTERM or SIGINT: the handler writes the signal's number into a pipe, a thread reads it there.
final class TerminationSignals: Sendable {
    private let stream: AsyncStream<Int32>

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(
            pipe(&ends) == 0 && ends.allSatisfy { fcntl($0, F_SETFD, FD_CLOEXEC) == 0 },
            "a pipe for signals: \(String(cString: strerror(errno)))")
        let reading = ends[0]
        signalPipe = ends[1]
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingOldest(2))
        self.stream = stream
        for number in [SIGTERM, SIGINT] {
            signal(number) { received in
                var byte = UInt8(truncatingIfNeeded: received)
                _ = write(signalPipe, &byte, 1)
            }
        }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(reading, &byte, 1)
                if count == 1 {
                    continuation.yield(Int32(byte))
                } else if count == 0 || errno != EINTR {
                    return
                }
            }
        }
    }

    /// Returns at the first signal.
    func wait() async {
        for await _ in stream { return }
    }
}

/// Standard output is a pipe when a script drives the program: what was printed must leave now.
func flushOutput() {
    fflush(nil)
}
