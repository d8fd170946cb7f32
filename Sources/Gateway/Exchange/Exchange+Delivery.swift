import Engines
import HTTP1
import Limits
import Metering
import NIOCore
import Pricing
import Telemetry
import UsageJournal

/// The client's side of an exchange, and its end.
extension Exchange {
    // MARK: The client

    /// The client's connection is closed, or it closed its half.
    func clientLeft() {
        client = nil
        settleBeginning()
        output.clear()
        running.connection?.setReading(true)
        switch machine.clientLeft(at: microseconds(at: .now()), needsEnd: isCostHidden || cannotBeFollowed) {
        case .nothing: break
        case .finishDelivery: finishDelivery()
        case .end(let ending): perform(ending)
        }
    }

    /// Whether only usage that has not come yet tells what the answer cost: the request names what the engine keeps (an
    /// earlier response, a file, a cache), which the model reads and is not in sight here; the engine runs tools for
    /// it; or the model reasons out of sight.
    private var isCostHidden: Bool {
        let usage = running.facts?.usage
        let request = admitted.request
        // Pictures are made whole, and only their end tells what they came to.
        if request.operation == .imageGeneration, usage == nil { return true }
        if request.readsKeptText, usage?.promptTokens == nil { return true }
        // What an address leads to, or a template writes, the engine reads.
        if request.namesAddress || request.choosesTemplate, usage?.promptTokens == nil { return true }
        // What tools found, and what was made shorter, is in the last usage alone, whatever came before.
        if request.runsTools || request.managesContext { return true }
        guard usage?.reasoningTokens == nil else { return false }
        let kind = running.route.backend.kind
        if kind.countsThoughtsInChunks, request.surface == .geminiGenerate, usage != nil { return false }
        let shown = running.facts?.showsReasoning == true
        let work = running.facts?.hiddenWork ?? []
        if work.contains(.summary) { return true }
        // What has begun is hidden until some of it is shown, and for a service that shows summaries even then.
        if work.contains(.reasoning), kind.hidesReasoning || !shown { return true }
        switch request.reasoning {
        case .hidden: return true
        case .asked where kind.hidesReasoning || kind.mayHideReasoning && !shown: return true
        case .unsaid where kind.hidesReasoning && mayReasonUnasked: return true
        case .asked, .unsaid: return running.ticket?.hidesOutput == true
        }
    }

    /// Whether the client left, can fetch whole what it left, and nobody would ask what that came to, because too much
    /// is asked after already: then it is read until there is room again.
    var cannotBeFollowed: Bool {
        client == nil && running.stream != nil && admitted.request.mayBeFetchedLater(from: running.route.backend.kind)
            && !loop.settlements.hasRoomForLeft(of: entry.request.accountID)
    }

    /// Models of a service that hides reasoning may reason unasked. What an easy question was answered with proves
    /// nothing: only a model that reasoned and showed it, or one of a family that never does, is known for it.
    private var mayReasonUnasked: Bool {
        if running.ticket?.showsOutput == true { return false }
        return !KnownModels.neverReason(running.facts?.model ?? running.route.upstreamName)
    }

    func clientWritabilityChanged(_ isWritable: Bool) { running.connection?.setReading(isWritable) }

    /// Writes the head; a body that goes out with it is in the same buffer.
    func sendHead(with body: ByteBuffer = ByteBuffer()) {
        guard let head = running.head, let client else { return }
        machine.headSent()
        entry.request.marks.firstByte = machine.lastReceivedAt
        noteFirstWord()
        var buffer = loop.buffer(512 + body.readableBytes)
        HeaderForwarding.writeResponseHead(
            head, status: running.shownStatus ?? head.status, framing: running.framing, requestID: requestID,
            own: ownHeaders(), closes: running.framing == .untilClose || client.closesAfterAnswer, into: &buffer)
        buffer.writeImmutableBuffer(body)
        client.write(buffer)
    }

    /// What is promised of the first token is kept by the first word of the engine that the client hears, where the
    /// client chose what is waited for then.
    func noteFirstWord() {
        guard admitted.request.takesItsOwnTime, client != nil, machine.isHeadSent else { return }
        entry.request.marks.firstToken = entry.request.marks.firstToken ?? running.firstWord
    }

    /// A stream's head, once there are bytes to follow it.
    private func sendHeadOfStream() {
        guard !machine.isHeadSent, running.stream != nil else { return }
        sendHead()
        body = ByteBuffer()
    }

    func writeBody(_ bytes: ByteBuffer) {
        guard let client, bytes.readableBytes > 0 else { return }
        guard running.framing == .chunked else { return client.write(bytes) }
        var chunk = loop.buffer(bytes.readableBytes + 16)
        chunk.writeChunk(bytes)
        client.write(chunk)
    }

    func flushOutput() {
        guard output.readableBytes > 0 else {
            client?.flush()
            return
        }
        sendHeadOfStream()
        if running.framing == .chunked, output.endChunk() { client?.write(output) } else { writeBody(output) }
        client?.flush()
        // Nearly always the socket took it, and the memory can be used again.
        output.clear()
        KillPoint.reach(.midStream)
    }

    // MARK: The end

    func perform(_ ending: ExchangeStateMachine.Ending?) {
        guard let ending else { return }
        let now = NIODeadline.now()
        if ending.cutsUpstream { cutUpstream() }
        flushOutput()
        complete(ending, at: now)
        if let work = workToSettle() ?? workLeftBehind(ending) {
            // The answer is only a receipt, or its client has left it to its engine: the record is closed once it is
            // known what the work came to.
            closesLater = true
            if work.kind == .leftStream { hold?.settle(LimitUsage(entry.attempts)) }
            keepOpen(at: now, attempts: work.attemptsOnRecord)
            return loop.settlements.add(work, seen: running.facts)
        }
        hold?.settle(LimitUsage(entry.attempts))
        if running.counting != nil, closesLate(at: now) { return }
        loop.exchanges.close(self, openRequest, at: now)
        openRequest = nil
    }

    /// The record is closed after the client has seen the end. Should the gateway die meanwhile, or the power fail,
    /// this is what it knew.
    ///
    /// `attempts`: with the engine's id of work that goes on, by which any process can ask after it.
    func keepOpen(at now: NIODeadline, attempts: [AttemptRecord] = []) {
        guard let openRequest else { return }
        self.openRequest = nil
        loop.exchanges.keepOpen(
            self, openRequest,
            UsageProgress(
                requestID: entry.request.id, contentEvents: attempt.contentEvents, buckets: attempt.buckets,
                units: attempt.units, attempts: attempts), at: now)
    }

    /// What is to be asked for later; nil for answers that say themselves what they came to.
    private func workToSettle() -> Settlements.Pending? {
        guard admitted.request.endsLater, (200..<300).contains(machine.upstreamStatus), !isErrorInPlaceOfAnswer,
            let openRequest, let facts = running.facts, let id = facts.id, !facts.hasEndedLater,
            running.route.backend.target(ofWork: id, surface: entry.request.surface) != nil
        else { return nil }
        // However it ended, it is a receipt: how the work ends is said later, and this id is what it is asked after by.
        entry.attempts.removeLast(entry.attempts.count - attemptIndex - 1)
        attempt.upstreamID = id
        attempt.termination = .complete
        return Settlements.Pending(
            .receipt, entry: entry, open: openRequest, request: admitted.request, hold: hold,
            choices: admitted.request.choices)
    }

    /// A response whose stream was left, and which its engine may finish and keep all the same: its client knows its id
    /// and can fetch it whole. Nil where none can.
    private func workLeftBehind(_ ending: ExchangeStateMachine.Ending) -> Settlements.Pending? {
        let backend = running.route.backend
        guard ending.termination == .clientAbort, admitted.request.mayBeFetchedLater(from: backend.kind),
            running.stream != nil, entry.attempts.count == attemptIndex + 1,
            loop.settlements.hasRoomForLeft(of: entry.request.accountID),
            let openRequest, let id = running.facts?.id, attempt.upstreamID == id,
            backend.target(ofWork: id, surface: entry.request.surface) != nil
        else { return nil }
        return Settlements.Pending(
            .leftStream, entry: entry, open: openRequest, request: admitted.request, hold: hold)
    }

    /// Fills in the records.
    private func complete(_ ending: ExchangeStateMachine.Ending, at now: NIODeadline) {
        let mark = microseconds(at: now)
        entry.request.outcome = ending.outcome
        entry.request.httpStatus = Int32(ending.httpStatus)
        entry.request.reason = ending.reason
        entry.request.marks.end = mark
        if running.plain != nil, client != nil, !machine.isHeadSent { entry.request.marks.firstByte = mark }
        var ended = attempt
        ended.termination = ending.termination
        ended.marks.end = mark
        // Looking at a prediction, or cancelling one, is no inference, whatever its answer repeats.
        let isInference = admitted.request.native?.isInference != false
        let isAnswer = (200..<300).contains(machine.upstreamStatus) && !isErrorInPlaceOfAnswer && isInference
        // Before its head an engine has the prompt all the same.
        let wasRead = isInference && ending.wasRead && machine.upstreamStatus == 0 && !admitted.request.endsLater
        let facts = isAnswer ? running.facts : wasRead ? AnswerFacts() : nil
        if !isBarren(ending), let facts {
            // A plain answer of which the client got nothing is not billed; drained ones are, by the plan's rule. Nor a
            // stream that broke before the client had any of it. That goes for every inference inside it.
            let isPlainLoss = running.plain != nil && !ending.wasRead
            if ending.isCut, !machine.isHeadSent, isPlainLoss || client != nil { ended.isDelivered = false }
            let own = running.counting.map { ownCounts($0, facts, ending, base: ended) } ?? OwnCounts()
            let loop = loop
            let requestID = entry.request.id
            let inferences = facts.attempts(
                completing: ended, request: admitted.request, isCut: ending.isCut, own: own,
                priceKey: { loop.priceKey(of: $0) },
                newID: { loop.ids.attempt(of: requestID) })
            ended = inferences[0]
            if isWorkThatFailed, ending.outcome == .success {
                entry.request.outcome = .clientError
                entry.request.reason = meaning(ofErrorIn: facts).reasonOfFailedWork
            }
            if let counting = running.counting { audit(counting, ended, own) }
            entry.attempts.append(
                contentsOf: inferences.dropFirst().prefix(UsageEntry.attemptsMax - entry.attempts.count))
        } else {
            if !isInference { noteSeenWork() }
            ended.usageSource = .nothing
            ended.usageComplete = ending.termination != .clientAbort
            if case .error = ending.delivery { ended.isDelivered = false }
        }
        if admitted.request.endsLater, isAnswer, let id = facts?.id, facts?.hasEndedLater == false,
            running.route.backend.target(ofWork: id, surface: entry.request.surface) == nil
        {
            ended.contradiction = "the engine gave this work an id that it cannot be asked after by"
        }
        if billsRequestedTier(of: ended) { ended.notes.insert(.tierUnpriced) }
        attempt = ended
        giveBackTicket(of: ended, at: now)
    }

    /// A client that looks at its prediction, or cancels it, shows what it has come to.
    private func noteSeenWork() {
        guard (200..<300).contains(machine.upstreamStatus), let facts = running.plain?.facts, let id = facts.id else {
            return
        }
        loop.shared.settlements.saw(facts, of: ObjectSeal.Place(backend: running.route.backend.name, id: id))
    }

    /// Whether a stream failed before the model had said anything: whatever the engine says that it used, a failure
    /// costs nothing. A client that left before the first word had its prompt read.
    private func isBarren(_ ending: ExchangeStateMachine.Ending) -> Bool {
        guard let stream = running.stream, stream.meter.contentEvents == 0 else { return false }
        switch ending.termination {
        case .upstreamError, .timeout, .limitReached, .gatewayLost: return true
        case .complete, .clientAbort: return false
        }
    }

    /// The journal has answered: the end may go out, or must not.
    func recorded(isDurable: Bool) {
        if running.counting?.isLate != true, !closesLater { loop.metrics.finished(entry) }
        log()
        loop.settleIdempotencyKey(of: entry)
        switch machine.recorded(isDurable: isDurable) {
        case .rest: deliverRest()
        case .error(let error):
            if machine.isHeadSent { return cutClient() }
            client?.writeError(error, requestID: requestID)
            finish(closes: false)
        case .streamError(let error):
            writeBody(ByteBuffer(bytes: ErrorEnvelope(entry.request.surface).event(of: error)))
            client?.flush()
            finish(closes: true)
        case .cut: cutClient()
        case .nothing: finishDelivery()
        }
    }

    /// One line for each request that failed on our side; for every request when faults are looked for.
    private func log() {
        let log = loop.shared.log
        let isFailure = entry.request.outcome == .providerError || entry.request.outcome == .gatewayLost
        let level = isFailure ? StructuredLog.Level.warning : .debug
        guard level >= log.minimumLevel else { return }
        let attempt = attempt
        log.log(
            level, isFailure ? "request failed" : "request ended",
            [
                "request_id": "\(requestID)", "tenant": "\(entry.request.tenantID)",
                "model": "\(entry.request.model)", "backend": "\(attempt.backend)",
                "outcome": "\(entry.request.outcome.rawValue)", "reason": "\(entry.request.reason)",
                "status": .integer(Int64(entry.request.httpStatus)),
                "upstream_status": .integer(Int64(attempt.upstreamStatus)),
                "termination": "\(attempt.termination.rawValue)",
                "duration_microseconds": .integer(entry.request.marks.end ?? 0),
            ])
    }

    /// Bytes of a plain answer as the client sees them.
    func sealed(_ bytes: ByteBuffer, isLast: Bool = false) -> ByteBuffer {
        guard let seal = running.seal else { return bytes }
        seal.learn(running.plain?.facts.id)
        var output = ByteBuffer()
        bytes.withUnsafeReadableBytes { seal.take($0, into: &output) }
        if isLast { seal.finish(into: &output) }
        return output
    }

    private func deliverRest() {
        if let plain = running.plain {
            let rest = sealed(plain.held, isLast: true)
            if !machine.isHeadSent {
                running.framing =
                    running.head?.status == 204 || running.head?.status == 304
                    ? .none : .length(Int64(rest.readableBytes))
                sendHead(with: rest)
            } else {
                writeBody(rest)
            }
            return finishDelivery()
        }
        sendHeadOfStream()
        writeBody(held)
        held = ByteBuffer()
        machine.streamDelivered(at: microseconds(at: .now()))
        finishDelivery()
    }

    /// What an engine sends between the terminator and its response's end.
    func sendLateBytes() {
        writeBody(held)
        held = ByteBuffer()
        client?.flush()
    }

    /// Writes the end of the body once the engine's response has ended too.
    func finishDelivery() {
        guard machine.mayFinishDelivery else {
            client?.flush()
            return
        }
        cutUpstream()
        if running.framing == .chunked, machine.isHeadSent { client?.write(ByteBuffer.lastChunk) }
        finish(closes: running.framing == .untilClose)
    }

    /// The engine took too long to end its response after the terminator.
    func lingerEnded() {
        cutUpstream()
        machine.upstreamClosed()
        finishDelivery()
    }

    /// Whatever the engine still sends, nobody takes it.
    private func cutUpstream() {
        running.connection?.cut()
        running.connection = nil
    }

    private func cutClient() {
        // After an error and the terminator the engine may go on for ever, and nobody would look at the time any more.
        cutUpstream()
        let client = client
        self.client = nil
        machine.delivered()
        loop.exchanges.finished(self)
        client?.cut()
    }

    private func finish(closes: Bool) {
        guard machine.state == .delivering else { return }
        machine.delivered()
        let client = client
        self.client = nil
        loop.exchanges.finished(self)
        client?.finishExchange(closes: closes)
    }
}

extension ByteBuffer {
    /// The zero chunk, shared.
    fileprivate static let lastChunk = ByteBuffer(staticString: "0\r\n\r\n")
}
