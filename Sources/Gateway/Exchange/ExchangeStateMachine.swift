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
        /// Read on for this long, at most.
        case drain(milliseconds: Int64)
        case end(Ending)
    }

    private(set) var state = State.waiting
    private(set) var isClientGone = false
    /// The engine's status; 0 before its answer.
    private(set) var upstreamStatus = 0
    private(set) var sawStreamError = false
    /// What the first error inside a stream meant.
    private var streamRefusal: EngineRefusal?
    private var isStreamFinished = false
    private let onClientAbort: ClientAbortPolicy
    private let isStreamRequest: Bool
    private let policy: TryPolicy
    private var triesMade = 1
    private let finishedDrainMilliseconds: Int64
    private let plainDrainMilliseconds: Int64

    init(
        isStreamRequest: Bool, onClientAbort: ClientAbortPolicy, times: GatewayConfiguration.Times, triesMax: Int = 1
    ) {
        policy = TryPolicy(triesMax: triesMax)
        self.isStreamRequest = isStreamRequest
        self.onClientAbort = onClientAbort
        finishedDrainMilliseconds = times.finishedDrainMilliseconds
        plainDrainMilliseconds = times.plainDrainMilliseconds
    }

    /// Whether the request still waits for something from the engine that it wants.
    var isRunning: Bool {
        switch state {
        case .waiting, .relaying: true
        case .closing, .delivering, .finished: false
        }
    }

    // MARK: The engine

    /// The engine's head came: says how its answer is passed on.
    mutating func upstreamAnswered(status: Int, isEventStream: Bool) -> Shape {
        upstreamStatus = status
        let shape: Shape = isEventStream && (200..<300).contains(status) ? .stream : .plain
        state = .relaying(shape)
        return shape
    }

    /// Events of a stream came by. `isFinished`: all choices have a finish reason. `refusal`: what an error among them
    /// meant. Ends at the terminator.
    mutating func streamed(_ signals: StreamSignals, isFinished: Bool, refusal: EngineRefusal? = nil) -> Ending? {
        guard case .relaying(.stream) = state else { return nil }
        streamRefusal = streamRefusal ?? refusal
        if signals.contains(.error) { sawStreamError = true }
        if signals.contains(.failure) { return end(endingOfFailedAnswer) }
        isStreamFinished = isFinished
        return signals.contains(.terminator) ? end(endingOfWholeAnswer) : nil
    }

    /// Whether another backend may be asked after a try that failed. `isHeadSent`: the client has begun to see its
    /// answer.
    func mayTryNext(after failure: TryFailure, isHeadSent: Bool) -> Bool {
        guard isRunning else { return false }
        return policy.triesNext(
            after: failure, triesMade: triesMade, isAnswerBegun: isHeadSent, isClientGone: isClientGone)
    }

    /// Another backend is asked: everything is as if none had been.
    mutating func triesAgain() {
        guard isRunning else { return }
        triesMade += 1
        assert(triesMade <= policy.triesMax && !isClientGone, "a try that nobody asked for")
        state = .waiting
        upstreamStatus = 0
        sawStreamError = false
        streamRefusal = nil
        isStreamFinished = false
    }

    /// The engine refused members of ours: it is asked once more without them, which is no other try. False where
    /// nobody waits for that.
    mutating func asksAgain() -> Bool {
        guard case .relaying(.plain) = state, !isClientGone else { return false }
        state = .waiting
        upstreamStatus = 0
        return true
    }

    /// The engine's response ended properly. `refusal`: in place of an answer it held an error, whatever its status.
    /// `passes`: the error's own words may be shown to a client whose mistake it is. `isHeadSent`: the client has begun
    /// to see its answer.
    mutating func upstreamEnded(
        refusal: EngineRefusal? = nil, passes: Bool = true, isHeadSent: Bool = true
    ) -> Ending? {
        switch state {
        case .relaying(.plain):
            if let refusal { return end(endingOfRefusal(refusal, passes: passes)) }
            if !(200..<300).contains(upstreamStatus) {
                return end(endingOfRefusal(EngineRefusal(meaning: .unavailable), passes: false))
            }
            return end(endingOfWholeAnswer)
        case .relaying(.stream):
            if isStreamFinished || sawStreamError { return end(endingOfWholeAnswer) }
            let code = "stream_incomplete"
            let message = "The engine closed the stream before the response was complete."
            return end(brokenStream(code, message, isHeadSent: isHeadSent))
        case .waiting, .closing, .delivering, .finished: return nil
        }
    }

    /// Something broke, or a limit was passed. `isHeadSent`: the client has the answer's status already.
    mutating func failed(_ failure: Failure, isHeadSent: Bool) -> Ending? {
        guard isRunning else { return nil }
        if isClientGone, failure != .stopped { return end(clientAbort) }
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

    /// The client closed its connection, or its half of it, or took nothing for too long.
    mutating func clientLeft(isSentUpstream: Bool) -> ClientLeftAction {
        guard !isClientGone else { return .nothing }
        isClientGone = true
        switch state {
        case .closing:
            state = .closing(.nothing)
            return .nothing
        case .delivering, .finished: return .nothing
        case .relaying(.stream):
            return isStreamFinished ? .drain(milliseconds: finishedDrainMilliseconds) : .end(end(clientAbort))
        case .waiting, .relaying(.plain):
            let isDrained = !isStreamRequest && isSentUpstream && onClientAbort == .drain
            return isDrained ? .drain(milliseconds: plainDrainMilliseconds) : .end(end(clientAbort))
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

    /// All has gone out, or there is nobody left to send it to.
    mutating func delivered() {
        assert(state == .delivering, "nothing is delivered before its record is durable")
        state = .finished
    }

    // MARK: Endings

    private mutating func end(_ ending: Ending) -> Ending {
        assert(isRunning, "a request ends once")
        assert((ending.outcome == .success) == ending.reason.isEmpty, "whatever fails has a reason")
        var ending = ending
        if isClientGone { ending.delivery = .nothing }
        state = .closing(ending.delivery)
        return ending
    }

    private var clientAbort: Ending {
        Ending(
            termination: .clientAbort, outcome: .clientAbort, httpStatus: 499, reason: "client_closed",
            delivery: .nothing, cutsUpstream: true, isCut: true)
    }

    private func brokenStream(_ code: String, _ message: String, isHeadSent: Bool) -> Ending {
        if isClientGone { return clientAbort }
        let error = APIError.upstream(502, code, message)
        var ending = Ending(
            termination: .upstreamError, outcome: .providerError, httpStatus: upstreamStatus, reason: code,
            delivery: sawStreamError ? .cut : .streamError(error), cutsUpstream: false, isCut: true)
        if !isHeadSent {
            ending.httpStatus = error.status
            ending.delivery = .error(error)
        }
        return ending
    }

    /// The engine said all it wanted to: an answer, an error, or a stream that ended in an error.
    private var endingOfWholeAnswer: Ending {
        if sawStreamError {
            let isClients = streamRefusal?.isClients == true
            return Ending(
                termination: .upstreamError, outcome: isClients ? .clientError : .providerError,
                httpStatus: upstreamStatus, reason: isClients ? "engine_rejected" : "stream_error", delivery: .cut,
                cutsUpstream: false, isCut: true)
        }
        // A stream whose client left after the last word was delivered in full; a plain answer was not delivered.
        let isMissed = isClientGone && !isStreamFinished
        return Ending(
            termination: .complete, outcome: isMissed ? .clientAbort : .success,
            httpStatus: isMissed ? 499 : upstreamStatus, reason: isMissed ? "client_closed" : "", delivery: .rest,
            cutsUpstream: false)
    }

    /// The last word of a stream says that the answer failed: the client reads it, without what is not for it.
    private var endingOfFailedAnswer: Ending {
        let outcome: RequestOutcome = streamRefusal?.isClients == true ? .clientError : .providerError
        return Ending(
            termination: .upstreamError, outcome: isClientGone ? .clientAbort : outcome,
            httpStatus: isClientGone ? 499 : upstreamStatus,
            reason: outcome == .clientError ? "engine_rejected" : "stream_error", delivery: .rest, cutsUpstream: false,
            isCut: true)
    }

    /// The engine refused, or failed at once. `EngineRefusal.consequences` says whose fault that is and what the client
    /// is told.
    private func endingOfRefusal(_ refusal: EngineRefusal, passes: Bool) -> Ending {
        var ending = Ending(
            termination: .upstreamError, outcome: .clientError, httpStatus: upstreamStatus, reason: "engine_rejected",
            delivery: .rest, cutsUpstream: false)
        if let error = APIError(refusal) {
            ending.outcome = .providerError
            ending.httpStatus = error.status
            ending.reason = error.code
            ending.delivery = .error(error)
        } else if !passes {
            let error = APIError.rejected(upstreamStatus)
            ending.httpStatus = error.status
            ending.delivery = .error(error)
        }
        if isClientGone, ending.outcome != .clientError { ending.outcome = .clientAbort }
        return ending
    }

    /// How the attempt that failed so ended.
    static func termination(for failure: Failure) -> Termination {
        switch failure {
        case .connect, .broken: .upstreamError
        case .connectTimeout, .firstByteTimeout, .idleTimeout, .totalTimeout: .timeout
        case .answerTooLarge: .limitReached
        case .stopped: .gatewayLost
        }
    }

    private func error(for failure: Failure) -> APIError {
        switch failure {
        case .connect:
            .upstream(502, "upstream_unavailable", "The engine behind this model could not be reached. Try again.")
        case .broken:
            .upstream(
                502, "upstream_broken",
                "The connection to the engine was lost in the middle of the response. Try again.")
        case .connectTimeout:
            .upstream(504, "upstream_timeout", "The engine behind this model did not accept a connection in time.")
        case .firstByteTimeout:
            .upstream(504, "upstream_timeout", "The engine did not start responding in time. Try again.")
        case .idleTimeout:
            .upstream(504, "upstream_timeout", "The engine stopped in the middle of the response. Try again.")
        case .totalTimeout:
            .upstream(504, "request_timeout", "The response took longer than the gateway allows.")
        case .answerTooLarge:
            .upstream(502, "answer_too_large", "The engine's response is larger than the gateway allows.")
        case .stopped:
            .upstream(503, "gateway_stopped", "The gateway was stopped in the middle of the response. Try again.")
        }
    }
}
