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

    /// Answers 503 to a request that we would have served: our fault, so it is on record and promises count it, unless
    /// it is the account's own doing.
    private func turnAway(_ admitted: AdmittedRequest, _ error: APIError, isOwnDoing: Bool) throws {
        let id = try loop.recordRefusal(of: admitted, error, isOwnDoing: isOwnDoing)
        shared.countInMetrics(error)
        writeError(error, requestID: id.description)
        endAnswer(closes: false)
    }

    /// Counts the request as running while `body` decides about it; `body` says whether it goes on to run, or waits.
    func counted(_ incoming: Incoming, _ body: (_ openRequests: Int) throws -> Bool) {
        let open = shared.openRequests.add(1, ordering: .relaxed).newValue
        decide(incoming) { try body(open) }
    }

    /// The same for one that is counted already.
    private func decide(_ incoming: Incoming, _ body: () throws -> Bool) {
        var goesOn = false
        defer { if !goesOn { shared.openRequests.subtract(1, ordering: .relaxed) } }
        do {
            goesOn = try body()
        } catch let error as APIError {
            refuse(error, incoming, closes: false)
        } catch {
            loop.warnOfJournal(error)
            refuse(.journalUnavailable, incoming, closes: false)
        }
    }

    private func infer(_ incoming: Incoming) {
        counted(incoming) { open in
            guard let grant = try currentGrant(of: incoming) else { throw APIError.missingKey }
            return try read(incoming, of: grant.tenantID) { client, read in
                try client.admit(read, incoming, openRequests: open)
            }
        }
    }

    /// Reads the body and goes on with `then`: now, or where it is large once it was read elsewhere.
    private func read(
        _ incoming: Incoming, of tenant: TenantID, then: @escaping (ClientHandler, ReadBody) throws -> Bool
    ) throws -> Bool {
        let form = try form(of: incoming)
        let fingerprints = incoming.head.headers.contains(LoopContext.idempotencyHeader)
        let body = incoming.body
        guard body.readableBytes > ReadingPool.inPlaceBytesMax else {
            return try then(self, form.read(body, fingerprints: fingerprints))
        }
        let waiting = NIOLoopBound((client: self, incoming: incoming, then: then), eventLoop: loop.eventLoop)
        let reading = shared.reading.run(for: .requests(tenant), on: loop.eventLoop) {
            Result { () throws(APIError) in try form.read(body, fingerprints: fingerprints) }
        } then: { result in
            let (client, incoming, then) = waiting.value
            client.resumeAfterReading(incoming, result, then)
        }
        machine.beganWait()
        answering = .reading(reading)
        return true
    }

    private func resumeAfterReading(
        _ incoming: Incoming, _ result: Result<ReadBody, APIError>, _ then: (ClientHandler, ReadBody) throws -> Bool
    ) {
        guard machine.endedWait() else { return assertionFailure("who has left cancels what it waits for") }
        answering = .nobody
        decide(incoming) { try then(self, result.get()) }
    }

    private func form(of incoming: Incoming) throws(APIError) -> BodyForm {
        switch (incoming.route, incoming.native) {
        case (.inference(let surface), _):
            .shared(surface, contentType: incoming.head.headers.first("content-type") ?? "")
        case (.native, let call?): .native(call)
        default: throw .unknownPath(incoming.head.path)
        }
    }

    /// Admits a request whose body was read, asks its limits and begins it.
    private func admit(_ read: ReadBody, _ incoming: Incoming, openRequests: Int) throws -> Bool {
        guard let grant = try currentGrant(of: incoming) else { throw APIError.missingKey }
        let snapshot = shared.snapshots.current
        let admitted = try admit(
            read, incoming, grant, by: Admission(snapshot: snapshot, now: shared.clock.realTime))
        if let error = shared.unavailability(openRequests: openRequests) {
            let isOwnDoing = !shared.isDraining && loop.exchanges.areMostly(of: grant.accountID)
            try turnAway(admitted, error, isOwnDoing: isOwnDoing)
            return false
        }
        let rules = limits(of: grant, model: admitted.model.publicName, in: snapshot.limits)
        if rules.isEmpty { return try begin(admitted, nil, incoming) }
        let demand = LimitDemand(admitted, bodyBytes: incoming.body.readableBytes)
        return try ask(rules, model: admitted.model.publicName, worst: demand, incoming) { client, hold in
            try client.begin(client.stillAdmitted(admitted, read, incoming), hold, incoming)
        }
    }

    private func admit(
        _ read: ReadBody, _ incoming: Incoming, _ grant: KeyGrant, by admission: Admission
    ) throws(APIError) -> AdmittedRequest {
        let backend: String? = if case .native(let backend, _) = incoming.route { backend } else { nil }
        var admitted = try admission.admit(
            read.request, backend: backend, grant: grant, headers: incoming.head.headers)
        admitted.fingerprint = read.fingerprint
        return admitted
    }

    /// The request as it is admitted now that it has waited for its limits: its body is not read again, and only where
    /// keys or models changed meanwhile is it judged again.
    private func stillAdmitted(
        _ admitted: AdmittedRequest, _ read: ReadBody, _ incoming: Incoming
    ) throws(APIError) -> AdmittedRequest {
        guard incoming.snapshotUpdates != shared.snapshots.updates else { return admitted }
        guard let grant = try currentGrant(of: incoming) else { throw .missingKey }
        return try admit(read, incoming, grant, by: shared.admission)
    }

    /// Hands the request to an exchange. False when none of its engines takes more.
    private func begin(_ admitted: AdmittedRequest, _ hold: LimitHold?, _ incoming: Incoming) throws -> Bool {
        let head = ForwardedHead(headers: incoming.head.headers, query: incoming.query, charge: incoming.charge)
        guard let exchange = try loop.begin(admitted, hold: hold, client: self, head: head, body: incoming.body) else {
            hold?.release()
            let isOwnDoing = shared.routes.hold(mostlyOf: LoopContext.source(of: admitted), admitted.routes)
            try turnAway(admitted, .backendsBusy, isOwnDoing: isOwnDoing)
            return false
        }
        // A connection refused at once may have ended it already.
        if exchange.machine.state != .finished { answering = .exchange(exchange) }
        return true
    }

    /// What applies to a request: most gateways have no limits, and most keys; then this is all that they cost.
    func limits(of grant: KeyGrant, model: String, in limits: LimitDirectory) -> [LimitRule] {
        if limits.isEmpty { return [] }
        return limits.rules(
            account: grant.accountID, tenant: grant.tenantID, project: grant.projectID, key: grant.keyID, model: model)
    }

    /// Asks the limits, and goes on with `then` once the request has its hold: now, or when it has waited for it.
    func ask(
        _ rules: [LimitRule], model: String, worst: LimitDemand, _ incoming: Incoming,
        then: @escaping (ClientHandler, LimitHold) throws -> Bool
    ) throws -> Bool {
        let waiting = NIOLoopBound((client: self, incoming: incoming, then: then), eventLoop: loop.eventLoop)
        let decision = shared.limits.admit(rules, model: model, worst: worst, on: loop.eventLoop) { outcome in
            let (client, incoming, then) = waiting.value
            client.resumeAfterLimitWait(incoming, outcome, then)
        }
        switch decision {
        case .admitted(let hold): return try proceed(hold, then)
        case .refused(let error): throw error
        case .waiting(let wait):
            machine.beganWait()
            answering = .wait(wait)
            return true
        }
    }

    private func proceed(
        _ hold: LimitHold, _ then: (ClientHandler, LimitHold) throws -> Bool
    ) throws -> Bool {
        do {
            return try then(self, hold)
        } catch {
            hold.release()
            throw error
        }
    }

    /// The outcome of a wait.
    private func resumeAfterLimitWait(
        _ incoming: Incoming, _ outcome: LimitGate.Outcome, _ then: (ClientHandler, LimitHold) throws -> Bool
    ) {
        guard machine.endedWait() else {
            // The client has left meanwhile.
            if case .admitted(let hold) = outcome { hold.release() }
            shared.openRequests.subtract(1, ordering: .relaxed)
            return
        }
        answering = .nobody
        decide(incoming) {
            switch outcome {
            case .admitted(let hold): try proceed(hold, then)
            case .refused(let error): throw error
            }
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
        if let body, !machine.head.isHeadRequest { buffer.writeImmutableBuffer(body) }
        write(buffer)
    }

    /// `isLastWord`: the client may still be sending, and would lose the answer if the connection closed at once.
    func endAnswer(closes: Bool, isLastWord: Bool = false) {
        guard let context else { return }
        answering = .nobody
        incoming = nil
        let closes = closes || shared.isDraining
        switch machine.answered(closes: closes, isLastWord: isLastWord, now: ProcessTime.milliseconds) {
        case nil: break
        case .next:
            context.flush()
            takeUnread()
        case .closeAfterFlush:
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in bound.value.close(promise: nil) }
        case .discard:
            context.flush()
            context.close(mode: .output, promise: nil)
            setReading()
        }
    }
}
