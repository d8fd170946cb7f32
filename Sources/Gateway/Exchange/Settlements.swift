import Engines
import Metering
import NIOCore
import Telemetry

/// Predictions that were created and have not ended: what they come to is asked for until the engine says it, and only
/// then is their record closed. Whoever created one pays for it, whether it is looked at again or not, and once,
/// however often it is looked at.
///
/// Until then the request stays open in the journal. A gateway that dies or is stopped meanwhile leaves a record that
/// says so (`gateway_lost`). Confined to one event loop.
final class Settlements {
    /// A prediction to ask for.
    struct Pending {
        var entry: UsageEntry
        let open: any OpenRequest
        let facts: AnswerFacts
        let request: InferenceRequest
        let backend: Backend
        let target: UpstreamTarget
        fileprivate var askAt = NIODeadline.now() + .milliseconds(Settlements.firstPauseMilliseconds)
        fileprivate var pauseMilliseconds = Settlements.firstPauseMilliseconds
        fileprivate let until = NIODeadline.now() + .hours(Settlements.hoursMax)
        fileprivate var isAsking = false

        init(
            entry: UsageEntry, open: any OpenRequest, facts: AnswerFacts, request: InferenceRequest, backend: Backend,
            target: UpstreamTarget
        ) {
            self.entry = entry
            self.open = open
            self.facts = facts
            self.request = request
            self.backend = backend
            self.target = target
        }
    }

    /// The first look; each pause after it is half as long again, up to the longest.
    static let firstPauseMilliseconds: Int64 = 500
    private static let pauseMillisecondsMax: Int64 = 15_000
    private static let answerMilliseconds: Int64 = 10_000
    /// What has not ended by then never will.
    private static let hoursMax: Int64 = 24
    /// The most that are asked for at once; more wait their turn.
    private static let askingMax = 16

    private unowned let loop: LoopContext
    private var pending: [Int: Pending] = [:]
    private var lastNumber = 0
    private var askingCount = 0

    init(loop: LoopContext) { self.loop = loop }

    func add(_ prediction: Pending) {
        lastNumber += 1
        pending[lastNumber] = prediction
    }

    func tick(now: NIODeadline) {
        for (number, prediction) in pending where !prediction.isAsking && prediction.askAt <= now {
            if now >= prediction.until {
                end(number, .timeout)
            } else if askingCount < Settlements.askingMax {
                ask(number, prediction)
            }
        }
    }

    /// The gateway stops: what it does not know by now it will not learn.
    func abandon() {
        for number in pending.keys { end(number, .gatewayLost) }
    }

    private func ask(_ number: Int, _ prediction: Pending) {
        pending[number]?.isAsking = true
        askingCount += 1
        let headers = prediction.backend.dialect.headers(
            for: prediction.target, backend: prediction.backend, content: .unsigned)
        let question = EngineCall.Question(
            backend: prediction.backend, path: prediction.target.requestTarget, headers: headers,
            answerMilliseconds: Settlements.answerMilliseconds)
        EngineCall.get(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop) { [weak self] body in
            self?.answered(number, body)
        }
    }

    private func answered(_ number: Int, _ body: [UInt8]?) {
        askingCount -= 1
        guard let prediction = pending[number] else { return }
        let meter = AnswerMeter(
            request: prediction.request, backend: prediction.backend, status: 200, headers: JSONHead())
        body?.withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        let later = meter.facts
        guard body != nil, later.finishReason != nil else {
            let pause = min(prediction.pauseMilliseconds * 3 / 2, Settlements.pauseMillisecondsMax)
            pending[number]?.pauseMilliseconds = pause
            pending[number]?.askAt = .now() + .milliseconds(pause)
            pending[number]?.isAsking = false
            return
        }
        var facts = prediction.facts
        facts.settle(with: later)
        end(number, .complete, facts)
    }

    private func end(_ number: Int, _ termination: Termination, _ facts: AnswerFacts? = nil) {
        guard var prediction = pending.removeValue(forKey: number) else { return }
        let last = prediction.entry.attempts.count - 1
        prediction.entry.attempts[last].termination = termination
        if let facts {
            let loop = loop
            let requestID = prediction.entry.request.id
            let inferences = facts.attempts(
                completing: prediction.entry.attempts[last], request: prediction.request, isCut: false,
                priceKey: { loop.priceKey(of: $0) }, newID: { loop.newAttemptID(of: requestID) })
            prediction.entry.attempts.replaceSubrange(last..., with: inferences)
        } else {
            prediction.entry.attempts[last].usageComplete = false
            prediction.entry.request.outcome = termination == .gatewayLost ? .gatewayLost : .providerError
            prediction.entry.request.reason = "prediction_not_settled"
        }
        let log = loop.shared.log
        let id = prediction.entry.request.id
        prediction.open.close(prediction.entry) { isDurable in
            if !isDurable { log.error("the record of a prediction could not be made durable", ["request_id": "\(id)"]) }
        }
    }
}

/// The head that a prediction's document has.
private struct JSONHead: HeaderLookup {
    func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? "application/json" : nil }
}
