internal import Metering

/// Reads answers of Bedrock's `converse` and `converse-stream`.
///
/// The stream's last event is `metadata`, with the usage; errors after the answer began come as exception frames.
struct BedrockConverseReader: AnswerReader {
    private var frames = AWSEventFrames()

    private enum Part: Int { case usage, latency, stopReason, tier, toolType }
    private static let partShape = DocumentShape([
        .value("usage", bytesMax: DocumentShape.usageBytesMax), .value("metrics.latencyMs"), .value("stopReason"),
        .value("serviceTier.type"), .value("output.message.content.toolUse.type"),
        .text("output.message.content.text"), .written("output.message.content.toolUse.input"),
        .text("output.message.content.citationsContent.content.text"),
        .reasoning("output.message.content.reasoningContent.reasoningText.text"),
        .encrypted("output.message.content.reasoningContent.reasoningText.signature"),
        .encrypted("output.message.content.reasoningContent.redactedContent"),
        .media("output.message.content.image.source.bytes", .picture),
        .media("output.message.content.audio.source.bytes", .sound),
    ])

    var shape: DocumentShape { BedrockConverseReader.partShape }
    var usagePart: Int? { Part.usage.rawValue }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        facts.takeAmazonHead(status: status, headers)
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .usage:
            var scanner = JSONScanner(value)
            if let usage = try? BedrockUsage(scanner: &scanner, bytes: value) {
                facts.usage = usage.usage
            } else {
                facts.unreadCount += 1
            }
        case .latency: facts.timings.total = NativeValue.microseconds(milliseconds: NativeValue.integer(value))
        case .stopReason: facts.takeStopReason(NativeValue.name(value))
        case .tier: facts.serviceTier = NativeValue.name(value) ?? facts.serviceTier
        // Amazon's own tool, which is a search: plans sell no other.
        case .toolType: if NativeValue.name(value) == "server_tool_use" { facts.units.searches += 1 }
        case nil: break
        }
    }

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        guard let frame = frames.next(event.bytes, &facts) else { return facts.hasError ? .error : .other }
        let bytes = event.bytes
        do throws(JSONScanError) {
            return try BedrockConverseEvents.read(
                bytes.part(frame.name), payload: bytes.part(frame.payload), facts: &facts)
        } catch {
            facts.unreadCount += 1
            return .other
        }
    }
}

/// The events of a Converse stream, whether they are named by their frame or by the only member of an object around
/// them (Amazon's own models, invoked).
enum BedrockConverseEvents {
    static func read(
        _ name: UnsafeRawBufferPointer, payload bytes: UnsafeRawBufferPointer, facts: inout AnswerFacts
    ) throws(JSONScanError) -> StreamEvent {
        var scanner = JSONScanner(bytes)
        return try read(name, &scanner, bytes, facts: &facts)
    }

    static func read(
        _ name: UnsafeRawBufferPointer, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer,
        facts: inout AnswerFacts
    ) throws(JSONScanError) -> StreamEvent {
        let all = 0..<name.count
        if name.equals("contentBlockStart", in: all) {
            var start = scanner
            if try isServerTool(&start, bytes) { facts.units.searches += 1 }
        }
        if name.equals("contentBlockDelta", in: all) || name.equals("contentBlockStart", in: all) {
            var text = scanner
            var ahead = scanner
            if try isReasoning(&ahead, bytes) { facts.hiddenWork.insert(.reasoning) }
            let hasContent = try hasContent(&scanner, bytes)
            let content = try WrittenText.content(&text, bytes)
            guard hasContent else {
                facts.noteSilent(content)
                return .other
            }
            facts.noteContent(content)
            facts.uncountedEvents += 1
            return .content
        }
        if name.equals("messageStop", in: all) {
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard key.equals("stopReason", in: bytes) else { return false }
                facts.takeStopReason(try scanner.name(kind, in: bytes))
                return true
            }
        } else if name.equals("metadata", in: all) {
            try readMetadata(&scanner, bytes, &facts)
            facts.isTerminated = true
            return .terminator
        } else {
            try scanner.skip()
        }
        return .other
    }

    /// Whether a delta is of reasoning: shown, redacted or signed.
    private static func isReasoning(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        var found = false
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .object, key.equals("delta", in: bytes) || key.equals("start", in: bytes) else {
                return false
            }
            try scanner.eachMember { key, _, _ throws(JSONScanError) in
                found = found || key.equals("reasoningContent", in: bytes)
                return false
            }
            return true
        }
        return found
    }

    /// Whether a block begins with the call of one of Amazon's own tools.
    private static func isServerTool(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        var found = false
        func look(_ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner) throws(JSONScanError) -> Bool {
            if kind == .object, key.equals("start", in: bytes) || key.equals("toolUse", in: bytes) {
                try scanner.eachMember(look)
            } else if kind == .string, key.equals("type", in: bytes) {
                found = try scanner.string().equals("server_tool_use", in: bytes) || found
            } else {
                return false
            }
            return true
        }
        try scanner.eachMember(look)
        return found
    }

    /// Whether the model wrote something in a delta or the start of a block: text, reasoning, a call. A signature is
    /// none of its words.
    private static func hasContent(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        var found = false
        func look(_ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner) throws(JSONScanError) -> Bool {
            guard !key.equals("signature", in: bytes), !key.equals("toolUseId", in: bytes) else { return false }
            if kind == .object {
                try scanner.eachMember(look)
            } else if try scanner.isSomething(kind) {
                found = true
            }
            return true
        }
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .object, key.equals("delta", in: bytes) || key.equals("start", in: bytes) else {
                return false
            }
            try scanner.eachMember(look)
            return true
        }
        return found
    }

    private static func readMetadata(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .object else { return false }
            if key.equals("usage", in: bytes) {
                facts.updateUsage(with: try BedrockUsage(scanner: &scanner, bytes: bytes).usage)
                facts.uncountedEvents = 0
            } else if key.equals("metrics", in: bytes) {
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    guard kind == .number, key.equals("latencyMs", in: bytes) else { return false }
                    facts.timings.total = NativeValue.microseconds(milliseconds: try scanner.number())
                    return true
                }
            } else if key.equals("serviceTier", in: bytes) {
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    guard key.equals("type", in: bytes) else { return false }
                    facts.serviceTier = try scanner.name(kind, in: bytes) ?? facts.serviceTier
                    return true
                }
            } else {
                return false
            }
            return true
        }
    }
}
