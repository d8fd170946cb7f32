internal import Metering

/// Reads the chunks of `invoke-with-response-stream`, each an event of the model's own dialect.
struct BedrockInvokeStream: Sendable {
    private var anthropic = AnthropicReader()
    private var openAI = StreamMeter()
    private var counts = BedrockFamilyCounts()
    private var metrics: BedrockInvocationMetrics?

    /// The model's event inside a frame's payload (`{"bytes":"…"}`, in base 64); nil when there is none.
    static func chunk(_ payload: UnsafeRawBufferPointer) throws(JSONScanError) -> [UInt8]? {
        var scanner = JSONScanner(payload)
        var chunk: [UInt8]?
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .string, key.equals("bytes", in: payload) else { return false }
            let text = try scanner.string()
            // Some writers of JSON escape the slashes.
            chunk =
                text.isEscaped
                ? Array(text.value(in: payload).utf8).withUnsafeBytes { Base64Text.decoded($0) }
                : Base64Text.decoded(payload.part(text.range))
            if chunk == nil { throw JSONScanError(problem: .badString, offset: text.range.lowerBound) }
            return true
        }
        return chunk
    }

    /// What one look at an event's outermost members shows.
    private struct Look {
        var isAnthropic = false
        var isOpenAI = false
        var hasContent = false
        var meaning = StreamEvent.other
        var hasError = false
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer, facts: inout AnswerFacts) -> StreamEvent {
        do throws(JSONScanError) {
            return try take(bytes, &facts)
        } catch {
            facts.unreadCount += 1
            return .other
        }
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) throws(JSONScanError) -> StreamEvent {
        var look = Look()
        var scanner = JSONScanner(bytes)
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if kind == .object, key.equals("amazon-bedrock-invocationMetrics", in: bytes) {
                metrics = try BedrockInvocationMetrics(scanner: &scanner, bytes: bytes)
            } else if kind == .string, key.equals("type", in: bytes) {
                let type = try scanner.name(kind, in: bytes) ?? ""
                look.isAnthropic =
                    type.hasPrefix("message_") || type.hasPrefix("content_block_") || type == "ping"
                    || type == "error"
            } else if kind == .array, key.equals("choices", in: bytes) {
                look.isOpenAI = true
                try scanner.skip()
            } else if key.equals("amazon-bedrock-guardrailAction", in: bytes) {
                facts.takeGuardrail(try scanner.name(kind, in: bytes))
            } else {
                return try readFamily(key, kind, &scanner, bytes, &look, &facts)
            }
            return true
        }
        try scanner.end()
        let meaning = finish(look, bytes, &facts)
        guard let metrics else { return meaning }
        facts.usage = metrics.correcting(facts.usage ?? counts.usage)
        facts.timings.update(with: metrics.timings)
        facts.uncountedEvents = 0
        facts.isTerminated = true
        return .terminator
    }

    private mutating func finish(
        _ look: Look, _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) -> StreamEvent {
        if look.isAnthropic {
            let event = StreamedEvent(bytes: bytes, name: nil, data: bytes, dataOffset: nil)
            return anthropic.read(event, facts: &facts)
        }
        if look.isOpenAI {
            let event = Array("data: ".utf8) + bytes
            let meaning = event.withUnsafeBytes { openAI.read(event: $0) }
            let before = facts
            facts = openAI.facts
            facts.id = before.id ?? facts.id
            facts.serviceTier = facts.serviceTier ?? before.serviceTier
            // A chunk inside a frame cannot be cut out.
            return meaning == .usageChunk ? .other : meaning
        }
        if let usage = counts.usage { facts.usage = usage }
        guard look.hasContent else { return look.meaning }
        facts.noteContent(WrittenText.content(of: bytes))
        facts.uncountedEvents = counts.output == nil ? facts.uncountedEvents + 1 : 0
        return .content
    }

    /// Amazon's own models, Llama, Titan, Mistral and Cohere.
    private mutating func readFamily(
        _ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer,
        _ look: inout Look, _ facts: inout AnswerFacts
    ) throws(JSONScanError) -> Bool {
        if kind == .object, BedrockInvokeStream.converseNames.contains(where: { key.equals($0, in: bytes) }) {
            look.meaning = try BedrockConverseEvents.read(bytes.part(key.range), &scanner, bytes, facts: &facts)
        } else if kind == .string, BedrockInvokeStream.textNames.contains(where: { key.equals($0, in: bytes) }) {
            if try scanner.isSomething(kind) { look.hasContent = true }
        } else if kind == .array, key.equals("outputs", in: bytes) {
            try scanner.eachElement { kind, scanner throws(JSONScanError) in
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    try readFamily(key, kind, &scanner, bytes, &look, &facts)
                }
                return true
            }
        } else if key.equals("prompt_token_count", in: bytes) || key.equals("inputTextTokenCount", in: bytes) {
            counts.take(input: bytes.part(try scanner.skip()))
        } else if key.equals("generation_token_count", in: bytes)
            || key.equals("totalOutputTextTokenCount", in: bytes)
        {
            counts.take(output: bytes.part(try scanner.skip()))
        } else if kind == .string, BedrockInvokeStream.reasonNames.contains(where: { key.equals($0, in: bytes) }) {
            facts.takeStopReason(try scanner.name(kind, in: bytes))
        } else {
            return false
        }
        return true
    }

    private static let converseNames: [StaticString] = [
        "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
    ]
    private static let textNames: [StaticString] = ["generation", "outputText", "text"]
    private static let reasonNames: [StaticString] = ["stop_reason", "completionReason", "finish_reason"]
}

/// Bytes written in base 64 (RFC 4648, section 4).
enum Base64Text {
    /// The bytes; nil when a character or the padding is wrong.
    static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var padding = 0
        for start in stride(from: 0, to: text.count, by: 4) {
            var group: UInt32 = 0
            for byte in text[start..<start + 4] {
                if byte == UInt8(ascii: "="), start + 4 == text.count {
                    padding += 1
                    group <<= 6
                } else {
                    guard padding == 0, let value = value(of: byte) else { return nil }
                    group = group << 6 | value
                }
            }
            bytes.append(UInt8(truncatingIfNeeded: group >> 16))
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
        }
        guard padding <= 2 else { return nil }
        bytes.removeLast(padding)
        return bytes
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
