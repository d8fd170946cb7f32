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

    init(registry: MetricsRegistry) {
        self.registry = registry
        upstreamRetries = registry.counter(
            "tollgate_upstream_retries_total", help: "Requests sent again because a kept connection was stale.")
        fallbacks = registry.counter(
            "tollgate_fallbacks_total", help: "Tries that failed and were followed by one at another backend.")
        journalWait = registry.histogram(
            "tollgate_journal_wait_seconds", help: "From the end of an answer until its record was durable.",
            bounds: [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000],
            scale: 1_000_000)
    }

    /// Counts a request that ended.
    func finished(_ entry: UsageEntry) {
        let request = entry.request
        let backend = entry.attempts.last?.backend ?? ""
        let name = Key(operation: request.operation, model: request.modelRequested, backend: backend)
        let metrics: ModelMetrics
        if let known = byModel[name] {
            metrics = known
        } else {
            metrics = ModelMetrics(
                registry: registry, operation: request.operation, model: request.modelRequested,
                backend: backend)
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
                    "tollgate_record_notes_total", help: "What records note beside their numbers, by backend.",
                    labels: ["backend": backend, "note": name])
            notes[key] = counter
            counter.increment()
        }
    }
}

/// The series of one model and operation.
private final class ModelMetrics {
    private let registry: MetricsRegistry
    private let operation: String
    private let model: String
    private let inputTokens: Histogram
    private let outputTokens: Histogram
    private let duration: Histogram
    private let timeToFirstToken: Histogram
    private let timePerOutputToken: Histogram
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

    init(registry: MetricsRegistry, operation: Operation, model: String, backend: String) {
        self.registry = registry
        self.operation = operation.rawValue
        self.model = model
        func tokens(_ type: String) -> Histogram {
            registry.histogram(
                "gen_ai_client_token_usage", help: "Tokens of a request, by type.",
                bounds: (0...13).map { 1 << (2 * $0) },
                labels: [
                    "gen_ai_operation_name": operation.rawValue, "gen_ai_provider_name": backend,
                    "gen_ai_request_model": model, "gen_ai_token_type": type,
                ])
        }
        func seconds(_ name: String, _ help: String, milliseconds: [Int64]) -> Histogram {
            registry.histogram(
                name, help: help, bounds: milliseconds.map { $0 * 1000 }, scale: 1_000_000,
                labels: [
                    "gen_ai_operation_name": operation.rawValue, "gen_ai_provider_name": backend,
                    "gen_ai_request_model": model,
                ])
        }
        inputTokens = tokens("input")
        outputTokens = tokens("output")
        duration = seconds(
            "gen_ai_server_request_duration_seconds", "From acceptance to the end of the answer.",
            milliseconds: (0...13).map { 10 << $0 })
        timeToFirstToken = seconds(
            "gen_ai_server_time_to_first_token_seconds", "From acceptance to the first event with content.",
            milliseconds: [1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000])
        timePerOutputToken = seconds(
            "gen_ai_server_time_per_output_token_seconds", "Between output tokens after the first.",
            milliseconds: [10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2500])
    }

    func finished(_ entry: UsageEntry) {
        let request = entry.request
        requestCounter(RequestKey(statusClass: request.httpStatus / 100, outcome: request.outcome)).increment()
        if let end = request.marks.end { duration.observe(end) }
        if let first = request.marks.firstToken { timeToFirstToken.observe(first) }
        for attempt in entry.attempts {
            usageCounter(UsageKey(source: attempt.usageSource, termination: attempt.termination)).increment()
            guard attempt.usageSource != .nothing else { continue }
            inputTokens.observe(attempt.buckets.inputTotal)
            outputTokens.observe(attempt.buckets.outputTotal)
            let output = attempt.buckets.outputTotal
            if let first = attempt.marks.firstToken, let last = attempt.marks.lastToken, output > 1 {
                timePerOutputToken.observe((last - first) / (output - 1))
            }
        }
    }

    private func requestCounter(_ key: RequestKey) -> Counter {
        if let counter = requests[key] { return counter }
        let counter = registry.counter(
            "tollgate_requests_total", help: "Requests that ended, by what became of them.",
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
            "tollgate_attempts_total", help: "Attempts, by where their usage comes from and how they ended.",
            labels: [
                "gen_ai_operation_name": operation, "gen_ai_request_model": model,
                "usage_source": key.source.rawValue, "termination": key.termination.rawValue,
            ])
        usage[key] = counter
        return counter
    }
}
