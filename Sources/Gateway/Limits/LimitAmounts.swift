import Engines
import Limits
import Metering

extension LimitDemand {
    /// What is no text in a prompt (its structure, pictures, sound) counts as at most so many tokens, or a picture's
    /// bytes would take a whole limit.
    private static let otherInputMax = 16_384

    /// The worst case of a request. No token is shorter than a byte.
    init(_ admitted: AdmittedRequest, bodyBytes: Int) {
        let request = admitted.request
        let text = min(request.promptTextBytes, Int64(bodyBytes))
        let input = text + min(Int64(bodyBytes) - text, Int64(LimitDemand.otherInputMax))
        guard request.operation.hasOutputTokens else {
            self.init(inputBound: input, outputBound: 0)
            return
        }
        self.init(
            inputBound: input,
            outputBound: LimitDemand.times(
                request.outputTokensMax ?? admitted.model.outputTokensMax, request.choiceCount),
            outputAsked: LimitDemand.times(request.outputTokensMax ?? 0, request.choiceCount))
    }

    private static func times(_ tokens: Int64, _ choices: Int64) -> Int64 {
        let (product, isOver) = tokens.multipliedReportingOverflow(by: max(choices, 1))
        return isOver ? .max : product
    }
}

extension LimitUsage {
    /// The tokens of all tries and inferences of a request.
    init(_ attempts: [AttemptRecord]) {
        var input: Int64 = 0
        var output: Int64 = 0
        for attempt in attempts where attempt.usageSource != .nothing {
            input += min(attempt.buckets.inputTotal, LimitRule.valueMax)
            output += min(attempt.buckets.outputTotal, LimitRule.valueMax)
        }
        self.init(inputTokens: input, outputTokens: output)
    }
}

extension Operation {
    /// Whether an answer's length is counted in tokens.
    fileprivate var hasOutputTokens: Bool {
        switch self {
        case .chat, .textCompletion, .generateContent, .transcription, .prediction: true
        case .embeddings, .imageGeneration, .speech, .rerank, .countTokens, .batch: false
        }
    }
}
