/// When things happened, in microseconds of process time since the request was accepted; nil where they did not.
///
/// Process time is monotonic: these never go backwards, whatever the wall clock does.
public struct TimeMarks: Hashable, Sendable {
    /// The request's last byte was handed to the engine's connection.
    public var upstreamSent: Int64?
    /// The first byte of the engine's answer arrived.
    public var firstByte: Int64?
    /// The first event with content arrived (role-only and empty deltas do not count).
    public var firstToken: Int64?
    /// The last event with content arrived.
    public var lastToken: Int64?
    /// The answer ended.
    public var end: Int64?

    public init(
        upstreamSent: Int64? = nil, firstByte: Int64? = nil, firstToken: Int64? = nil, lastToken: Int64? = nil,
        end: Int64? = nil
    ) {
        self.upstreamSent = upstreamSent
        self.firstByte = firstByte
        self.firstToken = firstToken
        self.lastToken = lastToken
        self.end = end
    }
}
