/// SageMaker's `POST /endpoints/{name}/invocations` and `/invocations-response-stream`: a container's own form. What
/// has `messages` is OpenAI's chat, what has `inputs` TGI's generate (or LMI's, by flavour).
struct SageMakerDialect: Dialect {
    var streams: Bool

    var operation: Operation { .invocations }
    var credentials: CredentialScheme { .aws(service: "sagemaker") }
    var envelope: ErrorEnvelope { .sageMaker }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        let endpoint = exchange.parameters.first ?? ""
        var request: EngineRequest
        if body["messages"] != nil {
            var members = body.object ?? [:]
            members["model"] = .string(endpoint)
            request = try EngineRequest(
                operation: .invocations, body: .object(members), contextTokensMax: contextTokensMax)
            request.format = "chat"
        } else {
            request = try EngineRequest(
                tgi: body, operation: .invocations, model: endpoint, contextTokensMax: contextTokensMax)
        }
        request.streamed = streams
        try request.checkTGIStream(body)
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate {
        SageMakerTemplate(sheet.request.format == "chat" ? OpenAIChatTemplate(sheet) : TGITemplate(sheet: sheet))
    }
}

/// Puts a container's answer into SageMaker's.
struct SageMakerTemplate: AnswerTemplate {
    private static let variant = ("x-amzn-invoked-production-variant", "primary")

    private var container: any AnswerTemplate

    init(_ container: any AnswerTemplate) {
        self.container = container
    }

    var sheet: AnswerSheet { container.sheet }
    var usageSaid: String? { container.usageSaid }

    /// The container's headers stay behind.
    mutating func plain() -> PreparedAnswer {
        var answer = container.plain()
        answer.headers = [Self.variant.0: Self.variant.1, "x-amzn-requestid": sheet.id]
        return answer
    }

    var stream: StreamHead {
        StreamHead(
            framing: .payloadParts, contentType: "application/vnd.amazon.eventstream",
            headers: [
                Self.variant, ("x-amzn-requestid", sheet.id), ("x-amzn-sagemaker-content-type", "text/event-stream"),
            ])
    }

    mutating func opening(choice: Int) -> [StreamPiece] { container.opening(choice: choice) }
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] { container.tokens(step) }
    mutating func finish(choice: Int) -> [StreamPiece] { container.finish(choice: choice) }
    mutating func usage() -> [StreamPiece] { container.usage() }
    mutating func terminator() -> [StreamPiece] { container.terminator() }

    /// 424 is SageMaker's own word about the container; other errors are the container's.
    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        guard error.status == 424 || error.status == 500 else { return container.failure(error) }
        let isStream = error.status == 424
        let body = JSONText.object([
            "Message": JSONText.quoted(error.message), "ErrorCode": isStream ? "\"StreamBroken\"" : "null",
        ])
        return [.exception(name: isStream ? "ModelStreamError" : "InternalStreamFailure", data: body)]
    }
}
