import Engines
import Metering
import Telemetry

/// The metrics of one event loop's requests; the series themselves are shared by all loops.
///
/// Names follow OpenTelemetry's GenAI conventions in their Prometheus form. Labels are models of the catalogue,
/// operations, token types and status classes: never keys, tenants or requests.
final class GatewayMetrics {
    let upstreamRetries: Counter
    let fallbacks: Counter
    let journalWait: Histogram
    private let registry: MetricsRegistry
    private let kindOfBackend: (String) -> EngineKind?
    private var byModel: [Key: ModelMetrics] = [:]
    private var notes: [NoteKey: Counter] = [:]

    private struct Key: Hashable {
        var operation: Operation
        var model: String
        var backend: String
    }

    private struct NoteKey: Hashable {
        var backend: String
        var note: RecordNotes
    }

    /// The most models whose series are kept at hand.
    private static let modelsMax = 256

    /// `kindOfBackend` is asked once for each series.
    init(registry: MetricsRegistry, kindOfBackend: @escaping (String) -> EngineKind? = { _ in nil }) {
        self.registry = registry
        self.kindOfBackend = kindOfBackend
        upstreamRetries = registry.counter(
            "tollgate_upstream_retries_total", help: "Requests resent because a pooled connection was stale.")
        fallbacks = registry.counter(
            "tollgate_fallbacks_total", help: "Failed tries that were followed by a try on another backend.")
        journalWait = registry.histogram(
            "tollgate_journal_wait_seconds", help: "Time from the end of an answer until its record was durable.",
            bounds: [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000],
            scale: 1_000_000)
    }

    /// Counts a request that ended.
    func finished(_ entry: UsageEntry) {
        let request = entry.request
        let backend = entry.attempts.last?.backend ?? ""
        let name = Key(operation: request.operation, model: request.model, backend: backend)
        let metrics: ModelMetrics
        if let known = byModel[name] {
            metrics = known
        } else {
            metrics = ModelMetrics(
                registry: registry, operation: request.operation, model: request.model,
                backend: backend, kind: kindOfBackend(backend))
            if byModel.count >= GatewayMetrics.modelsMax { byModel.removeAll() }
            byModel[name] = metrics
        }
        metrics.finished(entry)
        if !request.notes.isEmpty { count(request.notes, of: backend) }
        for attempt in entry.attempts where !attempt.notes.isEmpty { count(attempt.notes, of: attempt.backend) }
    }

    private func count(_ noted: RecordNotes, of backend: String) {
        for (note, name) in RecordNotes.named where noted.contains(note) {
            let key = NoteKey(backend: backend, note: note)
            let counter =
                notes[key]
                ?? registry.counter(
                    "tollgate_record_notes_total", help: "Notes on records, by backend.",
                    labels: ["backend": backend, "note": name])
            notes[key] = counter
            counter.increment()
        }
    }
}

/// The series of one model, operation and backend.
private final class ModelMetrics {
    private let registry: MetricsRegistry
    private let operation: String
    private let model: String
    private let backend: String
    private let provider: String
    private let inputTokens: Histogram
    private let outputTokens: Histogram
    private let timeToFirstToken: Histogram
    private let timePerOutputToken: Histogram
    private var durations: [String: Histogram] = [:]
    private var tokens: [Meter: [Counter]] = [:]
    private var requests: [RequestKey: Counter] = [:]
    private var usage: [UsageKey: Counter] = [:]

    private struct RequestKey: Hashable {
        var statusClass: Int32
        var outcome: RequestOutcome
    }

    private struct UsageKey: Hashable {
        var source: UsageSource
        var termination: Termination
    }

    /// Kinds of errors that have series of their own; further ones share one.
    private static let errorTypesMax = 32
    private static let tokenMeters = Meter.allCases.filter { !$0.isUnit }

    init(registry: MetricsRegistry, operation: Operation, model: String, backend: String, kind: EngineKind?) {
        self.registry = registry
        self.operation = operation.rawValue
        self.model = model
        self.backend = backend
        let provider = kind?.providerName ?? "_OTHER"
        self.provider = provider
        func tokens(_ type: String) -> Histogram {
            registry.histogram(
                "gen_ai_client_token_usage", help: "Tokens per request, by type.",
                bounds: (0...13).map { 1 << (2 * $0) },
                labels: [
                    "gen_ai_operation_name": operation.rawValue, "gen_ai_provider_name": provider,
                    "gen_ai_request_model": model, "backend": backend, "gen_ai_token_type": type,
                ])
        }
        func seconds(_ name: String, _ help: String, milliseconds: [Int64]) -> Histogram {
            registry.histogram(
                name, help: help, bounds: milliseconds.map { $0 * 1000 }, scale: 1_000_000,
                labels: [
                    "gen_ai_operation_name": operation.rawValue, "gen_ai_provider_name": provider,
                    "gen_ai_request_model": model, "backend": backend,
                ])
        }
        inputTokens = tokens("input")
        outputTokens = tokens("output")
        timeToFirstToken = seconds(
            "gen_ai_server_time_to_first_token_seconds", "Time from accepting a request to its first content event.",
            milliseconds: [1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000])
        timePerOutputToken = seconds(
            "gen_ai_server_time_per_output_token_seconds", "Time per output token after the first.",
            milliseconds: [10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2500])
    }

    func finished(_ entry: UsageEntry) {
        let request = entry.request
        requestCounter(RequestKey(statusClass: request.httpStatus / 100, outcome: request.outcome)).increment()
        if let end = request.marks.end { duration(of: request).observe(end) }
        if let first = request.marks.firstToken { timeToFirstToken.observe(first) }
        for attempt in entry.attempts {
            usageCounter(UsageKey(source: attempt.usageSource, termination: attempt.termination)).increment()
            guard attempt.usageSource != .nothing else { continue }
            inputTokens.observe(attempt.buckets.inputTotal)
            outputTokens.observe(attempt.buckets.outputTotal)
            count(attempt.buckets)
            let output = attempt.buckets.outputTotal
            if let first = attempt.marks.firstToken, let last = attempt.marks.lastToken, output > 1 {
                timePerOutputToken.observe((last - first) / (output - 1))
            }
        }
    }

    /// The counters of tokens by kind and modality: totals of input and output, and what of them was read from a cache,
    /// written to one, or reasoning.
    private func count(_ buckets: TokenBuckets) {
        for meter in Self.tokenMeters {
            let quantity = buckets.quantity(of: meter)
            guard quantity > 0 else { continue }
            for counter in counters(of: meter) { counter.increment(by: quantity) }
        }
    }

    private func counters(of meter: Meter) -> [Counter] {
        if let known = tokens[meter] { return known }
        let made = meter.usageNames.map { name in
            registry.counter(
                "gen_ai_client_inference_usage_\(name)_tokens_total", help: "Tokens, by kind and modality.",
                labels: [
                    "gen_ai_operation_name": operation, "gen_ai_provider_name": provider,
                    "gen_ai_request_model": model, "backend": backend, "gen_ai_token_modality": meter.modality,
                ])
        }
        tokens[meter] = made
        return made
    }

    private func duration(of request: RequestRecord) -> Histogram {
        let isError = request.outcome != .success
        var error = isError ? request.reason.isEmpty ? String(request.httpStatus) : request.reason : ""
        if durations[error] == nil, durations.count >= Self.errorTypesMax { error = "_OTHER" }
        if let known = durations[error] { return known }
        let histogram = registry.histogram(
            "gen_ai_server_request_duration_seconds", help: "Time from accepting a request to the end of its answer.",
            bounds: (0...13).map { 10_000 << $0 }, scale: 1_000_000,
            labels: [
                "gen_ai_operation_name": operation, "gen_ai_provider_name": provider, "gen_ai_request_model": model,
                "backend": backend, "error_type": error,
            ])
        durations[error] = histogram
        return histogram
    }

    private func requestCounter(_ key: RequestKey) -> Counter {
        if let counter = requests[key] { return counter }
        let counter = registry.counter(
            "tollgate_requests_total", help: "Finished requests, by outcome.",
            labels: [
                "gen_ai_operation_name": operation, "gen_ai_request_model": model,
                "status_class": "\(key.statusClass)xx", "outcome": key.outcome.rawValue,
            ])
        requests[key] = counter
        return counter
    }

    private func usageCounter(_ key: UsageKey) -> Counter {
        if let counter = usage[key] { return counter }
        let counter = registry.counter(
            "tollgate_attempts_total", help: "Attempts, by usage source and termination.",
            labels: [
                "gen_ai_operation_name": operation, "gen_ai_request_model": model,
                "usage_source": key.source.rawValue, "termination": key.termination.rawValue,
            ])
        usage[key] = counter
        return counter
    }
}

extension Meter {
    /// The counters that tokens of this meter belong to: their side's total, and their kind's.
    fileprivate var usageNames: [String] {
        switch self {
        case .inputTokens, .inputAudioTokens, .inputImageTokens, .inputVideoTokens: ["input"]
        case .cacheReadTokens, .cacheReadAudioTokens, .cacheReadImageTokens, .cacheReadVideoTokens:
            ["input", "cache_read_input"]
        case .cacheWriteTokens, .cacheWriteHourTokens, .cacheWriteLongTokens: ["input", "cache_write_input"]
        case .outputTokens, .outputAudioTokens, .outputImageTokens: ["output"]
        case .reasoningTokens: ["output", "reasoning_output"]
        default: []
        }
    }

    fileprivate var modality: String {
        switch self {
        case .inputAudioTokens, .cacheReadAudioTokens, .outputAudioTokens: "audio"
        case .inputImageTokens, .cacheReadImageTokens, .outputImageTokens: "image"
        case .inputVideoTokens, .cacheReadVideoTokens: "video"
        default: "text"
        }
    }
}

extension EngineKind {
    /// OpenTelemetry's name of the system (`gen_ai.provider.name`): a well-known one where there is one.
    fileprivate var providerName: String {
        switch self {
        case .bedrock: "aws.bedrock"
        case .sageMaker: "aws.sagemaker"
        case .vertex: "gcp.vertex_ai"
        case .gemini: "gcp.gemini"
        case .azure: "azure.ai.openai"
        case .xai: "x_ai"
        default: rawValue
        }
    }
}
