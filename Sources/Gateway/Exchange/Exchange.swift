import Accounts
import Engines
import HTTP1
import Identity
import Metering
import NIOCore
import Routing
import Telemetry
import UsageJournal

/// One request on its way: performs what `ExchangeStateMachine` decides, between a client's connection, an engine's
/// connection and the journal. Lives on one event loop.
final class Exchange {
    let number: Int
    let loop: LoopContext
    let admitted: AdmittedRequest
    /// What it holds of its limits; nil when it has none.
    let hold: LimitHold?
    /// Nil once the client has left.
    var client: ClientHandler?
    var machine: ExchangeStateMachine
    var entry: UsageEntry
    let startedAt: NIODeadline
    let requestID: String
    let forwarded: ForwardedHead
    /// The client's body: kept until an engine has answered, for another try.
    var body: ByteBuffer { didSet { forwarded.charge?.release() } }
    /// The engine that is asked now, or was the last one.
    var running: RunningTry
    /// Ways that are left, should it fail.
    var plan: RoutePlan
    var openRequest: (any OpenRequest)?
    /// Whether the engine says later what it came to (a receipt, a left stream): it names no price, and counts then.
    var closesLater = false
    /// The attempt that is running, or was the last one: the last in the entry until the answer has ended.
    var attempt: AttemptRecord {
        _read { yield entry.attempts[attemptIndex] }
        _modify { yield &entry.attempts[attemptIndex] }
    }
    private(set) var attemptIndex = 0

    /// Gathered in this turn of the event loop, for one write.
    var output = ByteBuffer()
    /// What waits for the record.
    var held = ByteBuffer()
    private var progressAt: NIODeadline

    init(
        number: Int, loop: LoopContext, client: ClientHandler, admitted: AdmittedRequest, hold: LimitHold?,
        entry: UsageEntry, try first: RouteTable.Ticket, plan: RoutePlan, head: ForwardedHead, body: ByteBuffer,
        now: NIODeadline
    ) {
        self.number = number
        self.loop = loop
        self.client = client
        self.admitted = admitted
        self.hold = hold
        self.entry = entry
        forwarded = head
        self.body = body
        running = RunningTry(first)
        self.plan = plan
        startedAt = now
        let times = loop.shared.configuration.times
        progressAt = now + .milliseconds(times.progressMilliseconds)
        requestID = entry.request.id.description
        machine = ExchangeStateMachine(
            isStreamRequest: admitted.request.isStream && !admitted.request.endsLater,
            onClientAbort: admitted.request.endsLater ? .drain : admitted.grant.onClientAbort,
            times: admitted.request.endsLater ? times.ofReceipts : times, triesMax: plan.triesMax)
    }

    // MARK: Beginning

    /// Writes the open record, then asks the engine. Throws when the journal does not take it: nothing was begun then.
    func start() throws {
        openRequest = try loop.shared.journal.open(entry)
        loop.exchanges.opened(self)
        connect()
    }

    /// Asks another engine: nothing of the last try is left but its record.
    func begin(_ next: RouteTable.Ticket) {
        entry.attempts.append(
            admitted.attempt(
                id: loop.ids.attempt(of: entry.request.id), number: attempt.number + 1, on: next.route))
        attemptIndex = entry.attempts.count - 1
        begin(RunningTry(next))
        appendTries()
        connect()
    }

    /// Asks the same engine again, without the members that it refused.
    private func askAgain() {
        begin(running.again)
        connect()
    }

    private func begin(_ try: RunningTry) {
        running = `try`
        output.clear()
        held.clear()
    }

    private func connect() {
        if let connection = loop.pool.takeIdle(running.route.backend) {
            send(on: connection)
        } else {
            loop.pool.connect(running.route.backend, for: self)
        }
    }

    /// The connection asked for is there.
    func upstreamConnected(_ connection: UpstreamConnection) {
        guard machine.isRunning else { return loop.pool.giveBack(connection) }
        send(on: connection)
    }

    /// The connection asked for could not be had.
    func upstreamNotConnected(isTimeout: Bool) {
        fail(isTimeout ? .connectTimeout : .connect)
    }

    private func send(on connection: UpstreamConnection) {
        let mark = microseconds(at: .now())
        machine.sentUpstream(at: mark)
        running.connection = connection
        entry.request.marks.upstreamSent = mark
        attempt.marks.upstreamSent = mark
        running.asksForUsage = !machine.isAskedAgain && running.ticket?.takesUsageOptions != false
        connection.begin(
            self,
            request: UpstreamRequest.bytes(
                of: admitted, on: running.route, head: forwarded, body: body, requestID: requestID,
                asksForUsage: running.asksForUsage, date: loop.shared.clock.realTime))
        if client?.isWritable == false { connection.setReading(false) }
    }

    // MARK: The engine

    func upstreamAnswered(_ head: ResponseHead) {
        let now = NIODeadline.now()
        let status = head.status
        beginCounting(status: status)
        if !mayAskAnother, !mayAskAgain(status) { body = ByteBuffer() }
        attempt.marks.firstByte = microseconds(at: now)
        attempt.upstreamStatus = Int32(status)
        running.head = head
        let headers = AnswerHeaders(headers: head.headers)
        noteAnswer(headers, status: status, at: now)
        let type = headers.first("content-type")?.lowercased() ?? ""
        guard !AnswerBeginning.decides(admitted.request, status: status, contentType: type) else {
            running.beginning = (AnswerBeginning(contentType: type), ByteBuffer())
            return machine.headCame(at: microseconds(at: now))
        }
        beginAnswer(head, at: now)
    }

    /// It is known how the answer is cut: its head, or by its first bytes.
    /// `isOver`: nothing more of it comes.
    private func beginAnswer(
        _ head: ResponseHead, by beginning: AnswerFraming? = nil, isOver: Bool = false, at now: NIODeadline
    ) {
        let limits = loop.shared.configuration.limits
        let meter = AnswerMeter(
            request: admitted.request, backend: running.route.backend, status: head.status,
            headers: AnswerHeaders(headers: head.headers), upstreamModel: running.route.upstreamName,
            beginning: beginning)
        let modelName = AnswerModelName(of: admitted.request, backend: running.route.backend)
        if running.counting != nil { meter.beginText(of: admitted.request) }
        let seal = AnswerSeal(
            of: admitted, on: running.route.backend, secret: loop.shared.snapshots.current.sealingSecret)
        running.seal = seal
        switch machine.upstreamAnswered(
            status: head.status, isEventStream: meter.framing != .plain, at: microseconds(at: now))
        {
        case .stream:
            let wantsCost = wantsCostInStream
            running.stream = StreamRelay(
                meter: meter, keepsUsageChunk: wantsCost || !admitted.request.isStream,
                heldEventBytes: limits.heldEventBytes, readEventBytes: limits.readEventBytes, modelName: modelName,
                seal: seal, usageMembers: wantsCost ? { [unowned self] facts in costMembers(facts) } : nil,
                failedEvent: { [unowned self] event, isTerminator, part in
                    failedEvent(event, isTerminator: isTerminator, part: part)
                })
            running.framing = client?.canReadChunks == true ? .chunked : .untilClose
            // While another engine may be asked, the head waits for the first bytes of the stream.
            if !mayAskAnother, !isOver { sendHead() }
        case .plain:
            running.plain = PlainRelay(
                meter: meter, length: head.declaredLength.map { Int64($0) }, wholeAnswerBytes: limits.wholeAnswerBytes,
                isMetered: (200..<300).contains(head.status), modelName: modelName)
        }
    }

    /// Takes the next bytes of a body of which nobody knew how it is cut. Returns all that came once that is known.
    private func lookAtBeginning(_ piece: ByteBuffer) -> ByteBuffer? {
        guard var beginning = running.beginning, let head = running.head else { return piece }
        running.beginning = nil
        beginning.bytes.writeImmutableBuffer(piece)
        var framing = piece.withUnsafeReadableBytes { beginning.look.take($0) }
        if framing == nil, beginning.bytes.readableBytes > loop.shared.configuration.limits.wholeAnswerBytes {
            framing = beginning.look.framingAtEnd
        }
        guard let framing else {
            running.beginning = beginning
            return nil
        }
        beginAnswer(head, by: framing, at: .now())
        return beginning.bytes
    }

    /// No more bytes come before something else happens: the answer is taken for what it is so far.
    func settleBeginning() {
        guard let beginning = running.beginning, let head = running.head else { return }
        running.beginning = nil
        let framing = beginning.look.framingAtEnd
        beginAnswer(head, by: framing, isOver: true, at: .now())
        // White space alone is nothing that anybody waits for.
        if framing == .plain { relay(beginning.bytes) }
    }

    func upstreamSent(_ piece: ByteBuffer) {
        machine.received(at: microseconds(at: .now()))
        running.answerBytes += Int64(piece.readableBytes)
        if running.answerBytes > loop.shared.configuration.limits.answerBytes {
            return fail(.answerTooLarge)
        }
        guard let piece = lookAtBeginning(piece) else { return }
        relay(piece)
    }

    private func relay(_ piece: ByteBuffer) {
        if running.stream != nil {
            relayStream(piece)
        } else if let plain = running.plain, let flowing = plain.take(piece) {
            if !machine.isHeadSent {
                // Sealed ids are longer than the engine's.
                let length = running.seal == nil ? plain.flowingLength : nil
                running.framing = length.map { .length($0) } ?? (client?.canReadChunks == true ? .chunked : .untilClose)
                sendHead()
            }
            writeBody(sealed(flowing))
        }
        if running.counting != nil { gatherText() }
    }

    private func relayStream(_ piece: ByteBuffer) {
        if running.framing == .chunked { output.beginChunk(bytes: piece.readableBytes) }
        guard let signals = running.stream?.take(piece, output: &output, held: &held), take(signals) else { return }
        if machine.state == .delivering { sendLateBytes() }
    }

    /// What the events that came mean. False when another engine is asked instead.
    private func take(_ signals: StreamSignals) -> Bool {
        note(signals)
        let refusal = signals.isDisjoint(with: [.error, .failure]) ? nil : streamRefusal()
        if let refusal {
            running.failure = .refused(refusal)
            if !machine.isHeadSent, running.stream?.facts.contentEvents == 0,
                triesNext(after: .refused(refusal), .upstreamError)
            {
                return false
            }
        }
        let isOver = signals.contains(.terminator) || machine.awaitsUsage
        let lacksUsage = isOver && running.stream?.meter.lacksUsage == true
        perform(
            machine.streamed(signals, isFinished: isStreamFinished, lacksUsage: lacksUsage, refusal: refusal))
        return true
    }

    private func note(_ signals: StreamSignals) {
        if signals.contains(.word), running.firstWord == nil {
            running.firstWord = machine.lastReceivedAt
            noteFirstWord()
        }
        guard signals.contains(.content) else { return }
        let mark = machine.lastReceivedAt
        if attempt.marks.firstToken == nil {
            attempt.marks.firstToken = mark
            if client != nil { entry.request.marks.firstToken = entry.request.marks.firstToken ?? mark }
        }
        attempt.marks.lastToken = mark
        if client != nil { entry.request.marks.lastToken = mark }
    }

    private var isStreamFinished: Bool {
        guard let stream = running.stream else { return false }
        return stream.meter.finishedChoices >= admitted.request.choiceCount
    }

    /// The engine has nothing more to read for now: what was gathered goes out.
    func upstreamPaused() {
        if !holdsBeginning(at: .now()) { flushOutput() }
    }

    /// While another engine may be asked, what comes before the first content waits for it: roles, starts, comments.
    /// An engine that fails then is replaced, and nobody has seen anything of it.
    func holdsBeginning(at now: NIODeadline) -> Bool {
        guard !machine.isHeadSent, let stream = running.stream, stream.meter.contentEvents == 0,
            let head = attempt.marks.firstByte
        else {
            return false
        }
        let configuration = loop.shared.configuration
        return output.readableBytes <= configuration.limits.heldBeginningBytes
            && microseconds(at: now) - head < configuration.times.beginningMilliseconds * 1000 && mayAskAnother
    }

    func upstreamEnded() {
        settleBeginning()
        machine.upstreamClosed()
        running.connection = nil
        if machine.isRunning, let signals = running.stream?.finish(output: &output, held: &held), !take(signals) {
            return
        }
        running.plain?.finish()
        let refusal = refusal()
        if let refusal, refusesOwnOptions(refusal), machine.asksAgain() { return askAgain() }
        if let refusal, triesNext(after: .refused(refusal), .upstreamError) { return }
        if running.stream != nil, !machine.isHeadSent, !isStreamFinished, machine.isRunning,
            triesNext(after: running.failure ?? .broken, .upstreamError)
        {
            return
        }
        flushOutput()
        if isWorkThatFailed { _ = redactHeldError() }
        let passes = refusal?.isClients == true && redactHeldError()
        if passes, isErrorInPlaceOfAnswer { running.shownStatus = APIError.rejected(machine.upstreamStatus).status }
        let failure = failureOfFlowingAnswer
        if let failure {
            running.failure = .refused(failure)
            redactHeldTail()
        }
        perform(machine.upstreamEnded(refusal: refusal, passes: passes, failure: failure))
        if machine.state == .delivering { finishDelivery() }
    }

    /// The engine's connection is gone. A kept connection that closes without a word was stale: one more try.
    func upstreamLost(_ failure: ExchangeStateMachine.Failure, mayRetry: Bool) {
        running.connection = nil
        if mayRetry, machine.replacesConnection() {
            loop.metrics.upstreamRetries.increment()
            return loop.pool.connect(running.route.backend, for: self)
        }
        machine.upstreamClosed()
        fail(failure)
        if machine.state == .delivering { finishDelivery() }
    }

    func fail(_ failure: ExchangeStateMachine.Failure) {
        guard machine.isRunning else { return }
        settleBeginning()
        if triesNext(after: TryFailure(failure), ExchangeStateMachine.termination(for: failure)) { return }
        flushOutput()
        perform(machine.failed(failure))
    }

    // MARK: Time

    /// Looks at all that may take too long; called several times a second.
    func tick(now: NIODeadline) {
        let isHeldUp = client?.isWritable == false
        switch machine.overdue(at: microseconds(at: now), isHeldUp: isHeldUp, readsOn: cannotBeFollowed) {
        case .failure(let failure): return fail(failure)
        case .linger: return lingerEnded()
        case .usage: return perform(machine.usageNeverCame())
        case nil: break
        }
        guard machine.isRunning else { return }
        if running.stream != nil, !machine.isHeadSent, output.readableBytes > 0, !holdsBeginning(at: now) {
            flushOutput()
        }
        if let hold, let stream = running.stream { hold.grow(outputTokens: stream.outputTokensSoFar) }
        if now >= progressAt {
            progressAt = now + .milliseconds(loop.shared.configuration.times.progressMilliseconds)
            appendProgress()
        }
    }

    func microseconds(at time: NIODeadline) -> Int64 { (time - startedAt).nanoseconds / 1000 }
}
