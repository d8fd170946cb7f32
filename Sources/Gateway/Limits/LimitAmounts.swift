import Accounts
import Engines
import Limits
import Metering

extension LimitDemand {
    /// The worst case of a request: no token is shorter than a byte, and no answer longer than the largest meaning that
    /// one of the engines which may serve it gives the request's words.
    init(_ admitted: AdmittedRequest, bodyBytes: Int) {
        let request = admitted.request
        let input = request.input.tokensMax(inBody: Int64(bodyBytes))
        guard request.operation.hasOutputTokens else {
            self.init(inputBound: input, outputBound: 0)
            return
        }
        let asked = request.outputTokensMax(on: admitted.routes.lazy.map(\.backend.kind))
        self.init(
            inputBound: input,
            outputBound: LimitDemand.times(asked ?? admitted.model.outputTokensMax, request.choiceCount),
            outputAsked: LimitDemand.times(asked ?? 0, request.choiceCount),
            outputNamed: LimitDemand.times(
                request.outputTokensNamed(longest: admitted.model.outputTokensMax), request.choiceCount),
            answers: AnswerKey(key: admitted.grant.keyID, model: admitted.model.publicName),
            choices: request.choiceCount)
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
