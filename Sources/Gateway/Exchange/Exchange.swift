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
    /// The way that the running attempt takes.
    private(set) var route: ModelRoute
    /// Ways that are left, should it fail.
    var plan: RoutePlan
    /// The running try, until the table knows how it ended.
    var ticket: RouteTable.Ticket?
    /// How the running try failed, if it did.
    var failedAs: TryFailure?
    var openRequest: (any OpenRequest)?
    /// The attempt that is running, or was the last one: the last in the entry until the answer has ended.
    var attempt: AttemptRecord {
        _read { yield entry.attempts[attemptIndex] }
        _modify { yield &entry.attempts[attemptIndex] }
    }
    private(set) var attemptIndex = 0

    var connection: UpstreamConnection?
    var isSentUpstream = false
    var hasUpstreamEnded = false
    private var hasRetried = false
    /// Whether the running try was sent with members that ask for usage.
    var asksForUsage = true
    /// Whether it is asked for the second time, without them.
    var isAskedAgain = false
    private var answerBytes: Int64 = 0

    var head: ResponseHead?
    /// Unpacks an answer that came compressed.
    private var inflater: Inflater?
    var isHeadSent = false
    var framing = HeaderForwarding.Framing.chunked
    var plain: PlainRelay?
    var stream: StreamRelay?
    /// Puts sealed ids into the answer; nil where it names nothing that an engine keeps.
    var answerSeal: AnswerSeal?
    /// Counts the running attempt's answer; nil where its backend does not ask for that.
    var counting: AnswerCounting?
    /// Gathered in this turn of the event loop, for one write.
    var output = ByteBuffer()
    /// What waits for the record.
    var held = ByteBuffer()

    var sentUpstreamAt: NIODeadline?
    var lastReceivedAt: NIODeadline
    var drainUntil: NIODeadline?
    var lingerUntil: NIODeadline?
    var progressAt: NIODeadline
    var progressEvents: Int64 = 0

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
        route = first.route
        ticket = first
        self.plan = plan
        startedAt = now
        lastReceivedAt = now
        let times = loop.shared.configuration.times
        progressAt = now + .milliseconds(times.progressMilliseconds)
        requestID = entry.request.id.description
        machine = ExchangeStateMachine(
            isStreamRequest: admitted.request.isStream, onClientAbort: admitted.grant.onClientAbort, times: times,
            triesMax: plan.triesMax)
    }

    // MARK: Beginning

    /// Writes the open record, then asks the engine. Throws when the journal does not take it: nothing was begun then.
    func start() throws {
        openRequest = try loop.shared.journal.open(entry)
        loop.opened(self)
        connect()
    }

    /// Asks another engine: nothing of the last try is left but its record.
    func begin(_ next: RouteTable.Ticket) {
        isAskedAgain = false
        ticket = next
        route = next.route
        entry.attempts.append(
            admitted.attempt(
                id: loop.newAttemptID(of: entry.request.id), number: attempt.number + 1, on: next.route))
        attemptIndex = entry.attempts.count - 1
        clearTry()
        appendTries()
        connect()
    }

    /// Asks the same engine again, without the members that it refused.
    func askAgain() {
        isAskedAgain = true
        clearTry()
        connect()
    }

    private func clearTry() {
        connection = nil
        isSentUpstream = false
        hasUpstreamEnded = false
        hasRetried = false
        answerBytes = 0
        head = nil
        inflater = nil
        framing = .chunked
        plain = nil
        stream = nil
        answerSeal = nil
        output.clear()
        held.clear()
        sentUpstreamAt = nil
        progressEvents = 0
    }

    private func connect() {
        if let connection = loop.pool.takeIdle(route.backend) {
            send(on: connection)
        } else {
            loop.pool.connect(route.backend, for: self)
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
        self.connection = connection
        isSentUpstream = true
        let now = NIODeadline.now()
        sentUpstreamAt = now
        let mark = microseconds(at: now)
        entry.request.marks.upstreamSent = mark
        attempt.marks.upstreamSent = mark
        asksForUsage = !isAskedAgain && ticket?.takesUsageOptions != false
        connection.begin(
            self,
            request: UpstreamRequest.bytes(
                of: admitted, on: route, head: forwarded, body: body, requestID: requestID,
                asksForUsage: asksForUsage, date: loop.shared.clock.realTime))
        if client?.isWritable == false { connection.setReading(false) }
    }

    // MARK: The engine

    func upstreamAnswered(_ head: ResponseHead) {
        let now = NIODeadline.now()
        lastReceivedAt = now
        beginCounting(status: head.status)
        if !mayAskAnother, !mayAskAgain(head.status) { body = ByteBuffer() }
        attempt.marks.firstByte = microseconds(at: now)
        attempt.upstreamStatus = Int32(head.status)
        self.head = head
        unpackIfPacked()
        let status = head.status
        let limits = loop.shared.configuration.limits
        let headers = AnswerHeaders(headers: head.headers)
        noteAnswer(headers, status: status, at: now)
        let meter = AnswerMeter(
            request: admitted.request, backend: route.backend, status: status,
            headers: headers, upstreamModel: route.upstreamName)
        if counting != nil { meter.beginText(of: admitted.request) }
        answerSeal = AnswerSeal(
            of: admitted, on: route.backend, secret: loop.shared.snapshots.current.sealingSecret)
        switch machine.upstreamAnswered(status: status, isEventStream: meter.framing != .plain) {
        case .stream:
            let wantsCost = wantsCostInStream
            stream = StreamRelay(
                meter: meter, keepsUsageChunk: wantsCost || !admitted.request.isStream,
                heldEventBytes: limits.heldEventBytes, readEventBytes: limits.readEventBytes, seal: answerSeal,
                usageMembers: wantsCost ? { [unowned self] facts in costMembers(facts) } : nil,
                failedEvent: { [unowned self] event, isTerminator in
                    failedEvent(event, isTerminator: isTerminator)
                })
            framing = client?.canReadChunks == true ? .chunked : .untilClose
            // While another engine may be asked, the head waits for the first bytes of the stream.
            if !mayAskAnother { sendHead() }
        case .plain:
            plain = PlainRelay(
                meter: meter, length: self.head?.contentLength, wholeAnswerBytes: limits.wholeAnswerBytes,
                isMetered: (200..<300).contains(status))
        }
    }

    func upstreamSent(_ piece: ByteBuffer) {
        lastReceivedAt = .now()
        var piece = piece
        if let inflater {
            do throws(Inflater.Unreadable) {
                piece = try inflater.inflate(piece)
            } catch {
                return fail(.broken)
            }
        }
        answerBytes += Int64(piece.readableBytes)
        if answerBytes > loop.shared.configuration.limits.answerBytes {
            return fail(.answerTooLarge)
        }
        if stream != nil {
            relayStream(piece)
        } else if let flowing = plain?.take(piece) {
            if !isHeadSent {
                // Sealed ids are longer than the engine's.
                let length = answerSeal == nil ? plain?.length : nil
                framing = length.map { .length($0) } ?? (client?.canReadChunks == true ? .chunked : .untilClose)
                sendHead()
            }
            writeBody(sealed(flowing))
        }
        if counting != nil { gatherText() }
    }

    /// From here on the answer is as if the engine had not compressed it.
    private func unpackIfPacked() {
        guard let coding = head?.headers.first("content-encoding"), Inflater.unpacks(coding) else { return }
        inflater = Inflater(outputBytesMax: loop.shared.configuration.limits.answerBytes)
        head?.headers.remove("content-encoding")
        head?.declaredLength = nil
    }

    private func relayStream(_ piece: ByteBuffer) {
        if framing == .chunked { output.beginChunk(bytes: piece.readableBytes) }
        guard let signals = stream?.take(piece, output: &output, held: &held) else { return }
        note(signals)
        let refusal = signals.isDisjoint(with: [.error, .failure]) ? nil : streamRefusal()
        if let refusal {
            failedAs = .refused(refusal)
            if !isHeadSent, stream?.facts.contentEvents == 0, triesNext(after: .refused(refusal), .upstreamError) {
                return
            }
        }
        perform(machine.streamed(signals, isFinished: isStreamFinished, refusal: refusal))
        if machine.state == .delivering { sendLateBytes() }
    }

    private func note(_ signals: StreamSignals) {
        guard signals.contains(.content) else { return }
        let mark = microseconds(at: lastReceivedAt)
        if attempt.marks.firstToken == nil {
            attempt.marks.firstToken = mark
            if client != nil { entry.request.marks.firstToken = mark }
        }
        attempt.marks.lastToken = mark
        if client != nil { entry.request.marks.lastToken = mark }
    }

    var isErrorInPlaceOfAnswer: Bool { plain?.meter.isErrorInPlaceOfAnswer ?? false }

    private var isStreamFinished: Bool {
        guard let stream else { return false }
        return stream.meter.finishedChoices >= admitted.request.choiceCount
    }

    /// The engine has nothing more to read for now: what was gathered goes out.
    func upstreamPaused() {
        if !holdsBeginning(at: .now()) { flushOutput() }
    }

    /// While another engine may be asked, what comes before the first content waits for it: roles, starts, comments.
    /// An engine that fails then is replaced, and nobody has seen anything of it.
    func holdsBeginning(at now: NIODeadline) -> Bool {
        guard !isHeadSent, let stream, stream.meter.contentEvents == 0, let head = attempt.marks.firstByte else {
            return false
        }
        let configuration = loop.shared.configuration
        return output.readableBytes <= configuration.limits.heldBeginningBytes
            && microseconds(at: now) - head < configuration.times.beginningMilliseconds * 1000 && mayAskAnother
    }

    func upstreamEnded() {
        if let inflater, !inflater.isWhole, machine.isRunning { return upstreamLost(.broken, mayRetry: false) }
        hasUpstreamEnded = true
        connection = nil
        if stream != nil, machine.isRunning, let signals = stream?.finish(output: &output, held: &held) {
            note(signals)
            let refusal = signals.isDisjoint(with: [.error, .failure]) ? nil : streamRefusal()
            perform(machine.streamed(signals, isFinished: isStreamFinished, refusal: refusal))
        }
        plain?.finish()
        flushOutput()
        let refusal = refusal()
        if let refusal, refusesOwnOptions(refusal), machine.asksAgain() { return askAgain() }
        if let refusal, triesNext(after: .refused(refusal), .upstreamError) { return }
        if stream != nil, !isHeadSent, !isStreamFinished, machine.isRunning,
            triesNext(after: .broken, .upstreamError)
        {
            return
        }
        let passes = refusal?.isClients == true && redactHeldError()
        perform(machine.upstreamEnded(refusal: refusal, passes: passes, isHeadSent: isHeadSent))
        if machine.state == .delivering { finishDelivery() }
    }

    /// The engine's connection is gone. A kept connection that closes without a word was stale: one more try.
    func upstreamLost(_ failure: ExchangeStateMachine.Failure, mayRetry: Bool) {
        connection = nil
        if mayRetry, !hasRetried, machine.state == .waiting, !machine.isClientGone {
            hasRetried = true
            loop.metrics.upstreamRetries.increment()
            return loop.pool.connect(route.backend, for: self)
        }
        flushOutput()
        hasUpstreamEnded = true
        fail(failure)
        if machine.state == .delivering { finishDelivery() }
    }

    func fail(_ failure: ExchangeStateMachine.Failure) {
        guard machine.isRunning else { return }
        if triesNext(after: TryFailure(failure), ExchangeStateMachine.termination(for: failure)) { return }
        flushOutput()
        perform(machine.failed(failure, isHeadSent: isHeadSent))
    }

    func microseconds(at time: NIODeadline) -> Int64 { (time - startedAt).nanoseconds / 1000 }
}

/// An answer's headers, as dialects look at them.
struct AnswerHeaders: HeaderLookup {
    let headers: Headers

    func first(_ lowercaseName: String) -> String? { headers.first(named: lowercaseName) }
}

extension ResponseHead {
    fileprivate var contentLength: Int64? { declaredLength.map { Int64($0) } }
}
