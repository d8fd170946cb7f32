import Accounts
import Engines
import HTTP1
import Identity
import Limits
import Metering
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// One request about files or batches: goes to the backend that has them on a connection of its own, with the ids that
/// clients see opened on the way there and sealed on the way back. Confined to its event loop.
///
/// These requests are rare and are no inference: they leave no record (the lines of a batch do), and cost a request of
/// the limits, but no tokens.
final class JobCall {
    let loop: LoopContext
    let admission: Admission
    let grant: KeyGrant
    let seal: ObjectSeal
    /// Where this project's files and batches can be.
    let backends: [Backend]
    let path: JobPath
    let method: HTTP1.Method
    let query: Substring
    let contentType: String
    let body: ByteBuffer
    let requestID: RequestID

    private var client: ClientHandler?
    private var hold: LimitHold?
    private var running: RunningCall?
    private var isFinished = false
    /// Backends whose rows a listing lacks.
    var unavailable: [String] = []
    private var isStreaming = false
    private var isChunked = false
    /// The client's key for a retry, and what of it belongs to this call.
    private let idempotencyValue: String?
    private var idempotencyDigest: IdempotencyDigest?
    /// Whether something may have been made at the backend that would be made twice by a retry.
    var mayHaveCreated = false

    /// From a question to its answer's end; of files, between two parts.
    private static let answerMilliseconds: Int64 = 120_000
    /// How long an answer is held back for what has ended to be put on record.
    static let settleMilliseconds: Int64 = 2000
    private static let settleLookMilliseconds: Int64 = 20

    init(
        loop: LoopContext, client: ClientHandler, incoming: ClientHandler.Incoming, path: JobPath, grant: KeyGrant,
        seal: ObjectSeal, hold: LimitHold?
    ) {
        self.loop = loop
        self.client = client
        self.path = path
        self.grant = grant
        self.seal = seal
        self.hold = hold
        admission = loop.shared.admission
        backends =
            path.surface == .responses ? admission.responseBackends(for: grant) : admission.batchBackends(for: grant)
        method = incoming.head.method
        query = incoming.query.dropFirst()
        contentType = incoming.head.headers.first("content-type") ?? ""
        body = incoming.body
        idempotencyValue = incoming.head.headers.first(LoopContext.idempotencyHeader)
        requestID = loop.ids.request(offset: grant.clockOffsetMilliseconds)
    }

    var shared: GatewayShared { loop.shared }

    func start() {
        guard !backends.isEmpty else {
            return fail(path.surface == .responses ? .noSuch(.response, path.id) : .noBatchBackends)
        }
        switch (path, method) {
        case (.files, .post): upload()
        case (.files, _): listFiles()
        case (.file(let id), .delete): with(id, .file) { self.deleteFile($0, on: $1) }
        case (.file(let id), _): with(id, .file) { self.showFile($0, on: $1) }
        case (.fileContent(let id), _): with(id, .file) { self.sendContent($0, on: $1) }
        case (.batches, .post): createBatch()
        case (.batches, _): listBatches()
        case (.batch(let id), _): with(id, .batch) { self.showBatch($0, on: $1) }
        case (.batchCancellation(let id), _): with(id, .batch) { self.cancelBatch($0, on: $1) }
        case (.response(let id), .delete): with(id, .response) { self.deleteResponse($0, on: $1) }
        case (.response(let id), _): with(id, .response) { self.showResponse($0, on: $1) }
        case (.responseItems(let id), _): with(id, .response) { self.listItems(of: $0, on: $1) }
        case (.responseCancellation(let id), _): with(id, .response) { self.cancelResponse($0, on: $1) }
        }
    }

    /// Goes on with what a client's id means.
    private func with(_ id: String, _ kind: ObjectSeal.Kind, _ then: (ObjectSeal.Place, Backend) -> Void) {
        guard let (place, backend) = opened(id, kind) else { return fail(.noSuch(kind, id)) }
        then(place, backend)
    }

    func opened(_ id: String, _ kind: ObjectSeal.Kind) -> (ObjectSeal.Place, Backend)? {
        guard let place = seal.opened(id, kind, for: grant.projectID, on: backends),
            let backend = backends.first(where: { $0.name == place.backend })
        else { return nil }
        return (place, backend)
    }

    func sealed(_ id: String, _ kind: ObjectSeal.Kind, on backend: Backend) -> String {
        seal.sealed(ObjectSeal.Place(backend: backend.name, id: id), kind, for: grant.projectID)
    }

    // MARK: Asking

    /// What is asked of a backend beside the place.
    struct Content {
        var type = "application/json"
        var bytes = ByteBuffer()
    }

    func question(
        _ surface: Surface, _ rest: String = "", method: String = "GET", query: String = "",
        content: Content? = nil, on backend: Backend
    ) -> EngineCall.Question {
        let target = backend.target(of: surface, method: method, rest: rest, query: query)
        var headers = backend.dialect.headers(for: target, backend: backend, content: .unsigned)
        headers.append(HeaderField("x-request-id", requestID.description))
        if let content { headers.append(HeaderField("content-type", content.type)) }
        return EngineCall.Question(
            backend: backend, method: method, path: target.requestTarget, headers: headers,
            body: content?.bytes ?? ByteBuffer(), answerMilliseconds: Self.answerMilliseconds)
    }

    /// Asks, and goes on with an answer that is a success. Others end the call: what the client can mend it is told in
    /// the backend's words; the rest is between the backend and us.
    func ask(
        _ question: EngineCall.Question, missing: APIError, then: @escaping (EngineCall.Answer) -> Void
    ) {
        askOnce(question) { [self] answer in
            guard let answer else { return fail(.jobsUpstream(question.backend, nil)) }
            if !(200..<300).contains(answer.head.status) { mayHaveCreated = false }
            switch answer.head.status {
            case 200..<300: then(answer)
            case 404, 410: fail(missing)
            case 400..<500 where isClients(answer, question.backend): refuse(answer, of: question.backend)
            default: fail(.jobsUpstream(question.backend, answer.head.status))
            }
        }
    }

    /// Whether what the backend says is the client's own mistake, and not about the gateway's key or account.
    func isClients(_ answer: EngineCall.Answer, _ backend: Backend) -> Bool {
        answer.body.withUnsafeBytes { body in
            EngineRefusal(
                kind: backend.kind, status: answer.head.status, headers: AnswerHeaders(headers: answer.head.headers),
                body: UnsafeRawBufferPointer(rebasing: body.prefix(EngineRefusal.bodyBytesMax)),
                now: shared.clock.realTime
            ).isClients
        }
    }

    /// Tells the client of its mistake in the backend's words.
    func refuse(_ answer: EngineCall.Answer, of backend: Backend) {
        let redaction = ErrorRedaction(backend: backend, upstreamModel: "", model: "")
        let body = answer.body.withUnsafeBytes { redaction.redacted($0) } ?? answer.body
        respond(answer.head.status, body, on: backend)
    }

    /// Asks, and goes on with whatever came; nil where nothing did.
    func askOnce(_ question: EngineCall.Question, then: @escaping (EngineCall.Answer?) -> Void) {
        running = EngineCall.ask(question, tls: shared.upstreamTLS, on: loop.eventLoop) { [self] answer in
            running = nil
            if !isFinished { then(answer) }
        }
    }

    /// Does long work on another thread and goes on with its result.
    func onThread<Result: Sendable>(
        _ work: @escaping @Sendable () -> Swift.Result<Result, APIError>, then: @escaping (Result) -> Void
    ) {
        let bound = NIOLoopBound((self, then), eventLoop: loop.eventLoop)
        _ = shared.reading.run(for: .requests(grant.tenantID), on: loop.eventLoop, work) { result in
            let (call, then) = bound.value
            guard !call.isFinished else { return }
            switch result {
            case .success(let value): then(value)
            case .failure(let error): call.fail(error)
            }
        }
    }

    /// Goes on once all these batches are settled, or when that takes too long.
    func whenSettled(_ batches: [UpstreamBatch], then: @escaping () -> Void) {
        let open = batches.filter { $0.hasEnded && $0.owner != nil && !shared.batches.isSettled($0.place) }
        for batch in open { loop.batches.settle(batch) }
        let (registry, places) = (shared.batches, open.map(\.place))
        wait(
            until: .now() + .milliseconds(Self.settleMilliseconds),
            isOver: { places.allSatisfy { registry.isSettled($0) } }, then: then)
    }

    func wait(until: NIODeadline, isOver: @escaping () -> Bool, then: @escaping () -> Void) {
        guard !isFinished else { return }
        guard NIODeadline.now() < until, !isOver() else { return then() }
        loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Self.settleLookMilliseconds)) {
            self.wait(until: until, isOver: isOver, then: then)
        }
    }

    // MARK: Answering

    func respond(_ status: Int, _ bytes: [UInt8], type: String = "application/json", on backend: Backend?) {
        guard let client = finish() else { return }
        var headers = [("content-type", type), ("x-request-id", requestID.description)]
        if let backend { headers.append(("x-tollgate-backend", backend.name)) }
        if !unavailable.isEmpty {
            headers.append(("x-tollgate-unavailable-backends", unavailable.joined(separator: ",")))
        }
        hold?.standings.forEachHeader { headers.append(($0, $1)) }
        client.respond(status, headers: headers, body: ByteBuffer(bytes: bytes))
    }

    func fail(_ error: APIError) {
        guard let client = finish() else { return }
        if error.status < 500 { shared.refuse(error, grant: grant) } else { shared.countInMetrics(error) }
        client.writeError(error, requestID: requestID.description)
        client.endAnswer(closes: false)
    }

    /// Sends an answer on as it comes, with ids in it sealed where it has any, and shows it to `passing` before.
    func stream(
        _ question: EngineCall.Question, missing: APIError, seal: AnswerSeal? = nil,
        passing: @escaping (ByteBuffer) -> Void = { _ in }
    ) {
        var question = question
        question.isTimeBetweenParts = true
        let backend = question.backend
        running = EngineCall.begin(question, tls: shared.upstreamTLS, on: loop.eventLoop) { [self] part in
            switch part {
            case .head(let head):
                if head.status == 200 { return sendHead(head, of: backend, hasLength: seal == nil) }
                running?.abandon()
                let isMissing = head.status == 404 || head.status == 410
                fail(isMissing ? missing : .jobsUpstream(backend, head.status))
            case .body(let bytes):
                guard let client else { return }
                passing(bytes)
                var sealed = ByteBuffer()
                if let seal { bytes.withUnsafeReadableBytes { seal.take($0, into: &sealed) } }
                write(seal == nil ? bytes : sealed, to: client)
                client.flush()
                running?.setReading(client.isWritable)
            case .end:
                guard let client = finish() else { return }
                var rest = ByteBuffer()
                seal?.finish(into: &rest)
                write(rest, to: client)
                if isChunked { client.write(ByteBuffer(staticString: "0\r\n\r\n")) }
                client.endAnswer(closes: !client.canReadChunks)
            case .lost:
                guard isStreaming else { return fail(.jobsUpstream(backend, nil)) }
                // What has begun must be seen to be unfinished.
                finish()?.cut()
            }
        }
    }

    private func write(_ bytes: ByteBuffer, to client: ClientHandler) {
        guard bytes.readableBytes > 0 else { return }
        guard isChunked else { return client.write(bytes) }
        var chunk = loop.buffer(bytes.readableBytes + 16)
        chunk.writeChunk(bytes)
        client.write(chunk)
    }

    private func sendHead(_ head: ResponseHead, of backend: Backend, hasLength: Bool) {
        guard let client else { return }
        isStreaming = true
        let length = hasLength ? head.declaredLength : nil
        let framing: HeaderForwarding.Framing =
            length.map { .length(Int64($0)) } ?? (client.canReadChunks ? .chunked : .untilClose)
        isChunked = framing == .chunked
        var buffer = loop.buffer(1024)
        HeaderForwarding.writeResponseHead(
            head, status: head.status, framing: framing, requestID: requestID.description,
            own: [HeaderField("x-tollgate-backend", backend.name)], closes: client.closesAfterAnswer, into: &buffer)
        client.write(buffer)
        client.flush()
    }

    // MARK: Life

    /// The client's connection is closed. What was begun at the backend goes on there.
    func clientLeft() {
        _ = finish()
        running?.abandon()
    }

    func clientWritabilityChanged(_ isWritable: Bool) { running?.setReading(isWritable) }

    /// The gateway stops.
    func stop() {
        let client = finish()
        running?.abandon()
        client?.cut()
    }

    /// Ends the call, once; nil where it had ended. Whoever gets the client writes the end.
    private func finish() -> ClientHandler? {
        guard !isFinished else { return nil }
        isFinished = true
        let client = client
        self.client = nil
        hold?.settle(LimitUsage(inputTokens: 0, outputTokens: 0))
        if let digest = idempotencyDigest {
            shared.idempotency.ended(digest, of: requestID, isSpent: mayHaveCreated)
        }
        loop.finished(self)
        return client
    }

    /// Takes the client's key for a retry, if it sent one, until this call has ended, and for good where that made
    /// something.
    func claimIdempotencyKey() throws(APIError) {
        guard let value = idempotencyValue else { return }
        let request = InferenceRequest(of: path.surface, model: "")
        let fingerprint = body.withUnsafeReadableBytes { RequestFingerprint(of: request, body: $0) }
        idempotencyDigest = try loop.claimIdempotencyKey(
            value, by: grant.keyID, for: requestID, asking: fingerprint
        ).digest
    }
}

extension APIError {
    static let noBatchBackends = APIError(
        status: 404, type: "invalid_request_error", code: "batches_not_available",
        message: "No engine that you can use keeps files or works through batches. Send requests one by one.")

    /// `status`: what the backend answered; nil where it did not.
    static func jobsUpstream(_ backend: Backend, _ status: Int?) -> APIError {
        let what = status == nil ? "did not answer" : "failed"
        return .upstream(
            502, "upstream_error", "The engine that keeps files and batches \(what). Try again shortly.")
    }
}
