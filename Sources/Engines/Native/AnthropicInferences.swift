internal import Metering

/// Takes the steps inside an answer apart: which the top level of the usage counts, and which are priced beside it.
///
/// The top level counts all `message` steps; after a model declined and another served, those of the one that served.
/// Compactions, advisors and declined tries are not in it (their tokens are used and billed nonetheless).
struct AnthropicInferences {
    /// The usage of the answer itself.
    let main: EngineUsage
    /// `fallback` when another model than the one asked for served.
    let kind: InferenceKind
    /// The model that served, when the steps name another than the answer began with.
    let model: String?
    /// What is not in it, one for each kind and model.
    let inner: [InnerInference]

    /// - Parameters:
    ///   - iterations: at least one.
    ///   - said: the usage object that held them.
    ///   - merged: what all usage objects of the answer come to.
    init(_ iterations: [AnthropicUsage.Iteration], said: EngineUsage, merged: EngineUsage) {
        let served = iterations.last { $0.kind == .fallback }?.model
        let hasFallback = iterations.contains { $0.kind == .fallback }
        func isServing(_ iteration: AnthropicUsage.Iteration) -> Bool {
            switch iteration.kind {
            case .primary: !hasFallback || (served != nil && iteration.model == served)
            case .fallback: iteration.model == served
            default: false
            }
        }
        kind = hasFallback ? .fallback : .primary
        model = served
        inner = AnthropicInferences.grouped(iterations.filter { !isServing($0) })
        let serving = iterations.filter(isServing).map(\.usage)
        guard !serving.isEmpty else {
            var main = merged
            // Nothing but the steps beside it, and the top level says so: what the start counted was theirs.
            if said.promptTokens == 0, said.completionTokens == 0 { main.takeCounts(of: said) }
            self.main = main
            return
        }
        let sum = EngineUsage.sum(serving)
        var main = merged
        if hasFallback {
            // What the start said was of the model that declined.
            main = sum
            main.replace(with: said)
            main.units = merged.units
        }
        main.promptTokens = main.promptTokens ?? sum.promptTokens
        main.completionTokens = said.completionTokens ?? sum.completionTokens
        if !said.agrees(with: sum) {
            let all = EngineUsage.sum(iterations.map(\.usage))
            if said.agrees(with: all) {
                // A top level that counts everything: what is beside it is not in it twice.
                main.takeCounts(of: sum)
            } else {
                main.contradiction = main.contradiction ?? "the iterations do not add up to the usage around them"
                // Of the two the one with fewer tokens counts.
                let merged = main.buckets().buckets
                let steps = sum.buckets().buckets
                if steps.inputTotal + steps.outputTotal < merged.inputTotal + merged.outputTotal {
                    main.takeCounts(of: sum)
                }
            }
        }
        self.main = main
    }

    private static func grouped(_ iterations: [AnthropicUsage.Iteration]) -> [InnerInference] {
        var groups: [(kind: InferenceKind, model: String?, usages: [EngineUsage])] = []
        for iteration in iterations {
            if let index = groups.firstIndex(where: { $0.kind == iteration.kind && $0.model == iteration.model }) {
                groups[index].usages.append(iteration.usage)
            } else {
                groups.append((iteration.kind, iteration.model, [iteration.usage]))
            }
        }
        return groups.map { InnerInference(kind: $0.kind, model: $0.model, usage: .sum($0.usages)) }
    }
}

extension EngineUsage {
    /// What several inferences of one model come to.
    fileprivate static func sum(_ usages: [EngineUsage]) -> EngineUsage {
        guard var total = usages.first else { return EngineUsage() }
        for usage in usages.dropFirst() {
            total.promptTokens = total.sum("input_tokens", total.promptTokens, usage.promptTokens)
            total.completionTokens = total.sum("output_tokens", total.completionTokens, usage.completionTokens)
            total.cachedTokens = total.sum("cache_read_input_tokens", total.cachedTokens, usage.cachedTokens)
            total.cacheWriteTokens = total.sum(
                "cache_creation_input_tokens", total.cacheWriteTokens, usage.cacheWriteTokens)
            total.cacheWriteHourTokens = total.sum(
                "cache_creation", total.cacheWriteHourTokens, usage.cacheWriteHourTokens)
            total.cacheWriteLongTokens = total.sum(
                "cache_creation", total.cacheWriteLongTokens, usage.cacheWriteLongTokens)
            total.reasoningTokens = total.sum("thinking_tokens", total.reasoningTokens, usage.reasoningTokens)
            total.contradiction = total.contradiction ?? usage.contradiction
        }
        if usages.count > 1 {
            let raw = Array("[".utf8) + usages.map(\.raw).joined(separator: [UInt8(ascii: ",")]) + Array("]".utf8)
            total.raw = raw.count <= AttemptRecord.rawUsageBytesMax ? raw : []
        }
        return total
    }

    /// Whether input and output are those of `other`, as far as both say.
    fileprivate func agrees(with other: EngineUsage) -> Bool {
        func isSame(_ left: Int64?, _ right: Int64?) -> Bool { left == nil || right == nil || left == right }
        return isSame(promptTokens, other.promptTokens) && isSame(completionTokens, other.completionTokens)
    }

    /// Replaces all counts of tokens but those of thinking.
    fileprivate mutating func takeCounts(of other: EngineUsage) {
        promptTokens = other.promptTokens
        completionTokens = other.completionTokens
        cachedTokens = other.cachedTokens
        cacheWriteTokens = other.cacheWriteTokens
        cacheWriteHourTokens = other.cacheWriteHourTokens
        cacheWriteLongTokens = other.cacheWriteLongTokens
    }
}
