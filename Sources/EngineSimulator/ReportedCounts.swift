/// The counts that an answer reports: the true ones, or wrong in the way that the settings choose.
struct ReportedCounts: Sendable {
    private let reporting: Behavior.UsageReporting
    /// All of the prompt.
    let prompt: Int
    let cached: Int
    let cacheWrite: Int
    let cacheWriteHour: Int
    let promptAudio: Int
    let promptImage: Int
    /// All that was generated, reasoning included.
    let completion: Int
    let reasoning: Int
    /// What is added to a total.
    let excess: Int

    /// - Parameter completionTokens: of all choices, so far.
    init(_ plan: GenerationPlan, completionTokens: Int) {
        reporting = plan.behavior.usage
        let isZero = reporting == .zero
        prompt = isZero ? 0 : plan.promptTokens
        cached = isZero ? 0 : reporting == .cachedOverPrompt ? plan.promptTokens + 11 : plan.cachedTokens
        cacheWrite = isZero ? 0 : plan.cacheWriteTokens
        cacheWriteHour = isZero ? 0 : plan.cacheWriteHourTokens
        promptAudio = isZero ? 0 : plan.promptAudioTokens
        promptImage = isZero ? 0 : plan.promptImageTokens
        let produced = isZero ? 0 : completionTokens
        completion = reporting == .negative ? -max(1, produced) : produced
        let over = reporting == .reasoningOverCompletion
        reasoning = over ? completionTokens + 5 : min(plan.reasoningTokens, produced)
        excess = reporting == .wrongTotal ? 7 : 0
    }

    /// Of the prompt, what is neither read from nor written to a cache.
    var uncached: Int { prompt - cached - cacheWrite - cacheWriteHour }
    /// All writes.
    var cacheWrites: Int { cacheWrite + cacheWriteHour }
    /// What the client sees.
    var visible: Int { completion - reasoning }
    var total: Int { prompt + completion + excess }

    /// A number as the answer writes it.
    func text(_ number: Int) -> String {
        switch reporting {
        case .quoted: "\"\(number)\""
        case .fractional: "\(number).5"
        case .huge: "\(max(1, number))00000000000000000000"
        default: String(number)
        }
    }
}
