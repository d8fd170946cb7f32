import NIOCore
import NIOHTTP1

/// Runs one generation on its connection: performs the steps of its course when they are due and keeps its line of the
/// book. Lives on the connection's event loop.
final class Generation {
    /// Steps performed in one turn of the event loop before others get theirs.
    private static let burstMax = 64

    private let order: GenerationOrder
    private let engine: Engine
    private let context: ChannelHandlerContext
    private let keepAlive: Bool
    private let whenOver: () -> Void
    private let startedAt = NIODeadline.now()

    private var entry: ServedRequest
    private var stream: StreamStateMachine?
    private var waitingStep: StreamStateMachine.Step?
    private var waitsForWritability = false
    private var timer: Scheduled<Void>?
    private var lastWrite: EventLoopFuture<Void>?
    private var isOver = false

    /// - Parameter whenOver: called once the answer was sent whole and the connection can serve the next request.
    init(
        _ order: GenerationOrder, engine: Engine, context: ChannelHandlerContext, keepAlive: Bool,
        whenOver: @escaping () -> Void
    ) {
        self.order = order
        self.engine = engine
        self.context = context
        self.keepAlive = keepAlive
        self.whenOver = whenOver
        entry = order.entry
    }

    /// Begins.
    func start() {
        switch order.content {
        case .refusal(let answer, let after):
            wake(at: after) { generation in
                generation.entry.status = answer.status
                generation.sendWhole(answer, outcome: .failed)
            }
        case .plain(let plan, let body):
            let course = plan.plainCourse
            guard course.ending != .stall else { return }
            wake(at: course.at) { $0.performPlain(course, plan: plan, body: body) }
        case .stream(let template):
            stream = StreamStateMachine(plan: template.plan)
            advance(template)
        }
    }

    /// The socket takes more.
    func becameWritable() {
        guard waitsForWritability, case .stream(let template) = order.content else { return }
        waitsForWritability = false
        advance(template)
    }

    /// The client closed the connection. A stream stops at once; a plain answer may go on to its end, as some engines'
    /// do.
    func clientLeft() {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        guard case .plain(let plan, _) = order.content else { return closeEntry(.clientGone) }
        let course = plan.plainCourse
        let elapsed = Int((NIODeadline.now() - startedAt).nanoseconds / 1000)
        guard plan.behavior.finishesAbandonedPlain, course.at > elapsed, course.ending != .stall else {
            produced(min(plan.tokensGenerated(after: elapsed), course.tokens), plan)
            return closeEntry(.clientGone)
        }
        wake(at: course.at, evenIfOver: true) { generation in
            generation.produced(course.tokens, plan)
            generation.closeEntry(.clientGone)
        }
    }

    // MARK: Plain

    private func performPlain(_ course: PlainCourse, plan: GenerationPlan, body: String) {
        produced(course.tokens, plan)
        switch course.ending {
        case .answer:
            entry.status = 200
            entry.firstTokenMilliseconds = Engine.now()
            if plan.behavior.usage != .missing {
                entry.usageReported = UsageReport(plan: plan, completionTokens: plan.completionTokens)
                    .json(in: .plainAnswer)
            }
            sendWhole(PreparedAnswer(body: body), outcome: .complete, chunked: plan.behavior.chunkedPlain)
        case .error:
            let error = EngineError(
                status: 500, type: "InternalServerError",
                message: plan.behavior.errorMessage ?? "the engine failed during generation"
            )
            entry.status = 500
            sendWhole(PreparedAnswer(status: 500, body: error.json), outcome: .failed)
        case .cut:
            entry.status = 200
            write(.head(PreparedAnswer(body: body).head(keepAlive: keepAlive, chunked: plan.behavior.chunkedPlain)))
            let half = ByteBuffer(string: body).getSlice(at: 0, length: body.utf8.count / 2)
            write(.body(.byteBuffer(half ?? ByteBuffer())))
            cut()
        case .stall:
            break
        }
    }

    private func sendWhole(_ answer: PreparedAnswer, outcome: ServedRequest.Outcome, chunked: Bool = false) {
        write(.head(answer.head(keepAlive: keepAlive, chunked: chunked)), flush: false)
        if !answer.body.isEmpty { write(.body(.byteBuffer(ByteBuffer(string: answer.body))), flush: false) }
        end(outcome, tokensSentAtEnd: outcome == .complete ? entry.completionTokensProduced : 0)
    }

    // MARK: Streamed

    private func advance(_ template: AnswerTemplate) {
        var burst = 0
        while !isOver, let step = waitingStep ?? stream?.next() {
            waitingStep = step
            guard startedAt + .microseconds(Int64(step.at)) <= .now() else {
                return wake(at: step.at) { $0.advance(template) }
            }
            guard context.channel.isWritable else {
                waitsForWritability = true
                return
            }
            burst += 1
            guard burst <= Self.burstMax else { return wake(at: step.at) { $0.advance(template) } }
            waitingStep = nil
            perform(step.action, template)
        }
    }

    private func perform(_ action: StreamStateMachine.Action, _ template: AnswerTemplate) {
        switch action {
        case .head:
            entry.status = 200
            write(.head(.eventStream(keepAlive: keepAlive)))
        case .role(let choice):
            send(template.roleEvent(choice: choice))
        case .tokens(let choice, let positions, let finishes):
            if entry.firstTokenMilliseconds == 0 { entry.firstTokenMilliseconds = Engine.now() }
            produced(entry.completionTokensProduced + positions.count, template.plan)
            let event = template.tokensEvent(
                choice: choice, positions: positions, finishes: finishes,
                tokensSoFar: entry.completionTokensProduced
            )
            send(event, tokens: positions.count)
            if template.plan.continuousUsage { noteUsage(template.plan, in: .runningChunk) }
        case .finish(let choice):
            send(template.finishEvent(choice: choice))
        case .usage:
            send(template.usageEvent())
            noteUsage(template.plan, in: .lastChunk)
        case .done:
            send("data: [DONE]\n\n")
        case .end:
            end(.complete, tokensSentAtEnd: 0)
        case .error:
            send(template.errorEvent())
            end(.failed, tokensSentAtEnd: 0)
        case .cut:
            cut()
        case .stall:
            break
        }
    }

    private func noteUsage(_ plan: GenerationPlan, in place: UsageReport.Place) {
        guard plan.behavior.usage != .missing else { return }
        entry.usageReported = UsageReport(plan: plan, completionTokens: entry.completionTokensProduced).json(in: place)
    }

    /// Sends an event; its tokens count as sent once the system took its last byte.
    private func send(_ event: String, tokens: Int = 0) {
        var rest = ByteBuffer(string: event)
        if case .stream(let template) = order.content, template.plan.behavior.splitBytes > 0 {
            while rest.readableBytes > template.plan.behavior.splitBytes,
                let piece = rest.readSlice(length: template.plan.behavior.splitBytes)
            {
                write(.body(.byteBuffer(piece)))
            }
        }
        write(.body(.byteBuffer(rest)))
        guard tokens > 0 else { return }
        lastWrite?.assumeIsolated().whenSuccess { self.entry.completionTokensSent += tokens }
    }

    // MARK: Shared

    private func produced(_ tokens: Int, _ plan: GenerationPlan) {
        entry.completionTokensProduced = tokens
        entry.reasoningTokens = min(tokens, plan.reasoningTokens)
    }

    private func write(_ part: HTTPServerResponsePart, flush: Bool = true) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        lastWrite = promise.futureResult
        context.write(NIOAny(part), promise: promise)
        if flush { context.flush() }
    }

    private func end(_ outcome: ServedRequest.Outcome, tokensSentAtEnd: Int) {
        isOver = true
        write(.end(nil))
        lastWrite?.assumeIsolated().whenComplete { result in
            switch result {
            case .success:
                self.entry.completionTokensSent += tokensSentAtEnd
                self.closeEntry(outcome)
            case .failure:
                self.closeEntry(.clientGone)
            }
            self.whenOver()
        }
    }

    /// Closes the connection once all that was written is on its way.
    private func cut() {
        isOver = true
        let close = {
            self.closeEntry(.cut)
            self.context.close(promise: nil)
        }
        guard let lastWrite else { return close() }
        lastWrite.assumeIsolated().whenComplete { _ in close() }
    }

    private func closeEntry(_ outcome: ServedRequest.Outcome) {
        guard entry.outcome == .running else { return }
        entry.outcome = outcome
        entry.endedMilliseconds = Engine.now()
        engine.log.close(entry)
    }

    private func wake(at microseconds: Int, evenIfOver: Bool = false, _ work: @escaping (Generation) -> Void) {
        let due = startedAt + .microseconds(Int64(microseconds))
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) {
            guard evenIfOver || !self.isOver else { return }
            work(self)
        }
    }
}

extension PreparedAnswer {
    /// The answer's head.
    func head(keepAlive: Bool, chunked: Bool = false) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
        head.headers.add(name: "server", value: "engine-simulator")
        head.headers.add(name: "content-type", value: contentType)
        if chunked {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        } else {
            head.headers.add(name: "content-length", value: String(body.utf8.count))
        }
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        return head
    }
}

extension HTTPResponseHead {
    /// The head of a stream of events.
    fileprivate static func eventStream(keepAlive: Bool) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: .ok)
        head.headers.add(name: "server", value: "engine-simulator")
        head.headers.add(name: "content-type", value: "text/event-stream; charset=utf-8")
        head.headers.add(name: "transfer-encoding", value: "chunked")
        if !keepAlive { head.headers.add(name: "connection", value: "close") }
        return head
    }
}
