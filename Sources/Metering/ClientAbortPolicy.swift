/// What becomes of a plain (not streamed) answer whose client left before its end, by its plan.
public enum ClientAbortPolicy: String, CaseIterable, Sendable {
    /// The gateway reads it to its end, at most 60 s, and bills it whole.
    case drain
    /// The gateway cuts the engine at once and bills what it had received.
    case cut
}
