internal import Metering

extension AnswerFacts {
    /// The facts with the models of a compound system sorted into what the answer's own usage includes and what not.
    ///
    /// Where the models add up to the answer's usage, it is their sum and nothing is left for itself. Where one model's
    /// counts are the answer's own, the others are beside it. Where they add up to less, the rest is the answer's own.
    /// Anything else contradicts itself.
    var withComponentsSettled: AnswerFacts {
        guard !components.isEmpty else { return self }
        var facts = self
        facts.components = []
        guard let usage, let input = usage.promptTokens, let output = usage.completionTokens,
            AnswerFacts.plausible(input) == input, AnswerFacts.plausible(output) == output
        else {
            // Nothing is said of the whole: the parts are all there is.
            facts.usage = EngineUsage(promptTokens: 0, completionTokens: 0, raw: usage?.raw ?? [])
            facts.inferences += components
            return facts
        }
        let inputs = components.reduce(Int64(0)) { $0 + AnswerFacts.plausible($1.usage.promptTokens) }
        let outputs = components.reduce(Int64(0)) { $0 + AnswerFacts.plausible($1.usage.completionTokens) }
        if components.count == 1, inputs == input, outputs == output {
            // One model did it all: the answer's own inference, under the model's own name.
            facts.model = components[0].model ?? model
        } else if inputs == input, outputs == output {
            facts.usage = EngineUsage(promptTokens: 0, completionTokens: 0, raw: usage.raw)
            facts.usage?.timings = usage.timings
            facts.inferences += components
        } else if let own = components.firstIndex(where: {
            $0.usage.promptTokens == input && $0.usage.completionTokens == output
        }) {
            var others = components
            others.remove(at: own)
            facts.inferences += others
        } else if inputs <= input, outputs <= output {
            facts.usage = EngineUsage(promptTokens: input - inputs, completionTokens: output - outputs, raw: usage.raw)
            facts.usage?.timings = usage.timings
            facts.inferences += components
        } else {
            // The one with fewer tokens counts: the whole, or its parts.
            if inputs + outputs < input + output {
                facts.usage = EngineUsage(promptTokens: 0, completionTokens: 0, raw: usage.raw)
                facts.inferences += components
            }
            facts.usage?.contradiction =
                "usage_breakdown (\(inputs) in, \(outputs) out) is neither within usage nor beside it"
        }
        return facts
    }

    /// A count as far as it can be true.
    private static func plausible(_ count: Int64?) -> Int64 { min(max(0, count ?? 0), TokenBuckets.bucketMax) }
}

extension EngineUsage {
    /// Usage of so many tokens and nothing else.
    fileprivate init(promptTokens: Int64, completionTokens: Int64, raw: [UInt8]) {
        self.init()
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.raw = raw
    }
}
