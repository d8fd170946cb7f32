import Engines
import HTTP1
import Metering
import NIOCore

/// What engines' errors mean, and what of them a client sees.
extension Exchange {
    /// What the engine's refusal means, once all of it has come; nil when it answered, or when the client has begun to
    /// see what it said.
    func refusal() -> EngineRefusal? {
        guard let plain = running.plain, !machine.isHeadSent, let head = running.head else { return nil }
        let kind = running.route.backend.kind
        if (200..<300).contains(machine.upstreamStatus) {
            return isErrorInPlaceOfAnswer ? meaning(ofErrorIn: plain.facts) : nil
        }
        var refusal = plain.held.withUnsafeReadableBytes { bytes in
            EngineRefusal(
                kind: kind, status: machine.upstreamStatus, headers: AnswerHeaders(headers: head.headers),
                body: UnsafeRawBufferPointer(rebasing: bytes.prefix(EngineRefusal.bodyBytesMax)),
                isInference: admitted.request.native?.isInference != false, choices: admitted.request.choices,
                now: loop.shared.clock.realTime)
        }
        // An engine that has no such way for this model says the same as one that has not the model, or not for us.
        // What the client chose must take no backend from others and earn no credit.
        let isMissing = [.notFound, .notSupported, .unauthorised].contains(refusal.meaning)
        if isMissing, Self.statusesOfMissing.contains(machine.upstreamStatus),
            running.ticket?.neverServed(entry.request.surface) == true
        {
            refusal.meaning = .notServed
        }
        // Of a form that the model was never seen to answer nobody knows whether it is the client's choice.
        let isUnseen = running.ticket?.hasServed(entry.request.surface) == false
        if isUnseen, Self.statusesOfMissing.contains(machine.upstreamStatus),
            refusal.meaning == .notSupported || refusal.meaning == .notFound && refusal.namesForm
        {
            refusal.meaning = .notSupported
            refusal.isUndecided = true
        }
        // Who lets others in a moment before and after has nothing against our key, as far as one can tell: another
        // engine may take the request all the same.
        if refusal.meaning == .unauthorised, refusal.isBare, running.ticket?.hasServedLately == true {
            refusal.meaning = .notServed
        }
        // What may be of our key or of the form counts for no promise; the backend is looked at all the same.
        let namesForm = isUnseen && refusal.namesForm && machine.upstreamStatus == 403
        if refusal.meaning == .unauthorised, refusal.isBare || namesForm { refusal.isUndecided = true }
        return refusal
    }

    /// Whether the engine said in the place of an answer that it failed. Of one that has begun to go out, it came to
    /// what went out.
    var isErrorInPlaceOfAnswer: Bool {
        running.plain.map { $0.meter.isErrorInPlaceOfAnswer && !$0.isFlowing } == true && !isWorkThatFailed
    }

    /// Whether work that its client waited for failed without a fault of the provider's: it is shown as it is, and
    /// costs what it costs where its client asks after it.
    var isWorkThatFailed: Bool {
        let surface = entry.request.surface
        guard admitted.request.endsLater, surface != .responses, (200..<300).contains(machine.upstreamStatus),
            let facts = running.plain?.facts, facts.hasFailedLater(surface)
        else { return false }
        return !meaning(ofErrorIn: facts).countsAgainstPromises
    }

    /// What a plain answer means that says at its end that it failed, having begun to go out; nil for others.
    var failureOfFlowingAnswer: EngineRefusal? {
        guard let plain = running.plain, plain.isFlowing, plain.meter.isErrorInPlaceOfAnswer else { return nil }
        return meaning(ofErrorIn: plain.facts)
    }

    private static let statusesOfMissing: Set<Int> = [400, 403, 404, 405, 501]

    /// Whether an answer of this status may be a refusal of members of ours, so that the body is needed again.
    func mayAskAgain(_ status: Int) -> Bool {
        running.asksForUsage && !machine.isAskedAgain && OwnOptions.mayRefuse(status)
    }

    /// Whether the engine refused what only the gateway asked for.
    func refusesOwnOptions(_ refusal: EngineRefusal) -> Bool {
        guard refusal.isClients, mayAskAgain(machine.upstreamStatus), let plain = running.plain else { return false }
        func edits(_ asksForUsage: Bool) -> [ByteEdit] {
            running.route.backend.edits(
                for: admitted.request, upstreamModel: running.route.upstreamName, asksForUsage: asksForUsage)
        }
        return plain.held.withUnsafeReadableBytes {
            OwnOptions.areRefused(
                status: machine.upstreamStatus, body: $0, edits: edits(true), bare: edits(false))
        }
    }

    /// What an error inside a stream means; nil while there is none.
    func streamRefusal() -> EngineRefusal? {
        guard let stream = running.stream, stream.meter.hasError else { return nil }
        return meaning(ofErrorIn: stream.facts)
    }

    /// What an error means that came inside an answer which had begun well.
    func meaning(ofErrorIn facts: AnswerFacts) -> EngineRefusal {
        EngineRefusal(kind: running.route.backend.kind, insideAnswer: facts, choices: admitted.request.choices)
    }

    private var redaction: ErrorRedaction {
        ErrorRedaction(
            backend: running.route.backend, upstreamModel: running.route.upstreamName, model: admitted.request.model)
    }

    /// Makes an error that is the client's fit to be seen; false where that cannot be done.
    func redactHeldError() -> Bool {
        guard let plain = running.plain, let head = running.head, plain.held.readableBytes <= EngineRefusal.bodyBytesMax
        else { return false }
        guard head.headers.first(named: "content-encoding") == nil else { return false }
        let type = head.headers.first(named: "content-type")?.lowercased() ?? ""
        let isShown = ["json", "xml", "text/plain"].contains { type.contains($0) } && !type.contains("html")
        guard isShown || isErrorInPlaceOfAnswer else { return false }
        let redaction = redaction
        if let bytes = plain.held.withUnsafeReadableBytes({ redaction.redacted($0) }) {
            plain.replaceHeld(with: bytes)
        }
        return true
    }

    /// What is held of an answer that has begun to go out and says in the end that it failed.
    func redactHeldTail() {
        guard let plain = running.plain, plain.isFlowing, plain.held.readableBytes > 0 else { return }
        var keepsLength = false
        if case .length = running.framing { keepsLength = true }
        let redaction = redaction
        if let bytes = plain.held.withUnsafeReadableBytes({ redaction.redacted($0, keepsLength: keepsLength) }) {
            plain.replaceHeld(with: bytes)
        }
    }

    /// An event that says that the stream failed, as the client may see it; nil for what there is of it as it is.
    func failedEvent(_ event: UnsafeRawBufferPointer, isTerminator: Bool, part: FailedEventPart) -> [UInt8]? {
        if part == .beginning {
            // Its end is missing: no client could read it.
            let error = streamRefusal().flatMap { APIError($0) } ?? .rejected(400)
            if isTerminator { return ErrorEnvelope.failedResponse(running.stream?.meter.id, error) }
            return ErrorEnvelope(entry.request.surface).event(of: error)
        }
        guard let refusal = streamRefusal(), let stream = running.stream else { return nil }
        let isFrame = stream.meter.framing == .awsEventStream
        guard part == .whole else { return isFrame ? nil : redaction.redacted(event) }
        let redacted = redaction.redacted(event)
        guard let error = APIError(refusal) else {
            // A frame whose length changed would be none any more.
            return isFrame ? redacted.map { _ in frame(of: .rejected(400)) } : redacted
        }
        if isFrame { return frame(of: error) }
        let envelope = ErrorEnvelope(entry.request.surface)
        if isTerminator {
            return FailedEvent.replacing(errorInResponseOf: event, with: ErrorEnvelope.inner(of: error)) ?? redacted
        }
        return FailedEvent.replacing(documentOf: event, with: envelope.body(of: error)) ?? envelope.event(of: error)
    }

    private func frame(of error: APIError) -> [UInt8] {
        AWSEventFrame.exception(
            named: ErrorEnvelope.frameName(of: error), payload: ErrorEnvelope.aws.body(of: error))
    }
}
