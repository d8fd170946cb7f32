import FoundationEssentials
import NIOHTTP1

/// What all connections of a simulator share: its settings and its book.
final class Engine: Sendable {
    let configuration: SimulatedEngine.Configuration
    let log: RequestLog
    let control: ControlPanel
    let predictions = Predictions()
    let backgroundResponses = BackgroundResponses()
    let files = Files()
    let batches = Batches()

    init(configuration: SimulatedEngine.Configuration) {
        self.configuration = configuration
        log = RequestLog(entriesMax: configuration.rememberedRequestsMax)
        control = ControlPanel(base: configuration.behavior)
    }

    /// Milliseconds since 1970.
    static func now() -> Int {
        Int(Date().timeIntervalSince1970 * 1000)
    }
}

/// What a connection does with a request.
enum Reply {
    case prepared(PreparedAnswer)
    case generate(GenerationOrder)
}

/// A generation that is ready to run: its line in the book is open.
struct GenerationOrder: Sendable {
    enum Content: Sendable {
        /// An answer that is sent after so many microseconds, without tokens; nil closes the connection.
        case refusal(PreparedAnswer?, after: Int)
        case plain(any AnswerTemplate)
        case stream(any AnswerTemplate)
    }

    let entry: ServedRequest
    let content: Content
    /// How an error in place of the answer is worded.
    var envelope = ErrorEnvelope.openai
    /// Whether it has a line in the book of its own.
    var isRecorded = true
}

extension Engine {
    /// Decides what becomes of a request.
    func reply(to exchange: Exchange) -> Reply {
        let segments = exchange.path.split(separator: "/", omittingEmptySubsequences: false)
        var pathIsKnown = false
        for route in Self.routes {
            guard let parameters = route.match(segments) else { continue }
            pathIsKnown = true
            guard route.method == exchange.head.method else { continue }
            var exchange = exchange
            exchange.parameters = parameters
            if let apiKey = configuration.apiKey, let scheme = route.credentials,
                !scheme.admits(exchange, apiKey: apiKey)
            {
                return .prepared(Self.unauthorized(route))
            }
            switch route.action {
            case .generate(let dialect): return .generate(order(dialect, exchange))
            case .answer(let answer): return .prepared(answer(self, exchange))
            case .reply(let reply): return reply(self, exchange)
            }
        }
        if exchange.path.hasPrefix("/simulator/") { return .prepared(controlAnswer(exchange)) }
        return .prepared(pathIsKnown ? .methodNotAllowed : .notFound)
    }

    /// OpenAI's family answers as vLLM does, others in their own words.
    private static func unauthorized(_ route: Route) -> PreparedAnswer {
        guard case .generate(let dialect) = route.action else { return .unauthorized }
        if case .openai = dialect.envelope { return .unauthorized }
        return dialect.envelope.answer(
            EngineError(status: 401, message: "the simulator did not find its key in this request"))
    }

    /// Reads a request and settles how it will be served.
    func order(_ dialect: any Dialect, _ exchange: Exchange) -> GenerationOrder {
        let requestID = exchange.header("x-request-id") ?? ""
        do throws(EngineError) {
            let (request, behavior) = try read(dialect, exchange)
            if behavior.hangsUp {
                return refusal(nil, request, requestID, after: behavior.firstByteMilliseconds * 1000)
            }
            if behavior.errorStatus != 0 {
                let message = behavior.errorMessage ?? "the simulator was told to answer \(behavior.errorStatus)"
                let error = EngineError(status: behavior.errorStatus, message: message)
                let answer = dialect.envelope.answer(error, behavior)
                return refusal(answer, request, requestID, after: behavior.firstByteMilliseconds * 1000)
            }
            return accepted(dialect, request, behavior, requestID)
        } catch {
            return refusal(dialect.envelope.answer(error), .unreadable(dialect.operation), requestID, after: 0)
        }
    }

    /// A request and the settings in force for it.
    func read(
        _ dialect: any Dialect, _ exchange: Exchange
    ) throws(EngineError) -> (request: EngineRequest, behavior: Behavior) {
        let lengths = LengthReading(control.lengthReading)
        var shown = exchange
        shown.hidesLengths = lengths != nil
        var request = try dialect.read(shown, contextTokensMax: configuration.contextTokensMax)
        if let lengths { request.takeLengths(try exchange.object(), by: lengths) }
        request.origin = exchange.origin
        guard
            configuration.servesUnlistedModels || request.model.isEmpty || configuration.models.contains(request.model)
        else {
            let known = configuration.models.joined(separator: ", ")
            throw EngineError(
                status: 404, message: "The model `\(request.model)` does not exist. Valid: \(known).",
                parameter: "model")
        }
        let behavior = try settings(for: request, exchange)
        if behavior.flavour == .trtllm { try request.refuseWhatTensorRTForbids() }
        return (request, behavior)
    }

    private func settings(for request: EngineRequest, _ exchange: Exchange) throws(EngineError) -> Behavior {
        do throws(SettingError) {
            var behavior = try control.behavior(for: request, now: Self.now())
            if let implied = request.impliedFlavour, behavior.flavour == .vllm { behavior.flavour = implied }
            for header in exchange.head.headers["x-simulator"] { try behavior.apply(settings: header) }
            if let marked = request.markedSettings { try behavior.apply(settings: marked) }
            return behavior
        } catch {
            throw .badRequest("simulator: \(error.description)", "x-simulator")
        }
    }

    private func refusal(
        _ answer: PreparedAnswer?, _ request: EngineRequest, _ requestID: String, after: Int
    ) -> GenerationOrder {
        let entry = open(request, requestID, plan: nil, tierServed: nil)
        return GenerationOrder(entry: entry, content: .refusal(answer, after: after))
    }

    private func accepted(
        _ dialect: any Dialect, _ request: EngineRequest, _ behavior: Behavior, _ requestID: String
    ) -> GenerationOrder {
        let sheet: AnswerSheet
        let entry: ServedRequest
        (sheet, entry) = serve(request, behavior, requestID)
        let template = dialect.template(sheet)
        return GenerationOrder(
            entry: entry, content: request.streamed || request.flows ? .stream(template) : .plain(template),
            envelope: dialect.envelope)
    }

    /// Opens the line in the book of a request that will be served.
    func serve(
        _ request: EngineRequest, _ behavior: Behavior, _ requestID: String, isBatch: Bool = false
    ) -> (sheet: AnswerSheet, entry: ServedRequest) {
        let plan = GenerationPlan(
            request: request, behavior: behavior, seed: configuration.seed,
            contextTokensMax: configuration.contextTokensMax
        )
        let tier = behavior.servedTier ?? request.serviceTier.map { $0 == "auto" ? "default" : $0 }
        let entry = open(request, requestID, plan: plan, tierServed: tier, isBatch: isBatch)
        let fallback = behavior.innerInferences == .fallback ? request.model + "-fallback" : nil
        let sheet = AnswerSheet(
            plan: plan, request: request, id: Hash.hex(Hash.mix(configuration.seed &+ UInt64(entry.sequence))),
            startedMilliseconds: entry.startedMilliseconds,
            model: behavior.servedModel ?? fallback ?? request.model, servedTier: tier)
        return (sheet, entry)
    }

    private func open(
        _ request: EngineRequest, _ requestID: String, plan: GenerationPlan?, tierServed: String?,
        isBatch: Bool = false
    ) -> ServedRequest {
        // Counting a prompt is not serving it.
        let plan = request.operation == .countTokens ? nil : plan
        return log.open { sequence in
            ServedRequest(
                sequence: sequence, requestID: requestID, operation: request.operation, model: request.model,
                tierRequested: request.serviceTier, tierServed: tierServed, streamed: request.streamed,
                isBatch: isBatch, plan: plan, startedMilliseconds: Self.now())
        }
    }
}

extension EngineRequest {
    /// TensorRT-LLM's schema is closed: it takes no option of a stream and no member that it does not know.
    func refuseWhatTensorRTForbids() throws(EngineError) {
        let options: Set = ["include_usage", "continuous_usage_stats"]
        if let unknown = streamOptions.first(where: { !options.contains($0) }) {
            throw .badRequest("Extra inputs are not permitted", "stream_options.\(unknown)")
        }
        let known: Set = [
            "best_of", "chat_template_kwargs", "dimensions", "encoding_format", "end_id", "frequency_penalty",
            "ignore_eos", "input", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages",
            "min_p", "min_tokens", "model", "n", "presence_penalty", "priority", "prompt", "repetition_penalty",
            "response_format", "seed", "stop", "stop_token_ids", "stream", "stream_options", "temperature",
            "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "user",
        ]
        if let unknown = members.first(where: { !known.contains($0) }) {
            throw .badRequest("Extra inputs are not permitted", unknown)
        }
    }
}
