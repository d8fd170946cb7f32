/// One event of a Messages stream, as far as metering looks into it.
struct AnthropicEvent {
    enum EventType { case messageStart, messageDelta, messageStop, other }

    private(set) var type = EventType.other
    private(set) var isError = false
    private(set) var id: String?
    private(set) var model: String?
    /// Where it stands, without its quotes.
    private(set) var modelRange: Range<Int>?
    private(set) var stopReason: String?
    private(set) var usage: AnthropicUsage?
    private(set) var hasContent = false
    /// Whether it has thinking that only the engine can read.
    private(set) var hasSignature = false
    /// What a block that begins says that the model does out of sight.
    private(set) var hiddenWork: HiddenWork = []
    /// Whether a block with the results of a search begins.
    private(set) var isSearchResult = false
    /// The model that a `fallback` block names as its successor.
    private(set) var fallbackModel: String?
    /// Where the error object stands.
    private(set) var error: Range<Int>?

    init(_ bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var scanner = JSONScanner(bytes)
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if kind == .string, key.equals("type", in: bytes) {
                take(type: try scanner.string(), bytes)
            } else if kind == .object, key.equals("message", in: bytes) {
                try readMessage(&scanner, bytes)
            } else if kind == .object, key.equals("usage", in: bytes) {
                usage = try AnthropicUsage(scanner: &scanner, bytes: bytes)
            } else if kind == .object, key.equals("delta", in: bytes) {
                try readDelta(&scanner, bytes)
            } else if kind == .object, key.equals("content_block", in: bytes) {
                try readBlock(&scanner, bytes)
            } else if kind == .object || kind == .string, key.equals("error", in: bytes) {
                error = try scanner.skip()
            } else {
                try scanner.skip()
            }
        }
        try scanner.end()
    }

    private mutating func take(type text: JSONText, _ bytes: UnsafeRawBufferPointer) {
        if text.equals("message_start", in: bytes) {
            type = .messageStart
        } else if text.equals("message_delta", in: bytes) {
            type = .messageDelta
        } else if text.equals("message_stop", in: bytes) {
            type = .messageStop
        } else if text.equals("error", in: bytes) {
            isError = true
        }
    }

    private mutating func readMessage(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("id", in: bytes) {
                id = try scanner.name(kind, in: bytes)
            } else if kind == .string, key.equals("model", in: bytes) {
                let text = try scanner.string()
                modelRange = text.range
                model = (1...AnswerFacts.nameBytesMax).contains(text.range.count) ? text.value(in: bytes) : nil
            } else if kind == .object, key.equals("usage", in: bytes) {
                usage = try AnthropicUsage(scanner: &scanner, bytes: bytes)
            } else {
                return false
            }
            return true
        }
    }

    /// Of a `message_delta` the stop reason; of a block's delta, whether the model wrote something in it. A signature
    /// is none of its words.
    private mutating func readDelta(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("stop_reason", in: bytes) {
                stopReason = try scanner.name(kind, in: bytes)
            } else if key.equals("text", in: bytes) || key.equals("thinking", in: bytes)
                || key.equals("partial_json", in: bytes) || key.equals("content", in: bytes)
            {
                if try scanner.isSomething(kind) { hasContent = true }
            } else if key.equals("signature", in: bytes) {
                if try scanner.isSomething(kind) { hasSignature = true }
            } else {
                return false
            }
            return true
        }
    }

    /// A block that begins with text, or with a call, which has a name already.
    private mutating func readBlock(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if kind == .object, key.equals("to", in: bytes) {
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    guard key.equals("model", in: bytes) else { return false }
                    fallbackModel = try scanner.name(kind, in: bytes)
                    return true
                }
                return true
            }
            if kind == .string, key.equals("type", in: bytes) {
                let type = try scanner.string()
                isSearchResult = type.equals("web_search_tool_result", in: bytes)
                hiddenWork.formUnion(ToolCalls.hiddenWork(type: type, in: bytes))
                return true
            }
            guard
                key.equals("text", in: bytes) || key.equals("thinking", in: bytes) || key.equals("data", in: bytes)
                    || key.equals("name", in: bytes)
            else { return false }
            if try scanner.isSomething(kind) { hasContent = true }
            return true
        }
    }
}
