internal import Identity
internal import Metering

/// Reads Replicate's predictions, as they are created, polled, cancelled and streamed.
///
/// What a prediction came to stands in its `metrics`, once it has ended: tokens for official language models, time on
/// the hardware for all. A stream has none of it: ask for the prediction after its end. An answer of 200 or 201 does
/// not mean that a prediction succeeded; its `status` does.
struct ReplicateReader: AnswerReader {
    private var startedAt: Timestamp?
    private var completedAt: Timestamp?

    private enum Part: Int { case id, model, status, metrics, error, startedAt, completedAt }
    private static let partShape = DocumentShape([
        .value("id"), .value("model"), .value("status"), .value("metrics", bytesMax: 16 * 1024),
        .value("error", bytesMax: 2 * EngineErrorText.messageBytesMax), .value("started_at"), .value("completed_at"),
        .written("output"),
    ])

    var shape: DocumentShape { ReplicateReader.partShape }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        if !(200..<300).contains(status) { facts.hasError = true }
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .id: facts.id = NativeValue.name(value) ?? facts.id
        case .model: facts.model = NativeValue.name(value) ?? facts.model
        case .status: take(status: NativeValue.name(value), &facts)
        case .metrics:
            if (try? ReplicateMetrics.read(value, into: &facts)) == nil { facts.unreadCount += 1 }
        case .error: facts.takeError(value)
        case .startedAt:
            startedAt = NativeValue.name(value).flatMap { Timestamp($0) }
            if startedAt != nil { facts.hasRun = true }
        case .completedAt: completedAt = NativeValue.name(value).flatMap { Timestamp($0) }
        case nil: break
        }
    }

    /// One that was cancelled may have no metrics. It ran nevertheless, for as long as its own times say.
    mutating func finish(facts: inout AnswerFacts) {
        boundTime(&facts)
        guard facts.finishReason != nil, facts.finishReason != "failed", facts.usage == nil, facts.units.isEmpty,
            let startedAt
        else { return }
        facts.hardwareTime = .unknown
        guard let completedAt, completedAt >= startedAt else { return }
        facts.hardwareTime = .estimated
        facts.units.computeMilliseconds = completedAt.milliseconds - startedAt.milliseconds
    }

    /// No prediction runs for longer than from its start to its end, which the engine says itself, or than a day, and
    /// none for less than no time.
    private func boundTime(_ facts: inout AnswerFacts) {
        let said = facts.units.computeMilliseconds
        guard said < 0 || said > ReplicateReader.toleranceMilliseconds else { return }
        guard let startedAt, let completedAt, completedAt >= startedAt else {
            guard said < 0 || said > ReplicateReader.runMillisecondsMax else { return }
            // Nobody can say how long it was. What is counted in tokens has its price; all else waits for somebody to
            // look.
            let hasTokens = facts.usage?.promptTokens ?? 0 > 0 || facts.usage?.completionTokens ?? 0 > 0
            facts.units.computeMilliseconds = hasTokens ? 0 : said < 0 ? said : .max
            if hasTokens { facts.hardwareTime = .unknown }
            return
        }
        let most = completedAt.milliseconds - startedAt.milliseconds
        guard said < 0 || said - ReplicateReader.toleranceMilliseconds > most + most / 10 else { return }
        facts.units.computeMilliseconds = most
        facts.hardwareTime = .estimated
    }

    private static let toleranceMilliseconds: Int64 = 2000
    private static let runMillisecondsMax: Int64 = 86_400_000

    /// While a prediction is starting or processing it has no reason to have ended.
    private func take(status: String?, _ facts: inout AnswerFacts) {
        switch status {
        case "succeeded", "canceled", "aborted": facts.takeStopReason(status)
        case "processing": facts.hasRun = true
        case "failed":
            facts.takeStopReason(status)
            facts.hasError = true
        default: break
        }
    }

    // MARK: Streams

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        if event.isNamed("output") {
            guard !event.data.isEmpty else { return .other }
            facts.noteContent(bytes: Int64(event.data.count))
            facts.uncountedEvents += 1
            return .content
        }
        if event.isNamed("error") {
            facts.hasError = true
            facts.takeError(event.data)
            return .error
        }
        guard event.isNamed("done") else { return .other }
        let reason = ReplicateReader.reason(event.data)
        facts.takeStopReason(reason ?? "succeeded")
        if reason == "error" {
            facts.hasError = true
            facts.endsInFailure = true
        }
        facts.isTerminated = true
        return .terminator
    }

    /// `{"reason":"canceled"}` or `{"reason":"error"}`; an empty object when all went well.
    private static func reason(_ data: UnsafeRawBufferPointer) -> String? {
        var scanner = JSONScanner(data)
        var reason: String?
        try? scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard key.equals("reason", in: data) else { return false }
            reason = try scanner.name(kind, in: data)
            return true
        }
        return reason
    }
}

/// The `metrics` of a prediction.
enum ReplicateMetrics {
    static func read(_ bytes: UnsafeRawBufferPointer, into facts: inout AnswerFacts) throws(JSONScanError) {
        var scanner = JSONScanner(bytes)
        // Nothing is said before a prediction has ended.
        guard try scanner.kind() == .object else { return }
        var usage = try EngineUsage(scanner: &scanner, bytes: bytes, names: .replicate)
        facts.units.raise(to: usage.units)
        facts.timings.update(with: usage.timings)
        usage.units = UsageUnits()
        usage.timings = EngineTimings()
        guard usage.promptTokens != nil || usage.completionTokens != nil || usage.contradiction != nil else { return }
        usage.raw = NativeValue.raw(bytes, 0..<bytes.count)
        facts.usage = usage
    }
}
