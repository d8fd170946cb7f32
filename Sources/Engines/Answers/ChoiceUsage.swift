internal import Metering

/// The usage of a stream with several choices, which engines tell in several ways: one count of all at the end (most),
/// one after another for each choice with the whole prompt in each (llama.cpp), or on the chunks of each choice
/// (vLLM's running counts, Moonshot). Which tokens no count has in it yet is known at any time.
struct ChoiceUsage: Sendable {
    private let choiceCount: Int64
    private let promptCount: Int64
    /// Whether the engine is known to count each choice by itself.
    private let addsChoices: Bool

    /// Events with content that no count has in it, by choice.
    private var uncounted: [Int64: Int64] = [:]
    private var finished: [Int64] = []
    /// Usage on the chunks of single choices.
    private var byChoice: [Int64: EngineUsage] = [:]
    private var chunks: Int64 = 0
    private var lastCompletion: Int64 = 0
    private var completionTokens: Int64 = 0
    private var reasoningTokens: Int64 = 0
    private var promptTokens: Int64 = 0
    private var cachedTokens: Int64 = 0

    /// The most choices that are told apart; what is beyond is taken for the last.
    static let choicesMax: Int64 = 256

    init(choiceCount: Int64, promptCount: Int64 = 1, addsChoices: Bool) {
        self.choiceCount = choiceCount
        self.promptCount = promptCount
        self.addsChoices = addsChoices
    }

    private func place(_ choice: Int64) -> Int64 { min(max(0, choice), ChoiceUsage.choicesMax - 1) }

    mutating func noteContent(of choice: Int64, count: Int64) { uncounted[place(choice), default: 0] += count }

    mutating func noteFinish(of choice: Int64) {
        if finished.count < ChoiceUsage.choicesMax { finished.append(place(choice)) }
    }

    /// Events that came after the last count of their choice.
    var uncountedEvents: Int64 { uncounted.values.reduce(0, +) }

    /// Whether another chunk with usage is to be expected.
    private(set) var isMoreExpected = false

    /// Takes the usage on a chunk of one choice: the choices' outputs add up, and each has the whole prompt.
    mutating func take(_ usage: EngineUsage, of choice: Int64, into total: inout EngineUsage?) {
        let choice = place(choice)
        var known = byChoice[choice] ?? EngineUsage()
        if usage.completionTokens ?? -1 >= known.completionTokens ?? 0 { uncounted[choice] = 0 }
        known.update(with: usage)
        byChoice[choice] = known
        isMoreExpected = !finished.isEmpty && finished.count < choiceCount
        guard byChoice.count > 1 else {
            total = known
            return
        }
        var all = total ?? EngineUsage()
        all.update(with: usage)
        var completion: Int64?
        var reasoning: Int64?
        for each in byChoice.values {
            completion = all.sum("completion_tokens", completion, each.completionTokens)
            reasoning = all.sum("reasoning_tokens", reasoning, each.reasoningTokens)
        }
        all.hasFallen = byChoice.values.contains { $0.hasFallen }
        all.completionTokens = completion
        all.reasoningTokens = reasoning
        all.totalTokens = nil
        total = all
    }

    /// Takes the usage on a chunk without choices, after so many events with content.
    mutating func take(_ usage: EngineUsage, contentEvents: Int64, into total: inout EngineUsage?) {
        // What single choices said is in it.
        if !byChoice.isEmpty, chunks == 0 { total = nil }
        byChoice = [:]
        if total == nil { total = EngineUsage() }
        let hasFallen = total?.hasFallen ?? false
        total?.update(with: usage)
        // Another choice may have written less.
        total?.hasFallen = hasFallen
        guard let completion = usage.completionTokens else { return }
        chunks += 1
        let isAnother =
            addsChoices || contentEvents == 0 || completionTokens < contentEvents || completion != lastCompletion
        lastCompletion = completion
        if chunks == 1 {
            completionTokens = completion
            reasoningTokens = usage.reasoningTokens ?? 0
            promptTokens = usage.promptTokens ?? 0
            cachedTokens = usage.cachedTokens ?? 0
        } else if chunks <= choiceCount, isAnother {
            completionTokens = completionTokens.addingReportingOverflow(completion).partialValue
            reasoningTokens = reasoningTokens.addingReportingOverflow(usage.reasoningTokens ?? 0).partialValue
            total?.completionTokens = completionTokens
            if usage.reasoningTokens != nil { total?.reasoningTokens = reasoningTokens }
            total?.totalTokens = nil
            if promptCount > 1 { addPrompt(of: usage, into: &total) }
        }
        isMoreExpected = addsChoices && chunks < choiceCount
        let isOfAll = completionTokens >= contentEvents || !addsChoices && finished.count >= choiceCount
        if isOfAll && !isMoreExpected || chunks >= choiceCount {
            uncounted = [:]
        } else if completion > 0, Int(chunks) <= finished.count {
            uncounted[finished[Int(chunks) - 1]] = 0
        }
    }

    /// Each choice's usage has its own prompt in it, and choices of the same prompt have the same.
    private mutating func addPrompt(of usage: EngineUsage, into total: inout EngineUsage?) {
        promptTokens = promptTokens.addingReportingOverflow(usage.promptTokens ?? 0).partialValue
        cachedTokens = cachedTokens.addingReportingOverflow(usage.cachedTokens ?? 0).partialValue
        let choicesEach = max(1, chunks / promptCount)
        total?.promptTokens = promptTokens / choicesEach
        if usage.cachedTokens != nil { total?.cachedTokens = cachedTokens / choicesEach }
    }
}
