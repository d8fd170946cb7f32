internal import Metering

/// What a usage object says of its prompt and of its output under several names that do not agree. Which of them is
/// meant the total may show; where it does not, the fewer tokens count, and it is noted.
struct NamedRivals: Sendable {
    private var prompts: [Int64] = []
    private var completions: [Int64] = []
    private var hasImpossible = false

    /// No dialect has more names for one count.
    private static let valuesMax = 4

    /// Two counts of the same. Engines fill members that they do not use with zeros: these say nothing.
    mutating func note(_ count: UsageCount, _ known: Int64, _ other: Int64) {
        guard known != other, known != 0, other != 0 else { return }
        switch count {
        case .prompt: add([known, other], to: \.prompts)
        case .completion: add([known, other], to: \.completions)
        default: break
        }
    }

    /// What cannot be true is not the fewer.
    private mutating func add(_ values: [Int64], to list: WritableKeyPath<NamedRivals, [Int64]>) {
        for value in values {
            guard (0...TokenBuckets.bucketMax).contains(value) else {
                hasImpossible = true
                continue
            }
            let isKnown = self[keyPath: list].contains(value)
            if !isKnown, self[keyPath: list].count < NamedRivals.valuesMax { self[keyPath: list].append(value) }
        }
    }

    /// Decides between the counts that were said.
    func settle(_ usage: inout EngineUsage) {
        if hasImpossible {
            usage.contradiction = usage.contradiction ?? "a count is negative or larger than \(TokenBuckets.bucketMax)"
        }
        let prompts = prompts.isEmpty ? [usage.promptTokens].compactMap { $0 } : prompts
        let completions = completions.isEmpty ? [usage.completionTokens].compactMap { $0 } : completions
        guard prompts.count > 1 || completions.count > 1 else { return }
        if let most = prompts.max(), let fewest = prompts.min(), most > fewest, completions.count < 2,
            most - fewest == usage.cacheSaid
        {
            // One name counts the caches in, the other does not.
            usage.promptTokens = usage.rule == .cacheApart ? fewest : most
            return
        }
        usage.contradiction = usage.contradiction ?? "the prompt or the output has different lengths under two names"
        let pairs = prompts.flatMap { prompt in completions.map { (prompt, $0) } }
        if let pair = pairs.first(where: { $0.0.addingReportingOverflow($0.1).partialValue == usage.totalTokens }) {
            (usage.promptTokens, usage.completionTokens) = pair
            return
        }
        usage.promptTokens = prompts.min()
        usage.completionTokens = completions.min()
        usage.longerCompletionTokens = completions.count > 1 ? completions.max() : nil
        usage.totalTokens = nil
    }
}

extension EngineUsage {
    /// What caches served and took, as far as it can be true.
    fileprivate var cacheSaid: Int64 {
        [cachedTokens, cacheWriteTokens].reduce(0) { $0 + min(max(0, $1 ?? 0), TokenBuckets.bucketMax) }
    }
}
