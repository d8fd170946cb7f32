import Accounts
import Engines
import Identity
import Metering
import NIOCore
import NIOHTTP1
import Telemetry
import UsageJournal

/// One request on its way: performs what `ExchangeStateMachine` decides, between a client's connection, an engine's
/// connection and the journal. Lives on one event loop.
final class Exchange {
    let number: Int
    let loop: LoopContext
    let admitted: AdmittedRequest
    /// Nil once the client has left.
    private(set) var client: ClientHandler?
    private(set) var machine: ExchangeStateMachine
    private(set) var entry: UsageEntry
    let startedAt: NIODeadline
    private let requestID: String
    private var request: [ByteBuffer]
    private var openRequest: (any OpenRequest)?

    private var connection: UpstreamConnection?
    private var isSentUpstream = false
    private var hasUpstreamEnded = false
    private var hasRetried = false
    private var answerBytes: Int64 = 0

    private var head: HTTPResponseHead?
    private var isHeadSent = false
    private var framing = HeaderForwarding.Framing.chunked
    private var plain: PlainRelay?
    private var stream: StreamRelay?
    /// Gathered in this turn of the event loop, for one write.
    private var output = ByteBuffer()
    /// What waits for the record.
    private var held = ByteBuffer()

    var sentUpstreamAt: NIODeadline?
    var lastReceivedAt: NIODeadline
    var drainUntil: NIODeadline?
    var lingerUntil: NIODeadline?
    var progressAt: NIODeadline
    var progressEvents: Int64 = 0

    init(
        number: Int, loop: LoopContext, client: ClientHandler, admitted: AdmittedRequest, entry: UsageEntry,
        request: [ByteBuffer], now: NIODeadline
    ) {
        self.number = number
        self.loop = loop
        self.client = client
        self.admitted = admitted
        self.entry = entry
        self.request = request
        startedAt = now
        lastReceivedAt = now
        let times = loop.shared.configuration.times
        progressAt = now + .milliseconds(times.progressMilliseconds)
        requestID = entry.request.id.description
        machine = ExchangeStateMachine(
            isStreamRequest: admitted.request.isStream, onClientAbort: admitted.grant.onClientAbort, times: times)
    }

    // MARK: Beginning

    /// Writes the open record, then asks the engine. Throws when the journal does not take it: nothing was begun then.
    func start() throws {
        openRequest = try loop.shared.journal.open(entry)
        loop.opened(self)
        connect()
    }

    private func connect() {
        if let connection = loop.pool.takeIdle(admitted.model.backend) {
            send(on: connection)
        } else {
            loop.pool.connect(admitted.model.backend, for: self)
        }
    }

    /// The connection asked for is there.
    func upstreamConnected(_ connection: UpstreamConnection) {
        guard machine.isRunning else { return loop.pool.giveBack(connection) }
        send(on: connection)
    }

    /// The connection asked for could not be had.
    func upstreamNotConnected(isTimeout: Bool) {
        perform(machine.failed(isTimeout ? .connectTimeout : .connect, isHeadSent: false))
    }

    private func send(on connection: UpstreamConnection) {
        self.connection = connection
        isSentUpstream = true
        let now = NIODeadline.now()
        sentUpstreamAt = now
        let mark = microseconds(at: now)
        entry.request.marks.upstreamSent = mark
        entry.attempts[0].marks.upstreamSent = mark
        connection.begin(self, request: request)
        if !connection.isReused { request = [] }
        if client?.isWritable == false { connection.setReading(false) }
    }

    // MARK: The engine

    func upstreamAnswered(_ head: HTTPResponseHead) {
        let now = NIODeadline.now()
        lastReceivedAt = now
        request = []
        entry.attempts[0].marks.firstByte = microseconds(at: now)
        entry.attempts[0].upstreamStatus = Int32(head.status.code)
        self.head = head
        let status = Int(head.status.code)
        let limits = loop.shared.configuration.limits
        switch machine.upstreamAnswered(status: status, isEventStream: head.isEventStream) {
        case .stream:
            stream = StreamRelay(
                keepsUsageChunk: admitted.request.wantsUsageChunk || !admitted.request.isStream,
                heldEventBytes: limits.heldEventBytes, readEventBytes: limits.readEventBytes)
            framing = client?.canReadChunks == true ? .chunked : .untilClose
            sendHead()
        case .plain:
            plain = PlainRelay(
                length: head.contentLength, wholeAnswerBytes: limits.wholeAnswerBytes,
                isMetered: (200..<300).contains(status))
        }
    }

    func upstreamSent(_ piece: ByteBuffer) {
        lastReceivedAt = .now()
        answerBytes += Int64(piece.readableBytes)
        if answerBytes > loop.shared.configuration.limits.answerBytes {
            return fail(.answerTooLarge)
        }
        if stream != nil {
            relayStream(piece)
        } else if let flowing = plain?.take(piece) {
            if !isHeadSent {
                framing = plain?.length.map { .length($0) } ?? (client?.canReadChunks == true ? .chunked : .untilClose)
                sendHead()
            }
            writeBody(flowing)
        }
    }

    private func relayStream(_ piece: ByteBuffer) {
        guard let sightings = stream?.take(piece, output: &output, held: &held) else { return }
        note(sightings)
        perform(machine.streamed(sightings, isFinished: isStreamFinished))
        if machine.state == .delivering { sendLateBytes() }
    }

    private func note(_ sightings: StreamRelay.Sightings) {
        guard sightings.contains(.content) else { return }
        let mark = microseconds(at: lastReceivedAt)
        for path in [\TimeMarks.lastToken, \TimeMarks.firstToken] {
            if path == \.firstToken, entry.attempts[0].marks.firstToken != nil { break }
            entry.attempts[0].marks[keyPath: path] = mark
            if client != nil { entry.request.marks[keyPath: path] = mark }
        }
    }

    private var isStreamFinished: Bool {
        guard let facts = stream?.facts else { return false }
        return facts.finishedChoices >= admitted.request.choiceCount
    }

    /// The engine has nothing more to read for now: what was gathered goes out.
    func upstreamPaused() { flushOutput() }

    func upstreamEnded() {
        hasUpstreamEnded = true
        connection = nil
        if stream != nil, machine.isRunning, let sightings = stream?.finish(output: &output, held: &held) {
            note(sightings)
            perform(machine.streamed(sightings, isFinished: isStreamFinished))
        }
        flushOutput()
        perform(machine.upstreamEnded())
        if machine.state == .delivering { finishDelivery() }
    }

    /// The engine's connection is gone. A kept connection that closes without a word was stale: one more try.
    func upstreamLost(_ failure: ExchangeStateMachine.Failure, mayRetry: Bool) {
        connection = nil
        if mayRetry, !hasRetried, machine.state == .waiting, !machine.isClientGone, !request.isEmpty {
            hasRetried = true
            loop.metrics.upstreamRetries.increment()
            return loop.pool.connect(admitted.model.backend, for: self)
        }
        hasUpstreamEnded = true
        flushOutput()
        fail(failure)
        if machine.state == .delivering { finishDelivery() }
    }

    func fail(_ failure: ExchangeStateMachine.Failure) {
        perform(machine.failed(failure, isHeadSent: isHeadSent))
    }

    // MARK: The client

    /// The client's connection is closed, or it closed its half.
    func clientLeft() {
        client = nil
        output.clear()
        connection?.setReading(true)
        switch machine.clientLeft(isSentUpstream: isSentUpstream) {
        case .nothing:
            if machine.state == .delivering { finishDelivery() }
        case .drain(let milliseconds): drainUntil = .now() + .milliseconds(milliseconds)
        case .end(let ending): perform(ending)
        }
    }

    func clientWritabilityChanged(_ isWritable: Bool) { connection?.setReading(isWritable) }

    private func sendHead() {
        guard let head, let client else { return }
        isHeadSent = true
        entry.request.marks.firstByte = microseconds(at: lastReceivedAt)
        var buffer = loop.buffer(512)
        HeaderForwarding.writeResponseHead(
            head, framing: framing, requestID: requestID, closes: framing == .untilClose || client.closesAfterAnswer,
            into: &buffer)
        client.write(buffer)
    }

    private func writeBody(_ bytes: ByteBuffer) {
        guard let client, bytes.readableBytes > 0 else { return }
        guard framing == .chunked else { return client.write(bytes) }
        var chunk = loop.buffer(bytes.readableBytes + 16)
        chunk.writeChunk(bytes)
        client.write(chunk)
    }

    private func flushOutput() {
        if output.readableBytes > 0 {
            writeBody(output)
            output.clear()
            client?.flush()
            KillPoint.reach(.midStream)
        } else {
            client?.flush()
        }
    }

    // MARK: The end

    private func perform(_ ending: ExchangeStateMachine.Ending?) {
        guard let ending else { return }
        let now = NIODeadline.now()
        if ending.cutsUpstream {
            connection?.cut()
            connection = nil
            hasUpstreamEnded = true
        }
        flushOutput()
        complete(ending, at: now)
        loop.close(self, openRequest, at: now)
        openRequest = nil
    }

    /// Fills in the records.
    private func complete(_ ending: ExchangeStateMachine.Ending, at now: NIODeadline) {
        let mark = microseconds(at: now)
        entry.request.outcome = ending.outcome
        entry.request.httpStatus = Int32(ending.httpStatus)
        entry.request.reason = ending.reason
        entry.request.marks.end = mark
        if plain != nil, client != nil, !isHeadSent { entry.request.marks.firstByte = mark }
        var attempt = entry.attempts[0]
        attempt.termination = ending.termination
        attempt.marks.end = mark
        if (200..<300).contains(machine.upstreamStatus), let facts = stream?.facts ?? plain?.facts {
            facts.fill(
                &attempt, operation: entry.request.operation, promptTextBytes: admitted.request.promptTextBytes,
                isCut: ending.isCut)
            // A plain answer of which the client got nothing is not billed; drained ones are, by the plan's rule.
            if plain != nil, ending.isCut, !isHeadSent { attempt.isDelivered = false }
        } else {
            attempt.usageSource = .nothing
            attempt.usageComplete = ending.termination != .clientAbort
            if case .error = ending.delivery { attempt.isDelivered = false }
        }
        entry.attempts[0] = attempt
    }

    /// The journal has answered: the end may go out, or must not.
    func recorded(isDurable: Bool) {
        loop.metrics.finished(entry)
        switch machine.recorded(isDurable: isDurable) {
        case .rest: deliverRest()
        case .error(let error):
            if isHeadSent { return cutClient() }
            client?.writeError(error, requestID: requestID)
            finish(closes: false)
        case .streamError(let error):
            writeBody(ByteBuffer(bytes: error.event))
            client?.flush()
            finish(closes: true)
        case .cut: cutClient()
        case .nothing: finishDelivery()
        }
    }

    private func deliverRest() {
        if let plain {
            if !isHeadSent {
                framing =
                    head?.status == .noContent || head?.status == .notModified
                    ? .none : .length(Int64(plain.held.readableBytes))
                sendHead()
            }
            writeBody(plain.held)
            return finishDelivery()
        }
        writeBody(held)
        held.clear()
        lingerUntil = .now() + .milliseconds(loop.shared.configuration.times.lingerMilliseconds)
        finishDelivery()
    }

    /// What an engine sends between the terminator and its response's end.
    private func sendLateBytes() {
        writeBody(held)
        held.clear()
        client?.flush()
    }

    /// Writes the end of the body once the engine's response has ended too.
    private func finishDelivery() {
        guard hasUpstreamEnded || client == nil else {
            client?.flush()
            return
        }
        if client == nil, !hasUpstreamEnded, let lingering = connection {
            lingering.cut()
            connection = nil
        }
        if framing == .chunked, isHeadSent { client?.write(ByteBuffer.lastChunk) }
        finish(closes: framing == .untilClose)
    }

    /// The engine took too long to end its response after the terminator.
    func lingerEnded() {
        connection?.cut()
        connection = nil
        hasUpstreamEnded = true
        finishDelivery()
    }

    private func cutClient() {
        let client = client
        self.client = nil
        machine.delivered()
        loop.finished(self)
        client?.cut()
    }

    private func finish(closes: Bool) {
        guard machine.state == .delivering else { return }
        machine.delivered()
        let client = client
        self.client = nil
        loop.finished(self)
        client?.finishExchange(closes: closes)
    }

    // MARK: Time

    func microseconds(at time: NIODeadline) -> Int64 { (time - startedAt).nanoseconds / 1000 }

    /// The count so far, for a progress record; nil when nothing new came.
    func progress() -> (events: Int64, buckets: TokenBuckets)? {
        guard let facts = stream?.facts, facts.contentEvents > progressEvents else { return nil }
        progressEvents = facts.contentEvents
        var attempt = entry.attempts[0]
        facts.fill(
            &attempt, operation: entry.request.operation, promptTextBytes: admitted.request.promptTextBytes,
            isCut: true)
        return (facts.contentEvents, attempt.buckets)
    }

    func appendProgress() {
        guard let (events, buckets) = progress() else { return }
        openRequest?.progress(contentEvents: events, buckets: buckets)
    }
}

extension HTTPResponseHead {
    fileprivate var isEventStream: Bool {
        headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream") ?? false
    }

    fileprivate var contentLength: Int64? { headers.first(name: "content-length").flatMap { Int64($0) } }
}

extension ByteBuffer {
    /// The zero chunk, shared.
    fileprivate static let lastChunk = ByteBuffer(staticString: "0\r\n\r\n")
}
