import HTTPTypes
import Hummingbird
import Identity
import NIOCore
import Telemetry

/// Hummingbird's side: takes requests apart, and puts answers and problems together. Nothing thrown passes it, so every
/// answer has the same headers and every error the same form.
struct Responder: HTTPResponder {
    let routes: RouteTable
    let dispatcher: Dispatcher
    let log: StructuredLog

    func respond(to request: Request, context: AdminContext) async throws -> Response {
        let requestID = Responder.requestID(of: request)
        let method = request.method.rawValue
        let path = request.uri.path
        let began = ContinuousClock.now
        var response: Response
        do {
            response = Responder.response(try await answer(request, context))
        } catch {
            let problem = Problem(error)
            if problem.status >= 500 {
                log.error(
                    "admin call failed",
                    ["request_id": .text(requestID), "path": .text(path), "error": .text(String(describing: error))])
            }
            response = Responder.response(problem, path: path, requestID: requestID)
            if Responder.leavesLargeBody(request) { context.closeSoon(&response) }
        }
        response.headers[.requestID] = requestID
        for (name, value) in Responder.securityHeaders where response.headers[name] == nil {
            response.headers[name] = value
        }
        if request.method == .head {
            // The headers are those of GET; the length too, which is why the body is taken away at the end.
            response = Response(status: response.status, headers: response.headers)
        }
        let elapsed = (ContinuousClock.now - began).components
        log.info(
            "admin call",
            [
                "request_id": .text(requestID), "method": .text(method), "path": .text(path),
                "status": .integer(Int64(response.status.code)),
                "duration_ms": .integer(elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000),
            ])
        return response
    }

    private func answer(_ request: Request, _ context: AdminContext) async throws -> Answer {
        let path = request.uri.path
        let method = request.method == .head ? "GET" : request.method.rawValue
        switch routes.match(method: method, path: path) {
        case .notFound: throw Problem(404, .notFound, "there is nothing at this path; /openapi.json lists all paths")
        case .methodNotAllowed(let methods):
            let allowed = Set(methods.map(\.rawValue)).sorted().joined(separator: ", ")
            throw Problem(
                405, .methodNotAllowed, "\(request.method.rawValue) is not allowed here; allowed: \(allowed)",
                headers: [.allow: allowed])
        case .found(let endpoint, let parameters):
            let head = Dispatcher.Head(
                endpoint: endpoint, methodAndPath: "\(method) \(path)", path: parameters,
                query: request.uri.query ?? "", authorization: request.headers[.authorization],
                idempotencyKey: request.headers[.idempotencyKey], mediaType: request.headers[.contentType],
                auditReason: request.headers[.auditReason] ?? "", origin: context.remoteAddress)
            let key = try await dispatcher.authenticate(head)
            return try await dispatcher.answer(head, key: key, body: try await body(of: request, endpoint))
        }
    }

    private func body(of request: Request, _ endpoint: Endpoint) async throws -> [UInt8] {
        let limit = endpoint.body?.bytesMax ?? BodyRule.bytesMaxDefault
        let tooLarge = Problem(
            413, .bodyTooLarge, "the body may have at most \(limit) bytes")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
        do {
            return Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }
}

extension Responder {
    /// Whether what a refused caller goes on sending has no bound: it would be read to its end and thrown away.
    private static func leavesLargeBody(_ request: Request) -> Bool {
        guard let length = request.headers[.contentLength].flatMap({ Int($0) }) else {
            return request.headers[.transferEncoding] != nil
        }
        return length > BodyRule.bytesMaxDefault
    }
}

/// A request's context: Hummingbird's, and the connection.
struct AdminContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    /// How long a caller whose connection is closed has to read the answer.
    static let lingerSeconds: Int64 = 2

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// Whom the connection comes from; a proxy between is told, not whoever it stands for.
    var remoteAddress: String { channel.remoteAddress?.ipAddress ?? "local socket" }

    /// Says that the connection is closed, and closes it a little later. At once would throw away the answer while the
    /// caller still sends.
    func closeSoon(_ response: inout Response) {
        response.headers[.connection] = "close"
        let channel = channel
        channel.eventLoop.scheduleTask(in: .seconds(AdminContext.lingerSeconds)) { channel.close(promise: nil) }
    }
}

// MARK: - Responses

extension Responder {
    private static func response(_ answer: Answer) -> Response {
        var headers = answer.headers
        headers[.contentType] = answer.mediaType
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.bytes)))
    }

    private static func response(_ problem: Problem, path: String, requestID: String) -> Response {
        var headers = problem.headers
        headers[.contentType] = "application/problem+json"
        let text = problem.json(path: path, requestID: requestID).jsonText
        return Response(
            status: .init(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Answers are data: nothing in them may run, be framed, or be kept by caches.
    private static let securityHeaders: [(HTTPField.Name, String)] = [
        (.cacheControl, "no-store"), (.xContentTypeOptions, "nosniff"),
        (
            .contentSecurityPolicy,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
        ),
        (.referrerPolicy, "no-referrer"), (.frameOptions, "DENY"),
    ]

    /// The caller's id where it is short and plain, so that its logs and ours can be joined; else a new one.
    private static func requestID(of request: Request) -> String {
        if let id = request.headers[.requestID], (1...128).contains(id.utf8.count),
            id.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            })
        {
            return id
        }
        var generator = SystemRandomNumberGenerator()
        return UUIDv7(high: generator.next(), low: generator.next()).hexadecimal
    }
}
