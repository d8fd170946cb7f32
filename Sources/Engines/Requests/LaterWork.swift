internal import Identity
public import Metering

// Work that goes on after its receipt: a prediction that was created, a response in the background. What it comes to
// stands in its document once it has ended. Whoever ordered it is billed for it, whether the client asks again, follows
// its stream, or never comes back.

extension EngineKind {
    /// Whether a response in the background can be asked after.
    public var hasBackgroundResponses: Bool {
        switch self {
        case .openAI, .azure, .openAICompatible, .vllm: true
        case .anthropic, .tensorRTLLM, .triton, .tgi, .llamaCpp, .groq, .sambaNova, .tenstorrent, .sageMaker,
            .bedrock, .vertex, .gemini, .together, .replicate, .rayServe, .nim, .deepSeek, .xai, .cerebras,
            .openRouter:
            false
        }
    }

    /// Whether it keeps responses and shows them again by their ids.
    public var keepsResponses: Bool {
        switch self {
        case .openAI, .azure, .openAICompatible, .vllm, .tensorRTLLM, .nim, .xai: true
        // Without a memory, or without the API.
        case .groq, .openRouter, .llamaCpp, .sambaNova, .together, .tgi, .triton, .rayServe, .tenstorrent, .deepSeek,
            .cerebras, .anthropic, .gemini, .vertex, .bedrock, .sageMaker, .replicate:
            false
        }
    }
}

extension Backend {
    /// Where the document of work in this form is; nil for an id that might lead elsewhere, however it is escaped.
    public func target(ofWork id: String, surface: Surface) -> UpstreamTarget? {
        guard !["", ".", ".."].contains(id), !id.utf8.contains(where: { $0 < 0x20 || "/\\?#%".utf8.contains($0) })
        else { return nil }
        let segment = PercentEncoding.encoded(id)
        return switch surface {
        case .replicatePredictions: UpstreamTarget(method: "GET", path: "\(basePath)/v1/predictions/\(segment)")
        case .responses: target(of: .responses, method: "GET", rest: "/" + segment, query: "")
        default: nil
        }
    }
}

extension InferenceRequest {
    /// A request as far as its open record tells it, to read its answer by. `tier` is the one that was asked for.
    public init(
        of surface: Surface, model: String, tier: String = "standard", pictureModel: String? = nil
    ) {
        self.init(surface: surface)
        self.model = model
        serviceTier = tier
        self.pictureModel = pictureModel
    }

    /// The request as far as the answer of work is read and billed by it that ends later: without its places in a body
    /// that is gone.
    public var ofLaterWork: InferenceRequest {
        var kept = InferenceRequest(surface: surface)
        kept.model = model
        kept.serviceTier = serviceTier
        kept.pictureModel = pictureModel
        kept.countsPicturesInTokens = countsPicturesInTokens
        kept.choiceCount = choiceCount
        kept.promptCount = promptCount
        kept.input = input
        kept.bodyMeasures = bodyMeasures
        return kept
    }

    /// Whether its answer may be a receipt, so that the work has to be asked after.
    public var endsLater: Bool {
        switch surface {
        case .replicatePredictions: native?.isInference != false
        case .responses: isBackground
        default: false
        }
    }

    /// Whether an answer that is left before its end may be whole at such an engine later, where its client can fetch
    /// it.
    public func mayBeFetchedLater(from kind: EngineKind) -> Bool {
        surface == .responses && isKept && kind.keepsResponses
    }
}

extension AnswerFacts {
    /// Takes text that came with a failure.
    public mutating func takeGenerated(bytes: Int64) { textBytes += bytes }

    /// Bytes of text that came, piece by piece or whole.
    public var textBytesSeen: Int64 { max(textBytes, contentBytes) }

    /// Whether what this document of a response comes to (`told`) stands in the place of what its client left with.
    /// Of one that its engine ended itself the engine's count is the last word, unless much more was delivered; one
    /// that was cut short may be counted before its last words were sent, so that the larger is what came.
    public func replaces(_ left: some Sequence<AttemptRecord>, by told: some Sequence<AttemptRecord>) -> Bool {
        func output(_ attempts: some Sequence<AttemptRecord>) -> Int64 {
            attempts.reduce(0) { $0 + min($1.buckets.outputTotal, TokenBuckets.bucketMax) }
        }
        let said = output(told)
        let delivered = output(left)
        // Two estimates of the same text differ a little.
        guard told.contains(where: { $0.usageSource == .engine }) else {
            return UsageFilling.isUnderreported(delivered, delivered: said)
        }
        if said > delivered { return true }
        return finishReason != "cancelled" && usage?.completionTokens != nil
            && !UsageFilling.isUnderreported(said, delivered: delivered)
    }

    /// Whether the document of such work says that it is over.
    public var hasEndedLater: Bool {
        switch finishReason {
        case nil, "queued", "in_progress": false
        default: true
        }
    }

    /// What other documents of the same work showed is what it costs at least, in whatever order they came: an engine
    /// that drops the output of what was cancelled had made it all the same.
    public mutating func keep(seen: AnswerFacts) {
        takeRepeated(seen.written)
        textBytes = max(textBytes, seen.textBytesSeen)
        items = max(items, seen.items)
        units.raise(to: seen.units)
        hasRun = hasRun || seen.hasRun
        id = id ?? seen.id
        model = model ?? seen.model
        serviceTier = serviceTier ?? seen.serviceTier
        if toolUsage.isEmpty { toolUsage = seen.toolUsage }
        if inferences.isEmpty { inferences = seen.inferences }
        guard var usage = seen.usage else { return }
        if let own = self.usage { usage.update(with: own) }
        self.usage = usage
    }

    /// What a stream of such work has shown, as a document of it would.
    public init(seenIn stream: AnswerFacts) {
        self.init()
        rules = stream.rules
        keep(seen: stream)
        finishReason = stream.finishReason
        endsInFailure = stream.endsInFailure
        hasError = stream.hasError
        error = stream.error
    }

    /// Whether the work failed: a response that failed or expired, a prediction that says so.
    public func hasFailedLater(_ surface: Surface) -> Bool {
        if surface == .responses { return finishReason == "failed" || finishReason == "expired" }
        return hasError && finishReason == "failed"
    }

    /// Whether work that failed without a fault of the provider's is owed: a response is not, whatever it used, as
    /// plain ones are not. A prediction is, for its time on the hardware.
    public func isOwedAlthoughFailed(_ surface: Surface) -> Bool {
        surface != .responses && (usage != nil || !units.isEmpty)
    }

    /// Whether it was understood as an answer: it has counts, something that the model made, or choices without a word.
    public var isMeasurable: Bool {
        let said = usageSaid.map { [$0.promptTokens, $0.completionTokens, $0.totalTokens].contains { $0 != nil } }
        return said == true || choicesSeen > 0 || textBytesSeen > 0 || !written.isEmpty || items > 0
            || contentEvents > 0 || !units.isEmpty || usage?.units.isEmpty == false || !toolUsage.isEmpty
    }

    /// Whether it has come to anything that is owed, as far as it was seen.
    public var hasBegunLater: Bool {
        usage != nil || textBytes > 0 || !written.isEmpty || items > 0 || contentEvents > 0 || !units.isEmpty
    }
}
