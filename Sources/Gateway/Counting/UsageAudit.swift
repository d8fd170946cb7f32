import Metering
import Telemetry

/// The drift between engines' usage and the gateway's own count, by backend: sums only, so that a drift shows and no
/// request does. One event loop's; the series are shared by all loops.
final class UsageAudit {
    private struct Series {
        let answers: Counter
        let differing: Counter
        let reportedOutput: Counter
        let countedOutput: Counter
        let reportedInput: Counter
        let countedInput: Counter
    }

    /// By how many tokens of each choice the counts may differ before an answer counts as differing: engines count the
    /// token that ends a text, which no text shows.
    static let toleranceTokens: Int64 = 1

    private let registry: MetricsRegistry
    /// By backend: as many as the catalogue has.
    private var series: [String: Series] = [:]

    init(registry: MetricsRegistry) { self.registry = registry }

    /// Adds an answer. `countedInput` is nil where only the engine knows what stood around the prompt's text.
    func compared(
        backend: String, choices: Int64, reported: TokenBuckets, countedOutput: Int64, countedInput: Int64?
    ) {
        let series = series(of: backend)
        series.answers.increment()
        series.reportedOutput.increment(by: reported.outputTotal)
        series.countedOutput.increment(by: countedOutput)
        let drift = reported.outputTotal - countedOutput
        if abs(drift) > UsageAudit.toleranceTokens * max(1, choices) { series.differing.increment() }
        guard let countedInput else { return }
        series.reportedInput.increment(by: reported.inputTotal)
        series.countedInput.increment(by: countedInput)
    }

    private func series(of backend: String) -> Series {
        if let known = series[backend] { return known }
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter("tollgate_audit_" + name, help: help, labels: ["backend": backend])
        }
        let made = Series(
            answers: counter("answers_total", "Answers whose usage was compared with an own count."),
            differing: counter("differing_answers_total", "Those among them whose output differed."),
            reportedOutput: counter("reported_output_tokens_total", "Output that the engine reported of them."),
            countedOutput: counter("counted_output_tokens_total", "Output that was counted of them."),
            reportedInput: counter("reported_input_tokens_total", "Input reported, where prompts could be counted."),
            countedInput: counter("counted_input_tokens_total", "Input counted, where prompts could be."))
        series[backend] = made
        return made
    }
}
