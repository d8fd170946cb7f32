import Accounts
import Engines
import HTTP1
import Identity
import Limits
import NIOCore
import Synchronization
import Telemetry

/// How a request is answered once it is there: refused, answered from here, or handed to an exchange.
extension ClientHandler {
    func answer(_ incoming: Incoming) {
        deadline = nil
        if let refusal = incoming.refusal { return refuse(refusal, incoming, closes: false) }
        if incoming.head.method == .options {
            return respond(204, headers: [("allow", incoming.route.allowed)], body: nil)
        }
        switch incoming.route {
        case .inference, .native: infer(incoming)
        case .jobs(let path): call(path, incoming)
        default: respond(LocalAnswers(shared: shared).answer(to: incoming.route, grant: incoming.grant), incoming)
        }
    }

    func respond(_ answer: LocalAnswers.Answer, _ incoming: Incoming) {
        switch answer {
        case .refusal(let error): refuse(error, incoming, closes: false)
        case .body(let status, let type, let bytes):
            respond(status, headers: [("content-type", type)], body: ByteBuffer(bytes: bytes))
        }
    }

    /// Answers 503 to a request that we would have served: our fault, so it is on record and promises count it.
    private func turnAway(_ admitted: AdmittedRequest, _ error: APIError) throws {
        let id = try loop.recordRefusal(of: admitted, error)
        shared.countInMetrics(error)
        writeError(error, requestID: id.description)
        endAnswer(closes: false)
    }

    /// `hold` is what a request got that waited for its limits. Everything else is looked at again then: it must be
    /// judged and stamped by what is known now.
    private func infer(_ incoming: Incoming, hold: LimitHold? = nil) {
        do {
            let open = shared.openRequests.add(1, ordering: .relaxed).newValue
            var isHandedOver = false
            var hold = hold
            defer {
                if !isHandedOver {
                    hold?.release()
                    shared.openRequests.subtract(1, ordering: .relaxed)
                }
            }
            guard let grant = try currentGrant(of: incoming) else { throw APIError.missingKey }
            let snapshot = shared.snapshots.current
            let admission = Admission(snapshot: snapshot)
            let tagsHeader = incoming.head.headers.first(named: TagReader.headerName)
            let admitted = try incoming.body.withUnsafeReadableBytes { bytes in
                switch incoming.route {
                case .inference(let surface):
                    // The engine finds a form's parts by this header, so they are found by it here, too.
                    try admission.admit(
                        bytes, surface: surface, contentType: incoming.head.headers.first(named: "content-type") ?? "",
                        grant: grant, tagsHeader: tagsHeader)
                case .native(let backend, let path):
                    if let call = incoming.native {
                        try admission.admit(
                            bytes, native: call, backend: backend, grant: grant, headers: incoming.head.headers)
                    } else {
                        throw APIError.unknownPath(path)
                    }
                case .jobs, .models, .model, .health, .readiness, .metrics:
                    throw APIError.unknownPath(incoming.head.path)
                }
            }
            if let error = shared.unavailability(openRequests: open) { return try turnAway(admitted, error) }
            let rules = hold == nil ? limits(of: grant, model: admitted.model.publicName, in: snapshot.limits) : []
            if !rules.isEmpty, try waits(for: ask(rules, admitted, incoming), &hold) {
                isHandedOver = true
                return
            }
            let head = ForwardedHead(headers: incoming.head.headers, query: incoming.query)
            guard
                let exchange = try loop.begin(admitted, hold: hold, client: self, head: head, body: incoming.body)
            else { return try turnAway(admitted, .backendsBusy) }
            isHandedOver = true
            // A connection refused at once may have ended it already.
            if exchange.machine.state != .finished { state = .running(exchange) }
        } catch let error as APIError {
            refuse(error, incoming, closes: false)
        } catch {
            loop.warnOfJournal(error)
            refuse(.journalUnavailable, incoming, closes: false)
        }
    }

    /// What applies to a request: most gateways have no limits, and most keys; then this is all that they cost.
    func limits(of grant: KeyGrant, model: String, in limits: LimitDirectory) -> [LimitRule] {
        if limits.isEmpty { return [] }
        return limits.rules(
            account: grant.accountID, tenant: grant.tenantID, project: grant.projectID, key: grant.keyID, model: model)
    }

    /// Takes what the limits say: the hold, the refusal, or that the request waits to hear it. True when it does.
    func waits(for decision: LimitGate.Decision, _ hold: inout LimitHold?) throws(APIError) -> Bool {
        switch decision {
        case .admitted(let admitted): hold = admitted
        case .refused(let error): throw error
        case .waiting(let wait):
            state = .waiting(wait)
            return true
        }
        return false
    }

    private func ask(_ rules: [LimitRule], _ admitted: AdmittedRequest, _ incoming: Incoming) -> LimitGate.Decision {
        ask(
            rules, model: admitted.model.publicName,
            worst: LimitDemand(admitted, bodyBytes: incoming.body.readableBytes), incoming)
    }

    func ask(
        _ rules: [LimitRule], model: String, worst: LimitDemand, _ incoming: Incoming
    ) -> LimitGate.Decision {
        let waiting = NIOLoopBound((client: self, incoming: incoming), eventLoop: loop.eventLoop)
        return shared.limits.admit(rules, model: model, worst: worst, on: loop.eventLoop) { outcome in
            waiting.value.client.resumeAfterLimitWait(waiting.value.incoming, outcome)
        }
    }

    /// The outcome of a wait.
    private func resumeAfterLimitWait(_ incoming: Incoming, _ outcome: LimitGate.Outcome) {
        shared.openRequests.subtract(1, ordering: .relaxed)
        guard case .waiting = state else {
            // The client has left meanwhile.
            if case .admitted(let hold) = outcome { hold.release() }
            return
        }
        state = .idle
        switch outcome {
        case .admitted(let hold):
            if case .jobs(let path) = incoming.route {
                call(path, incoming, hold: hold)
            } else {
                infer(incoming, hold: hold)
            }
        case .refused(let error): refuse(error, incoming, closes: false)
        }
    }

    func refuse(_ error: APIError, _ incoming: Incoming, closes: Bool) {
        refuse(error, grant: incoming.grant, closes: closes)
    }

    func refuse(_ error: APIError, grant: KeyGrant?, closes: Bool) {
        shared.refuse(error, grant: grant)
        respond(error, requestID: nil, closes: closes)
        endAnswer(closes: closes, isLastWord: closes)
    }

    /// Writes an error in place of an engine's answer.
    func writeError(_ error: APIError, requestID: String) { respond(error, requestID: requestID, closes: false) }

    func respond(_ error: APIError, requestID: String?, closes: Bool) {
        var headers = [("content-type", envelope.contentType)]
        if let header = envelope.header(of: error) { headers.append(header) }
        for header in error.headers { headers.append((header.name, header.value)) }
        if let standings = error.standings {
            envelope.forEachLimitHeader(of: standings, now: shared.clock.realTime) { headers.append(($0, $1)) }
        }
        if let requestID { headers.append(("x-request-id", requestID)) }
        if let seconds = error.retryAfterSeconds { headers.append(("retry-after", String(seconds))) }
        if error.status == 401 { headers.append(("www-authenticate", "Bearer")) }
        write(
            error.status, headers: headers, body: ByteBuffer(bytes: envelope.body(of: error)), closes: closes)
    }

    func respond(_ status: Int, headers: [(String, String)], body: ByteBuffer?) {
        write(status, headers: headers, body: body, closes: false)
        endAnswer(closes: false)
    }

    private func write(
        _ status: Int, headers: [(String, String)], body: ByteBuffer?, closes: Bool
    ) {
        var buffer = loop.buffer(512 + (body?.readableBytes ?? 0))
        HeaderForwarding.writeStatus(status, into: &buffer)
        for (name, value) in headers { buffer.writeString("\(name): \(value)\r\n") }
        let framing = body.map { HeaderForwarding.Framing.length(Int64($0.readableBytes)) } ?? .none
        HeaderForwarding.writeFraming(framing, closes: closes || closesAfterAnswer, into: &buffer)
        if let body, !isHeadRequest { buffer.writeImmutableBuffer(body) }
        write(buffer)
    }

    /// `isLastWord`: the client may still be sending, and would lose the answer if the connection closed at once.
    func endAnswer(closes: Bool, isLastWord: Bool = false) {
        guard let context else { return }
        if isLastWord {
            state = .discarding
            deadline = .now() + .milliseconds(ClientHandler.discardMilliseconds)
            context.flush()
            context.close(mode: .output, promise: nil)
            setReading(true)
        } else if closes || closesAfterAnswer {
            state = .discarding
            deadline = .now() + .milliseconds(times.writeStallMilliseconds)
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in bound.value.close(promise: nil) }
        } else {
            state = .idle
            deadline = .now() + .milliseconds(times.idleMilliseconds)
            context.flush()
            takeUnread()
        }
    }
}
