/// Finds where the events of a server-sent event stream end, whatever pieces it arrives in.
///
/// An event ends after an empty line; lines end with LF, CRLF or CR (HTML Living Standard, section 9.2.6). The same
/// stream gives the same events for any way of cutting it into reads.
public struct EventStreamSplitter: Sendable {
    private var lineIsEmpty = true
    /// The last byte was a CR whose line it ended; an LF may belong to it.
    private var afterReturn = false
    /// That CR ended an empty line, so the event is over once it is known whether an LF follows.
    private var returnEndsEvent = false
    private var lastEndWasBareReturn = false

    /// A splitter at the start of a stream.
    public init() {}

    /// Looks on from `offset` and returns the offset just after the next end of an event; nil when `bytes` hold none.
    ///
    /// Bytes once looked at are not to be shown again: after nil, go on with what comes after `bytes`.
    public mutating func nextEventEnd(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        var index = offset
        while index < bytes.count {
            if afterReturn {
                afterReturn = false
                let isPair = bytes[index] == 0x0A
                lastEndWasBareReturn = !isPair
                if isPair { index += 1 }
                if returnEndsEvent {
                    returnEndsEvent = false
                    return index
                }
                continue
            }
            let end = bytes.firstIndexOfLineEnd(from: index)
            if end > index { lineIsEmpty = false }
            guard end < bytes.count else { return nil }
            index = end + 1
            let wasEmpty = lineIsEmpty
            lineIsEmpty = true
            if bytes[end] == 0x0D {
                afterReturn = true
                // In a stream of bare CRs nothing follows an event's end, so waiting for an LF would hold it back.
                guard wasEmpty else { continue }
                if lastEndWasBareReturn { return index }
                returnEndsEvent = true
            } else {
                lastEndWasBareReturn = false
                if wasEmpty { return index }
            }
        }
        return nil
    }
}
