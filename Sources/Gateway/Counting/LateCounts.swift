import Engines
import HTTP1
import Metering
import NIOCore
import Telemetry

/// Answers whose engine left something out that takes a while to count: the engine is asked, or a long prompt is
/// counted on another thread. The client has its answer; the record is closed when the count is there, or is not for
/// too long.
///
/// Until then the request stays open in the journal, with what was counted of its output: a gateway that dies meanwhile
/// leaves a record that says so. Confined to one event loop.
final class LateCounts {
    /// What a record waits for.
    struct Question {
        /// The attempt as it stood before its usage.
        let base: AttemptRecord
        let facts: AnswerFacts
        let isCut: Bool
        /// What is known without the engine.
        var own: OwnCounts
        /// Nil where the engine is asked nothing.
        var questions: CountQuestions?
    }

    private struct Pending {
        var question: Question
        let exchange: Exchange
        let open: any OpenRequest
        let until: NIODeadline
        /// The prompt is being counted.
        var reading: ReadingPool.Reading?
    }

    /// The most records that wait at once, by event loop; others are closed with estimates.
    static let pendingMax = 32

    private unowned let loop: LoopContext
    private var pending: [Int: Pending] = [:]

    init(loop: LoopContext) { self.loop = loop }

    var hasRoom: Bool { pending.count < LateCounts.pendingMax }

    /// Asks what the record of `exchange` waits for.
    func add(_ question: Question, of exchange: Exchange, open: any OpenRequest) {
        let limit = loop.shared.configuration.times.countQuestionMilliseconds
        pending[exchange.number] = Pending(
            question: question, exchange: exchange, open: open, until: .now() + .milliseconds(limit))
        ask(exchange.number)
    }

    func tick(now: NIODeadline) {
        for (number, waiting) in pending where waiting.until <= now { end(number) }
    }

    /// The gateway stops: what the engine has not said by now is estimated.
    func abandon() {
        for number in pending.keys { end(number) }
    }

    private func ask(_ number: Int) {
        guard let waiting = pending[number], let next = waiting.question.questions?.next else {
            return countPrompt(number)
        }
        let backend = waiting.exchange.running.route.backend
        let target = UpstreamTarget(path: next.path)
        let headers = backend.dialect.headers(for: target, backend: backend, content: .unsigned)
        let question = EngineCall.Question(
            backend: backend, method: "POST", path: next.path,
            headers: headers + [HeaderField("content-type", "application/json")], body: ByteBuffer(bytes: next.body),
            answerMilliseconds: max(1, (waiting.until - .now()).nanoseconds / 1_000_000))
        EngineCall.ask(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop) { [weak self] answer in
            let body = answer?.head.status == 200 ? answer?.body : nil
            self?.pending[number]?.question.questions?.answered(body)
            self?.ask(number)
        }
    }

    /// Counts the prompt that nobody else has counted, away from the event loop; then closes the record.
    private func countPrompt(_ number: Int) {
        guard let waiting = pending[number] else { return }
        let (question, exchange) = (waiting.question, waiting.exchange)
        let isMissing = question.questions.map { questions in
            questions.promptTokens == nil && question.facts.usage?.promptTokens == nil
        }
        guard isMissing != false,
            let count = exchange.running.counting?.promptCounter(of: exchange.admitted.request)
        else { return end(number) }
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let owner = ReadingPool.Owner.counting(exchange.entry.request.tenantID)
        pending[number]?.reading = loop.shared.reading.run(for: owner, on: loop.eventLoop, count) { counts in
            let lateCounts = bound.value
            lateCounts.pending[number]?.question.own.input = counts.input
            lateCounts.pending[number]?.question.own.isInputWhole = counts.isInputWhole
            lateCounts.end(number)
        }
    }

    /// Closes the record with what is known.
    private func end(_ number: Int) {
        guard let waiting = pending.removeValue(forKey: number) else { return }
        waiting.reading?.cancel()
        let exchange = waiting.exchange
        exchange.takeLateCounts(waiting.question)
        loop.metrics.finished(exchange.entry)
        let log = loop.shared.log
        let id = exchange.requestID
        waiting.open.close(exchange.entry) { isDurable in
            if !isDurable { log.error("could not make the record of a response durable", ["request_id": "\(id)"]) }
        }
    }
}
