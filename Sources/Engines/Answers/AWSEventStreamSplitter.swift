/// Finds where the frames of an `application/vnd.amazon.eventstream` end, whatever pieces they come in.
public struct AWSEventStreamSplitter: Sendable {
    /// A splitter at the start of a stream.
    public init() {}

    /// Looks on from `offset` and returns the offset just after the next end of a frame; nil when `bytes` hold none.
    /// Bytes once looked at are not to be shown again.
    public mutating func nextEventEnd(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? { nil }
}
