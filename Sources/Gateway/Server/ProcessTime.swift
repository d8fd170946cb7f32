import NIOCore

/// The clock of breakers and health: it never goes back.
enum ProcessTime {
    /// Milliseconds since some moment before the process began.
    static var milliseconds: Int64 { milliseconds(of: .now()) }

    static func milliseconds(of time: NIODeadline) -> Int64 { Int64(time.uptimeNanoseconds / 1_000_000) }
}
