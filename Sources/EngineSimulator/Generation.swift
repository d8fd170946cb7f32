import NIOCore
import NIOHTTP1

/// Runs one generation on its connection: performs the steps of its course when they are due and keeps its line of the
/// book. Lives on the connection's event loop.
final class Generation {
    /// Steps performed in one turn of the event loop before others get theirs.
    private static let burstMax = 64

    private let order: GenerationOrder
    private let engine: Engine
    private let wire: GenerationWire
    private let whenOver: () -> Void
    private let startedAt = NIODeadline.now()

    private var entry: ServedRequest
    private var template: (any AnswerTemplate)?
    private var encoder: StreamEncoder?
    private var stream: StreamStateMachine?
    private var waitingStep: StreamStateMachine.Step?
    private var waitsForWritability = false
    private var timer: Scheduled<Void>?
    private var malformedAfter: Int?
    private var brokenChecksumAfter: Int?
    /// Tokens whose bytes the encoder holds back.
    private var heldTokens = 0
    private var isOver = false

    /// - Parameter whenOver: called once the answer was sent whole and the connection can serve the next request.
    init(
        _ order: GenerationOrder, engine: Engine, context: ChannelHandlerContext, keepAlive: Bool,
        whenOver: @escaping () -> Void
    ) {
        self.order = order
        self.engine = engine
        self.whenOver = whenOver
        entry = order.entry
        switch order.content {
        case .refusal: break
        case .plain(let template), .stream(let template): self.template = template
        }
        wire = GenerationWire(context: context, keepAlive: keepAlive, behavior: template?.behavior ?? Behavior())
    }

    /// Begins.
    func start() {
        switch order.content {
        case .refusal(let answer, let after):
            wake(at: after) { $0.refuse(answer) }
        case .plain(let template):
            let course = template.plan.plainCourse
            guard course.ending != .stall else { return }
            wake(at: course.at) { $0.performPlain(course) }
        case .stream(let template):
            stream = StreamStateMachine(plan: template.plan)
            encoder = StreamEncoder(
                framing: template.stream.framing, behavior: template.behavior, seed: template.plan.text.seed)
            malformedAfter = template.behavior.malformedAfterTokens
            brokenChecksumAfter = template.behavior.brokenChecksumAfterTokens
            advance()
        }
    }

    /// The socket takes more.
    func becameWritable() {
        guard waitsForWritability else { return }
        waitsForWritability = false
        advance()
    }

    /// The client closed the connection. A stream stops at once; a plain answer may go on to its end, as some engines'
    /// do.
    func clientLeft() {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        wire.stop()
        guard case .plain(let template) = order.content else { return closeEntry(.clientGone) }
        let plan = template.plan
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

    private func refuse(_ answer: PreparedAnswer?) {
        guard let answer else {
            isOver = true
            closeEntry(.cut)
            return wire.close()
        }
        entry.status = answer.status
        sendWhole(answer, outcome: .failed)
    }

    // MARK: Plain

    private func performPlain(_ course: PlainCourse) {
        guard let plan = template?.plan else { return }
        produced(course.tokens, plan)
        switch course.ending {
        case .answer:
            entry.firstTokenMilliseconds = Engine.now()
            let answer = wholeAnswer()
            entry.status = answer.status
            guard plan.behavior.announcedLength == .right else { return sendMislabelled(answer) }
            sendWhole(answer, outcome: .complete, chunked: plan.behavior.chunkedPlain)
        case .error:
            let message = plan.behavior.errorMessage ?? "the engine failed during generation"
            let answer = order.envelope.answer(
                EngineError(status: plan.behavior.failStatus, message: message), plan.behavior)
            entry.status = answer.status
            sendWhole(answer, outcome: .failed)
        case .cut:
            var answer = wholeAnswer()
            entry.usageReported = nil
            entry.status = answer.status
            wire.head(answer.head(keepAlive: wire.keepAlive, chunked: plan.behavior.chunkedPlain))
            answer.body.removeLast(answer.body.count - answer.body.count / 2)
            wire.send(answer.body)
            cut()
        case .stall:
            break
        }
    }

    /// The plain answer, as the settings spoil it.
    private func wholeAnswer() -> PreparedAnswer {
        guard var answer = template?.plain(), let behavior = template?.behavior else {
            return PreparedAnswer(status: 500, body: "")
        }
        entry.usageReported = template?.usageSaid
        answer.spoil(behavior)
        return answer
    }

    /// A body whose length is not the one announced; nothing can follow it on the connection.
    private func sendMislabelled(_ answer: PreparedAnswer) {
        let excess = template?.behavior.announcedLength == .long ? 10 : -10
        var head = answer.head(keepAlive: false)
        head.headers.replaceOrAdd(name: "content-length", value: String(max(0, answer.body.count + excess)))
        wire.head(head)
        wire.send(answer.body)
        cut()
    }

    private func sendWhole(_ answer: PreparedAnswer, outcome: ServedRequest.Outcome, chunked: Bool = false) {
        wire.head(answer.head(keepAlive: wire.keepAlive, chunked: chunked), flush: answer.body.isEmpty)
        if !answer.body.isEmpty { wire.send(answer.body, flush: false) }
        end(outcome, tokensSentAtEnd: outcome == .complete ? entry.completionTokensProduced : 0)
    }

    // MARK: Streamed

    private func advance() {
        var burst = 0
        while !isOver, let step = waitingStep ?? stream?.next() {
            waitingStep = step
            guard startedAt + .microseconds(Int64(step.at)) <= .now() else {
                return wake(at: step.at) { $0.advance() }
            }
            guard wire.isIdle else {
                wire.whenIdle { self.advance() }
                return
            }
            guard wire.isWritable else {
                waitsForWritability = true
                return
            }
            burst += 1
            guard burst <= Self.burstMax else { return wake(at: step.at) { $0.advance() } }
            waitingStep = nil
            perform(step.action)
        }
    }

    private func perform(_ action: StreamStateMachine.Action) {
        guard let plan = template?.plan else { return }
        var flaws: StreamEncoder.Flaws = []
        if entry.completionTokensProduced == brokenChecksumAfter { flaws.insert(.checksum) }
        switch action {
        case .head:
            entry.status = 200
            wire.head(.stream(template?.stream ?? StreamHead(), behavior: plan.behavior, keepAlive: wire.keepAlive))
        case .role(let choice):
            send(template?.opening(choice: choice), flaws: flaws)
        case .tokens(let choice, let positions, let finishes):
            if entry.firstTokenMilliseconds == 0 { entry.firstTokenMilliseconds = Engine.now() }
            if let after = malformedAfter, entry.completionTokensProduced >= after {
                flaws.insert(.malformed)
                malformedAfter = nil
            }
            produced(entry.completionTokensProduced + positions.count, plan)
            let step = TokenStep(
                choice: choice, positions: positions, finishes: finishes, tokensSoFar: entry.completionTokensProduced)
            send(template?.tokens(step), tokens: positions.count, flaws: flaws)
        case .finish(let choice):
            send(template?.finish(choice: choice), flaws: flaws)
        case .usage:
            send(template?.usage(), flaws: flaws)
        case .done:
            send(template?.terminator())
        case .end:
            wire.send(encoder?.finish() ?? [])
            end(.complete, tokensSentAtEnd: heldTokens)
        case .error:
            let message = plan.behavior.errorMessage ?? "the engine failed during generation"
            send(template?.failure(EngineError(status: plan.behavior.failStatus, message: message)))
            wire.send(encoder?.finish() ?? [])
            end(.failed, tokensSentAtEnd: heldTokens)
        case .cut:
            if plan.behavior.cutsInside { sendHalfOfNext(plan) }
            cut()
        case .stall:
            break
        }
    }

    /// Half of the chunk that would come next.
    private func sendHalfOfNext(_ plan: GenerationPlan) {
        let position = min(entry.completionTokensProduced / plan.choices, max(0, plan.completionTokensEach - 1))
        let step = TokenStep(
            choice: 0, positions: position..<min(position + 1, plan.completionTokensEach), finishes: false,
            tokensSoFar: entry.completionTokensProduced)
        let bytes = encoder?.encode(template?.tokens(step) ?? []) ?? []
        wire.send(Array(bytes.prefix(bytes.count / 2)))
    }

    /// Sends some pieces; their tokens count as sent once the system took their last byte.
    private func send(_ pieces: [StreamPiece]?, tokens: Int = 0, flaws: StreamEncoder.Flaws = []) {
        let bytes = encoder?.encode(pieces ?? [], flaws: flaws) ?? []
        entry.usageReported = template?.usageSaid
        if flaws.contains(.checksum), !bytes.isEmpty { brokenChecksumAfter = nil }
        heldTokens += tokens
        guard !bytes.isEmpty else { return }
        let sent = encoder?.holdsBytes == true ? heldTokens - tokens : heldTokens
        heldTokens -= sent
        wire.send(bytes) { self.entry.completionTokensSent += sent }
    }

    // MARK: Shared

    private func produced(_ tokens: Int, _ plan: GenerationPlan) {
        if entry.operation == .predictions {
            entry.computeMilliseconds = EngineTimes(plan, tokens: tokens).totalMilliseconds
        }
        entry.completionTokensProduced = tokens
        entry.reasoningTokens = min(tokens, plan.reasoningTokens)
    }

    private func end(_ outcome: ServedRequest.Outcome, tokensSentAtEnd: Int) {
        isOver = true
        wire.end { wasSent in
            if wasSent { self.entry.completionTokensSent += tokensSentAtEnd }
            self.closeEntry(wasSent ? outcome : .clientGone)
            self.whenOver()
        }
    }

    /// Closes the connection once all that was written is on its way.
    private func cut() {
        isOver = true
        wire.afterLastWrite {
            self.closeEntry(.cut)
            self.wire.close()
        }
    }

    private func closeEntry(_ outcome: ServedRequest.Outcome) {
        guard entry.outcome == .running else { return }
        entry.outcome = outcome
        entry.endedMilliseconds = Engine.now()
        if order.isRecorded { engine.log.close(entry) }
    }

    private func wake(at microseconds: Int, evenIfOver: Bool = false, _ work: @escaping (Generation) -> Void) {
        timer = wire.schedule(at: startedAt + .microseconds(Int64(microseconds))) {
            guard evenIfOver || !self.isOver else { return }
            work(self)
        }
    }
}
