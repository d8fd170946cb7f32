import FoundationEssentials
import NIOHTTP1
import Synchronization

/// What all connections of a simulator share: its settings and its book.
final class Engine: Sendable {
    let configuration: SimulatedEngine.Configuration
    let log: RequestLog
    let control: ControlPanel

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

/// A request as it came: head and whole body.
struct Exchange {
    let head: HTTPRequestHead
    let body: [UInt8]

    /// The path without its query.
    var path: Substring { head.uri.prefix { $0 != "?" } }

    /// A parameter of the query, not percent-decoded: none that this engine takes needs it.
    func query(_ name: String) -> String? {
        let query = head.uri.drop { $0 != "?" }.dropFirst()
        for pair in query.split(separator: "&") where pair.hasPrefix("\(name)=") {
            return String(pair.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}

/// An answer that is there at once.
struct PreparedAnswer: Sendable, Equatable {
    var status = 200
    var contentType = "application/json"
    var headers: [String: String] = [:]
    var body: String

    static let unauthorized = PreparedAnswer(status: 401, body: #"{"error":"Unauthorized"}"#)
    static let notFound = PreparedAnswer(status: 404, body: #"{"detail":"Not Found"}"#)
    static let methodNotAllowed = PreparedAnswer(status: 405, body: #"{"detail":"Method Not Allowed"}"#)
}

/// What a connection does with a request.
enum Reply {
    case prepared(PreparedAnswer)
    case generate(GenerationOrder)
}

/// A generation that is ready to run: its line in the book is open.
struct GenerationOrder: Sendable {
    enum Content: Sendable {
        /// An answer that is sent after so many microseconds, without tokens.
        case refusal(PreparedAnswer, after: Int)
        case plain(GenerationPlan, body: String)
        case stream(AnswerTemplate)
    }

    let entry: ServedRequest
    let content: Content
}

extension Engine {
    /// Decides what becomes of a request.
    func reply(to exchange: Exchange) -> Reply {
        if exchange.path.hasPrefix("/v1/"), let apiKey = configuration.apiKey,
            exchange.head.headers.first(name: "authorization") != "Bearer \(apiKey)"
        {
            return .prepared(.unauthorized)
        }
        switch (exchange.head.method, exchange.path) {
        case (.POST, "/v1/chat/completions"): return .generate(order(.chat, exchange))
        case (.POST, "/v1/completions"): return .generate(order(.completions, exchange))
        case (.POST, "/v1/embeddings"): return .generate(order(.embeddings, exchange))
        case (.GET, "/v1/models"): return .prepared(PreparedAnswer(body: modelList()))
        case (.GET, "/health"): return .prepared(PreparedAnswer(body: ""))
        case (.POST, "/tokenize"): return .prepared(tokenize(exchange))
        case (_, let path) where path.hasPrefix("/simulator/"): return .prepared(controlAnswer(exchange))
        case (_, "/v1/chat/completions"), (_, "/v1/completions"), (_, "/v1/embeddings"):
            return .prepared(.methodNotAllowed)
        default: return .prepared(.notFound)
        }
    }

    private func order(_ operation: Operation, _ exchange: Exchange) -> GenerationOrder {
        let requestID = exchange.head.headers.first(name: "x-request-id") ?? ""
        do throws(EngineError) {
            let request = try read(operation, exchange)
            let behavior = try settings(for: request, exchange)
            if behavior.errorStatus != 0 {
                return refusal(Self.failure(behavior), request, requestID, after: behavior.firstByteMilliseconds * 1000)
            }
            return accepted(request, behavior, requestID)
        } catch {
            let answer = PreparedAnswer(status: error.status, body: error.json)
            return refusal(answer, EngineRequest.unreadable(operation), requestID, after: 0)
        }
    }

    private func read(_ operation: Operation, _ exchange: Exchange) throws(EngineError) -> EngineRequest {
        let body: JSONValue
        do throws(JSONSyntaxError) {
            body = try JSONReader.read(exchange.body)
        } catch {
            throw .badRequest("JSON decode error: \(error.reason)", "body.\(error.offset)")
        }
        let request = try EngineRequest(
            operation: operation, body: body, contextTokensMax: configuration.contextTokensMax
        )
        guard configuration.servesUnlistedModels || configuration.models.contains(request.model) else {
            let known = configuration.models.joined(separator: ", ")
            throw EngineError(
                status: 404, type: "NotFoundError",
                message: "The model `\(request.model)` does not exist. Valid: \(known).", parameter: "model"
            )
        }
        return request
    }

    private func settings(for request: EngineRequest, _ exchange: Exchange) throws(EngineError) -> Behavior {
        do throws(SettingError) {
            var behavior = try control.behavior(for: request, now: Self.now())
            for header in exchange.head.headers["x-simulator"] { try behavior.apply(settings: header) }
            if let marked = request.markedSettings { try behavior.apply(settings: marked) }
            return behavior
        } catch {
            throw .badRequest("simulator: \(error.description)", "x-simulator")
        }
    }

    private static func failure(_ behavior: Behavior) -> PreparedAnswer {
        let type =
            switch behavior.errorStatus {
            case 400: "BadRequestError"
            case 429: "RateLimitError"
            case 503: "ServiceUnavailableError"
            default: "InternalServerError"
            }
        let message = behavior.errorMessage ?? "the simulator was told to answer \(behavior.errorStatus)"
        let error = EngineError(status: behavior.errorStatus, type: type, message: message)
        var answer = PreparedAnswer(status: behavior.errorStatus, body: behavior.errorBody ?? error.json)
        if let seconds = behavior.retryAfterSeconds { answer.headers["retry-after"] = String(seconds) }
        return answer
    }

    private func refusal(
        _ answer: PreparedAnswer, _ request: EngineRequest, _ requestID: String, after: Int
    ) -> GenerationOrder {
        let entry = open(request, requestID, plan: nil, tierServed: nil)
        return GenerationOrder(entry: entry, content: .refusal(answer, after: after))
    }

    private func accepted(_ request: EngineRequest, _ behavior: Behavior, _ requestID: String) -> GenerationOrder {
        let plan = GenerationPlan(
            request: request, behavior: behavior, seed: configuration.seed,
            contextTokensMax: configuration.contextTokensMax
        )
        let tier = behavior.servedTier ?? request.serviceTier.map { $0 == "auto" ? "default" : $0 }
        let entry = open(request, requestID, plan: plan, tierServed: tier)
        let id = Hash.hex(Hash.mix(configuration.seed &+ UInt64(entry.sequence)))
        let created = entry.startedMilliseconds / 1000
        let model = behavior.servedModel ?? request.model
        if request.operation == .embeddings {
            let template = EmbeddingsTemplate(
                plan: plan, id: "embd-\(id)", created: created, model: model, inputs: request.promptTokens.count,
                dimensions: request.dimensions ?? EmbeddingsTemplate.dimensionsDefault, base64: request.base64,
                seed: Hash.mix(configuration.seed ^ request.promptHash)
            )
            return GenerationOrder(entry: entry, content: .plain(plan, body: template.body()))
        }
        let prefix = request.operation == .chat ? "chatcmpl" : "cmpl"
        let template = AnswerTemplate(
            plan: plan, id: "\(prefix)-\(id)", created: created, model: model, servedTier: tier
        )
        let content: GenerationOrder.Content =
            request.streamed ? .stream(template) : .plain(plan, body: template.plainBody())
        return GenerationOrder(entry: entry, content: content)
    }

    private func open(
        _ request: EngineRequest, _ requestID: String, plan: GenerationPlan?, tierServed: String?
    ) -> ServedRequest {
        log.open { sequence in
            ServedRequest(
                sequence: sequence, requestID: requestID, operation: request.operation, model: request.model,
                tierRequested: request.serviceTier, tierServed: tierServed, streamed: request.streamed,
                promptTokens: plan?.promptTokens ?? 0, cachedTokens: plan?.cachedTokens ?? 0,
                cacheWriteTokens: plan?.cacheWriteTokens ?? 0, startedMilliseconds: Self.now()
            )
        }
    }

    private func modelList() -> String {
        let models = configuration.models.map { model in
            JSONText.object([
                "id": JSONText.quoted(model), "object": "\"model\"", "created": "0", "owned_by": "\"simulator\"",
                "max_model_len": String(configuration.contextTokensMax),
            ])
        }
        return "{\"object\":\"list\",\"data\":[\(models.joined(separator: ","))]}"
    }

    private func tokenize(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            // A text is counted as a completion's prompt, messages as a chat's.
            let chat = try? JSONReader.read(exchange.body)["messages"] != nil
            let request = try read(chat == true ? .chat : .completions, exchange)
            let count = request.promptTokens.reduce(0, +)
            let tokens = (0..<count).map(String.init).joined(separator: ",")
            return PreparedAnswer(
                body: "{\"count\":\(count),\"max_model_len\":\(configuration.contextTokensMax),\"tokens\":[\(tokens)]}"
            )
        } catch {
            return PreparedAnswer(status: error.status, body: error.json)
        }
    }
}
