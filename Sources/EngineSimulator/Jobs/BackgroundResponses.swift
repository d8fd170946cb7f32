import Synchronization

/// Responses that were created in the background. What is known of one follows from the time that passed.
final class BackgroundResponses: Sendable {
    /// Responses remembered; the oldest go first.
    static let responsesMax = 10_000

    struct Background: Sendable {
        var template: ResponsesTemplate
        var entry: ServedRequest
        /// Milliseconds since 1970; nil when it was not cancelled.
        var cancelledAt: Int?
        var isClosed = false
    }

    private struct State {
        var byID: [String: Background] = [:]
        var order: [String] = []
    }

    private let state = Mutex(State())

    func add(_ response: Background) {
        state.withLock { state in
            let id = response.template.responseID
            state.byID[id] = response
            state.order.append(id)
            if state.order.count > Self.responsesMax { state.byID[state.order.removeFirst()] = nil }
        }
    }

    func find(_ id: String) -> Background? { state.withLock { $0.byID[id] } }

    /// Cancels a response unless it is over.
    func cancel(_ id: String, now: Int) -> Background? {
        state.withLock { state in
            guard var response = state.byID[id] else { return nil }
            if !response.isOver(now: now) { response.cancelledAt = now }
            state.byID[id] = response
            return response
        }
    }

    /// Forgets a response; false where there is none.
    func remove(_ id: String) -> Bool { state.withLock { $0.byID.removeValue(forKey: id) != nil } }

    /// Lines of the book whose responses are over and that nobody has taken from here yet.
    func takeEnded(now: Int) -> [ServedRequest] {
        state.withLock { state in
            var ended: [ServedRequest] = []
            for id in state.order {
                guard let response = state.byID[id], !response.isClosed, response.isOver(now: now) else { continue }
                state.byID[id]?.isClosed = true
                ended.append(response.closedEntry(now: now))
            }
            return ended
        }
    }
}

extension BackgroundResponses.Background {
    private var plan: GenerationPlan { template.plan }

    private func elapsed(now: Int) -> Int {
        ((cancelledAt ?? now) - template.sheet.startedMilliseconds) * 1000
    }

    func isOver(now: Int) -> Bool { !["queued", "in_progress"].contains(status(now: now)) }

    func status(now: Int) -> String {
        let course = plan.plainCourse
        if cancelledAt != nil { return "cancelled" }
        let elapsed = elapsed(now: now)
        if elapsed < plan.firstTokenAt { return "queued" }
        guard course.ending != .stall, elapsed >= course.at else { return "in_progress" }
        return course.ending == .answer ? template.finalStatus : "failed"
    }

    /// Its line of the book, once it is over.
    func closedEntry(now: Int) -> ServedRequest {
        var entry = entry
        var template = template
        let status = status(now: now)
        let isWhole = status == template.finalStatus
        let course = plan.plainCourse
        let tokens = isWhole ? course.tokens : min(course.tokens, plan.tokensGenerated(after: elapsed(now: now)))
        _ = template.background(status)
        entry.status = 200
        entry.completionTokensProduced = tokens
        entry.completionTokensSent = tokens
        entry.reasoningTokens = min(tokens, plan.reasoningTokens)
        entry.usageReported = template.usageSaid
        entry.firstTokenMilliseconds = tokens > 0 ? entry.startedMilliseconds + plan.firstTokenAt / 1000 : 0
        entry.endedMilliseconds = now
        entry.outcome = isWhole ? .complete : status == "cancelled" ? .clientGone : .failed
        return entry
    }
}

extension Engine {
    /// `POST /v1/responses`: with `background` a receipt, else the response.
    func createResponse(_ exchange: Exchange) -> Reply {
        let order = order(ResponsesDialect(), exchange)
        guard (try? exchange.object())?["background"]?.bool == true, case .plain(let made) = order.content,
            var template = made as? ResponsesTemplate
        else { return .generate(order) }
        backgroundResponses.add(BackgroundResponses.Background(template: template, entry: order.entry))
        return .prepared(PreparedAnswer(body: template.background("queued")))
    }

    /// `GET /v1/responses/{id}`, with `stream=true` as its events from the first on.
    func showResponse(_ exchange: Exchange) -> Reply {
        closeEndedResponses()
        guard let response = backgroundResponses.find(exchange.parameters[0]) else {
            return .prepared(Self.noResponse)
        }
        guard exchange.query("stream") == "true" else { return .prepared(Self.answer(response)) }
        return .generate(
            GenerationOrder(
                entry: response.entry, content: .stream(response.template), envelope: .openai, isRecorded: false))
    }

    /// `POST /v1/responses/{id}/cancel`.
    func cancelResponse(_ exchange: Exchange) -> PreparedAnswer {
        guard let response = backgroundResponses.cancel(exchange.parameters[0], now: Self.now()) else {
            return Self.noResponse
        }
        closeEndedResponses()
        return Self.answer(response)
    }

    /// `DELETE /v1/responses/{id}`.
    func deleteResponse(_ exchange: Exchange) -> PreparedAnswer {
        closeEndedResponses()
        let id = exchange.parameters[0]
        guard backgroundResponses.remove(id) else { return Self.noResponse }
        return PreparedAnswer(
            body: "{\"id\":\(JSONText.quoted(id)),\"object\":\"response.deleted\",\"deleted\":true}")
    }

    /// Closes the lines of responses that are over by now.
    func closeEndedResponses() {
        for entry in backgroundResponses.takeEnded(now: Self.now()) { log.close(entry) }
    }

    private static func answer(_ response: BackgroundResponses.Background) -> PreparedAnswer {
        var template = response.template
        return PreparedAnswer(body: template.background(response.status(now: now())))
    }

    private static let noResponse = ErrorEnvelope.openai.answer(
        EngineError(status: 404, message: "Response not found."))
}
