/// The frames of one event stream, up to the first that is broken: what comes after it is not to be trusted.
struct AWSEventFrames: Sendable {
    private(set) var isBroken = false

    /// The frame, when it is an event; else what is wrong is noted.
    mutating func next(_ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) -> AWSEventFrame? {
        guard !isBroken else { return nil }
        do throws(AWSEventFrameError) {
            let frame = try AWSEventFrame(bytes)
            guard frame.messageType == .event else {
                facts.takeException(frame, bytes)
                return nil
            }
            return frame
        } catch {
            isBroken = true
            facts.unreadCount += 1
            facts.hasError = true
            facts.error = EngineErrorText(type: "broken_event_stream")
            return nil
        }
    }
}
