extension AnswerFacts {
    /// Notes an error that came instead of the answer or inside it, an object or a text; `null` and an empty text are
    /// none. What a refused request's body says is read by `EngineRefusal`.
    mutating func takeError(_ value: UnsafeRawBufferPointer) {
        guard value.count > 2, !value.equals("null", in: 0..<value.count), !value.equals("false", in: 0..<value.count)
        else { return }
        hasError = true
        error = EngineErrorText(error: value, in: value)
    }

    /// An exception or error frame inside an event stream: its name says more than its words.
    mutating func takeException(_ frame: AWSEventFrame, _ bytes: UnsafeRawBufferPointer) {
        let payload = bytes.part(frame.payload)
        var text = EngineErrorText(error: payload, in: payload)
        text.type = String(decoding: bytes[frame.name].prefix(AnswerFacts.nameBytesMax), as: UTF8.self)
        hasError = true
        error = text
    }

    /// What the head of any answer of Amazon's services says.
    mutating func takeAmazonHead(status: Int, _ headers: any HeaderLookup) {
        id = headers.first("x-amzn-requestid")
        serviceTier = headers.first("x-amzn-bedrock-service-tier")
        if !(200..<300).contains(status) { hasError = true }
    }

    /// A reason why the answer ended; its last word.
    mutating func takeStopReason(_ reason: String?) {
        guard let reason else { return }
        finishReason = reason
        finishedChoices = 1
    }
}
