import Accounts
import Engines
import Metering
import Routing

/// The life of one request between client, engine and journal, without any of the three: it is told what happened and
/// says what it means.
///
/// `waiting` for the engine's answer → `relaying` it → `closing` while the record is made durable → `delivering` what
/// was held → `finished`. Whatever ends a request ends it through one `Ending`, so that there is one record of it.
struct ExchangeStateMachine {
    enum Shape: Hashable { case plain, stream }

    enum State: Hashable {
        /// The engine has not answered yet.
        case waiting
        /// Its answer is passing.
        case relaying(Shape)
        /// The answer has ended; the record is on its way to the disk.
        case closing(Delivery)
        /// The record is durable and the end of the answer is going out.
        case delivering
        case finished
    }

    /// What the client gets once the record is durable.
    enum Delivery: Hashable {
        /// What was held, and the proper end.
        case rest
        /// An error event, then the connection is closed without the stream's end.
        case streamError(APIError)
        /// An error in place of the answer.
        case error(APIError)
        /// Nothing: the connection is closed so that the answer is visibly incomplete.
        case cut
        /// The client is gone.
        case nothing
    }

    /// How a request ended: what goes into its record, and what is to be done.
    struct Ending: Hashable {
        var termination: Termination
        var outcome: RequestOutcome
        /// The status that the client was sent, or would be.
        var httpStatus: Int
        /// Empty on success.
        var reason = ""
        var delivery: Delivery
        /// Whether the engine's connection must be closed: its answer has not ended.
        var cutsUpstream: Bool
        /// Whether usage is what came before the answer broke off, rather than a whole answer's.
        var isCut = false
        /// Whether the engine had the request when its client left, and is not known to have failed: it reads what it
        /// was sent, whether anything came of it or not.
        var wasRead = false
    }

    /// What broke between gateway and engine.
    enum Failure: Hashable {
        case connect
        case connectTimeout
        /// The connection broke or its bytes were no HTTP.
        case broken
        case firstByteTimeout
        case idleTimeout
        case totalTimeout
        case answerTooLarge
        /// The gateway is stopping and waits no longer.
        case stopped
    }

    /// What to do when the client has left.
    enum ClientLeftAction: Hashable {
        case nothing
        /// Nobody is left to deliver to.
        case finishDelivery
        case end(Ending)
    }

    /// What has taken too long.
    enum Overdue: Hashable {
        case failure(Failure)
        /// The engine has not ended its response after the stream's end.
        case linger
        /// Nor said behind it what the answer cost.
        case usage
    }

    /// What is known of the running try alone.
    private struct Try {
        /// The engine's status; 0 before its answer.
        var upstreamStatus = 0
        /// Whether its head came, which does not say yet how its answer is passed on.
        var hasHead = false
        /// When the request was sent to the engine; nil before.
        var sentAt: Int64?
        var hasUpstreamEnded = false
        /// Whether a kept connection turned out stale and another was taken for the same try.
        var hasReplacedConnection = false
        var sawStreamError = false
        /// What the first error inside an answer meant that had begun to go out.
        var streamRefusal: EngineRefusal?
        var isStreamFinished = false
        /// Until when an engine may say behind its stream's end what the answer cost; nil while there is no end that it
        /// left out.
        var usageUntil: Int64?
    }

    private(set) var state = State.waiting
    private(set) var isClientGone = false
    /// Whether it left before its answer's last word.
    private(set) var hasMissedEnd = false
    /// Whether the client has begun to see its answer.
    private(set) var isHeadSent = false
    /// Whether the engine is asked for the second time, without the members that are the gateway's own.
    private(set) var isAskedAgain = false
    private var current = Try()
    private var triesMade = 1
    /// When the engine was last heard. Times are microseconds since the request began.
    private(set) var lastReceivedAt: Int64 = 0
    private var drainUntil = Int64.max
    private var lingerUntil = Int64.max

    private let onClientAbort: ClientAbortPolicy
    private let isStreamRequest: Bool
    private let policy: TryPolicy
    private let times: GatewayConfiguration.Times

    init(
        isStreamRequest: Bool, onClientAbort: ClientAbortPolicy, times: GatewayConfiguration.Times, triesMax: Int = 1
    ) {
        policy = TryPolicy(triesMax: triesMax)
        self.isStreamRequest = isStreamRequest
        self.onClientAbort = onClientAbort
        self.times = times
    }

    /// The engine's status; 0 before its answer.
    var upstreamStatus: Int { current.upstreamStatus }
    var isSentUpstream: Bool { current.sentAt != nil }
    var sawStreamError: Bool { current.sawStreamError }
    var isStreamFinished: Bool { current.isStreamFinished }
    var streamRefusal: EngineRefusal? { current.streamRefusal }
    /// Whether the stream's end has come, and what the answer cost has not.
    var awaitsUsage: Bool { current.usageUntil != nil }

    /// Whether the request still waits for something from the engine that it wants.
    var isRunning: Bool {
        switch state {
        case .waiting, .relaying: true
        case .closing, .delivering, .finished: false
        }
    }

    // MARK: The engine

    /// The request goes out to the engine.
    mutating func sentUpstream(at now: Int64) {
        assert(state == .waiting, "an engine that answers is asked nothing more")
        current.sentAt = now
    }

    /// The engine's head came: says how its answer is passed on.
    mutating func upstreamAnswered(status: Int, isEventStream: Bool, at now: Int64) -> Shape {
        lastReceivedAt = now
        current.upstreamStatus = status
        let shape: Shape = isEventStream && (200..<300).contains(status) ? .stream : .plain
        state = .relaying(shape)
        return shape
    }

    /// The engine's head came, and only the first bytes behind it will say how its answer is passed on.
    mutating func headCame(at now: Int64) {
        lastReceivedAt = now
        current.hasHead = true
    }

    /// Bytes of the answer came.
    mutating func received(at now: Int64) { lastReceivedAt = now }

    /// The client begins to see its answer.
    mutating func headSent() {
        assert(!isHeadSent, "an answer has one head")
        isHeadSent = true
    }

    /// Events of a stream came by. `isFinished`: all choices have a finish reason. `refusal`: what an error among them
    /// meant. Ends at the terminator; where the engine has said nothing of what the answer cost (`lacksUsage`), it may
    /// do so behind it for a moment, or until its response ends.
    mutating func streamed(
        _ signals: StreamSignals, isFinished: Bool, lacksUsage: Bool = false, refusal: EngineRefusal? = nil
    ) -> Ending? {
        guard case .relaying(.stream) = state else { return nil }
        current.streamRefusal = current.streamRefusal ?? refusal
        if signals.contains(.error) { current.sawStreamError = true }
        if signals.contains(.failure) { return end(endingOfFailedAnswer) }
        current.isStreamFinished = isFinished || awaitsUsage
        guard signals.contains(.terminator) || awaitsUsage else { return nil }
        guard lacksUsage, !sawStreamError, !current.hasUpstreamEnded else { return end(endingOfWholeAnswer) }
        current.isStreamFinished = true
        current.usageUntil = current.usageUntil ?? lastReceivedAt + times.usageBehindEndMilliseconds * 1000
        return nil
    }

    /// Nothing was said behind the stream's end.
    mutating func usageNeverCame() -> Ending? { isRunning && awaitsUsage ? end(endingOfWholeAnswer) : nil }

    /// Whether another backend may be asked after a try that failed.
    func mayTryNext(after failure: TryFailure) -> Bool {
        guard isRunning, !awaitsUsage else { return false }
        return policy.triesNext(
            after: failure, triesMade: triesMade, isAnswerBegun: isHeadSent, isClientGone: isClientGone)
    }

    /// Another backend is asked: everything is as if none had been.
    mutating func triesAgain() {
        guard isRunning else { return }
        triesMade += 1
        assert(triesMade <= policy.triesMax && !isClientGone, "a try that nobody asked for")
        state = .waiting
        current = Try()
        isAskedAgain = false
    }

    /// Whether a kept connection that closed without a word is replaced by another. Once a try.
    mutating func replacesConnection() -> Bool {
        guard state == .waiting, !isClientGone, !current.hasReplacedConnection else { return false }
        current = Try(hasReplacedConnection: true)
        return true
    }

    /// The engine refused members of ours: it is asked once more without them, which is no other try. False where
    /// nobody waits for that.
    mutating func asksAgain() -> Bool {
        guard case .relaying(.plain) = state, !isClientGone, !isAskedAgain else { return false }
        assert(!isHeadSent, "a client that sees an answer gets no other")
        state = .waiting
        current = Try()
        isAskedAgain = true
        return true
    }

    /// Nothing more comes from the engine, whether its response was whole or not.
    mutating func upstreamClosed() { current.hasUpstreamEnded = true }

    /// The engine's response ended properly. `refusal`: in place of an answer it held an error, whatever its status.
    /// `passes`: the error's own words may be shown to a client whose mistake it is. `failure`: what it means that a
    /// plain answer of which the client has seen most says that it failed.
    mutating func upstreamEnded(
        refusal: EngineRefusal? = nil, passes: Bool = true, failure: EngineRefusal? = nil
    ) -> Ending? {
        current.hasUpstreamEnded = true
        switch state {
        case .relaying(.plain):
            if let refusal { return end(endingOfRefusal(refusal, passes: passes)) }
            if !(200..<300).contains(upstreamStatus) {
                return end(endingOfRefusal(EngineRefusal(meaning: .unavailable), passes: false))
            }
            if let failure {
                current.streamRefusal = failure
                return end(endingOfFailedAnswer)
            }
            return end(endingOfWholeAnswer)
        case .relaying(.stream):
            if isStreamFinished || sawStreamError { return end(endingOfWholeAnswer) }
            let code = "stream_incomplete"
            let message = "The engine closed the stream before the response was complete."
            return end(brokenStream(code, message))
        case .waiting, .closing, .delivering, .finished: return nil
        }
    }

    /// Something broke, or a limit was passed.
    mutating func failed(_ failure: Failure) -> Ending? {
        guard isRunning else { return nil }
        // All of the answer had come.
        if awaitsUsage { return end(endingOfWholeAnswer) }
        if isClientGone, failure != .stopped {
            var ending = clientAbort
            // What broke at the engine is none of the client's cost; what took too long for it is.
            ending.wasRead = current.sentAt != nil && failure == .totalTimeout
            return end(ending)
        }
        let error = error(for: failure)
        var ending = Ending(
            termination: Self.termination(for: failure), outcome: .providerError, httpStatus: error.status,
            reason: error.code, delivery: .error(error), cutsUpstream: true, isCut: true)
        if failure == .stopped { ending.outcome = .gatewayLost }
        if isHeadSent {
            ending.httpStatus = upstreamStatus
            let isStream = state == .relaying(.stream)
            ending.delivery = isStream && !sawStreamError ? .streamError(error) : .cut
        }
        return end(ending)
    }

    // MARK: The client

    /// The client closed its connection, or its half of it, or took nothing for too long. `needsEnd`: only the answer's
    /// end says what it cost, so that a stream is read on, too, as long as a plain answer is.
    mutating func clientLeft(at now: Int64, needsEnd: Bool = false) -> ClientLeftAction {
        guard !isClientGone else { return .nothing }
        isClientGone = true
        hasMissedEnd = !isStreamFinished
        switch state {
        case .closing:
            state = .closing(.nothing)
            return .nothing
        case .delivering: return .finishDelivery
        case .finished: return .nothing
        case .relaying(.stream):
            guard isStreamFinished || needsEnd else { return .end(end(clientAbort)) }
            let drain = isStreamFinished && !needsEnd ? times.finishedDrainMilliseconds : times.plainDrainMilliseconds
            drainUntil = now + drain * 1000
            return .nothing
        case .waiting, .relaying(.plain):
            let drains = needsEnd || !isStreamRequest && onClientAbort == .drain
            guard isSentUpstream, drains else { return .end(end(clientAbort)) }
            drainUntil = now + times.plainDrainMilliseconds * 1000
            return .nothing
        }
    }

    // MARK: The journal

    /// The record is durable, or never will be: says what the client gets. Without the record, never the end.
    mutating func recorded(isDurable: Bool) -> Delivery {
        guard case .closing(let delivery) = state else { return .nothing }
        state = .delivering
        guard isDurable else { return isClientGone ? .nothing : .cut }
        return delivery
    }

    /// A stream's end has gone out. The engine has a while to end its response.
    mutating func streamDelivered(at now: Int64) { lingerUntil = now + times.lingerMilliseconds * 1000 }

    /// Whether nothing more is to be waited for before the body's end is written.
    var mayFinishDelivery: Bool { current.hasUpstreamEnded || isClientGone }

    /// All has gone out, or there is nobody left to send it to.
    mutating func delivered() {
        assert(state == .delivering, "nothing is delivered before its record is durable")
        state = .finished
    }

    // MARK: Time

    /// What has taken too long by now. `isHeldUp`: the client takes nothing, so the engine is not read, and its silence
    /// is none. `readsOn`: what is read for a client that left is read on for as long as any answer.
    func overdue(at now: Int64, isHeldUp: Bool, readsOn: Bool = false) -> Overdue? {
        switch state {
        case .closing, .finished: return nil
        case .delivering: return now >= lingerUntil ? .linger : nil
        case .waiting, .relaying: break
        }
        if let until = current.usageUntil, now >= until { return .usage }
        let end = min(times.totalMilliseconds * 1000, readsOn ? .max : drainUntil)
        if now >= end { return .failure(.totalTimeout) }
        if state == .waiting, !current.hasHead {
            guard let sentAt = current.sentAt else { return nil }
            return now >= sentAt + times.firstByteMilliseconds * 1000 ? .failure(.firstByteTimeout) : nil
        }
        return !isHeldUp && now >= lastReceivedAt + times.answerIdleMilliseconds * 1000 ? .failure(.idleTimeout) : nil
    }

    private mutating func end(_ ending: Ending) -> Ending {
        assert(isRunning, "a request ends once")
        assert((ending.outcome == .success) == ending.reason.isEmpty, "whatever fails has a reason")
        var ending = ending
        if ending.cutsUpstream { current.hasUpstreamEnded = true }
        if isClientGone { ending.delivery = .nothing }
        state = .closing(ending.delivery)
        return ending
    }
}
