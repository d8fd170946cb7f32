import Accounts
import Engines
import HTTP1
import Identity
import NIOCore

/// What the head alone tells of a request: who asks, for what, and whether it is refused for it.
extension ClientHandler {
    func read(_ head: RequestHead) -> Incoming {
        do throws(APIError) {
            return try check(head)
        } catch {
            if envelope == .openAI {
                envelope = ErrorEnvelope(refusing: head.path, method: head.methodText) ?? .openAI
            }
            let grant = try? authenticate(head, query: "")
            return Incoming(
                head: head, route: .health, query: "", grant: grant, snapshotUpdates: shared.snapshots.updates,
                refusal: error)
        }
    }

    private func check(_ head: RequestHead) throws(APIError) -> Incoming {
        guard head.targetByteCount <= shared.configuration.limits.pathBytes else { throw .pathTooLong }
        let path = head.path
        guard let route = Route(path: path[...]), audience == .clients || route.isForMonitoring else {
            throw .unknownPath(path)
        }
        guard head.method == .options || route.allows(head.method) else {
            throw .methodNotAllowed(head.methodText, allowed: route.allowed)
        }
        if let surface = route.surface { envelope = ErrorEnvelope(surface) }
        let updates = shared.snapshots.updates
        let query = head.query[...]
        if route == .metrics, audience == .clients { try checkMetricsKey(head) }
        if let name = head.headers.firstRepeated(of: Self.headersRead) { throw .duplicateHeader(name.description) }
        var grant: KeyGrant?
        if route.needsKey, head.method != .options { grant = try authenticate(head, query: query) }
        var incoming = Incoming(head: head, route: route, query: query, grant: grant, snapshotUpdates: updates)
        guard route.isForwarded, head.method != .options else { return incoming }
        if case .native(let backend, let path) = route, let grant {
            incoming.native = try nativeCall(on: backend, path: path, method: head.methodText, grant: grant)
        }
        if !shared.journal.isAccepting { throw .journalUnavailable }
        if grant?.subscriptionID == nil { throw .noSubscription }
        incoming.inflater = try inflater(for: head)
        return incoming
    }

    private func authenticate(_ head: RequestHead, query: Substring) throws(APIError) -> KeyGrant {
        let updates = shared.snapshots.updates
        if let known, known.snapshotUpdates == updates, known.isShown(in: head.headers) { return known.grant }
        let grant = try shared.admission
            .grant(secret: ClientCredential.secret(in: head.headers, query: query))
        known = KnownCredential(in: head.headers, snapshotUpdates: updates, grant: grant)
        return grant
    }

    /// The metrics tell of all tenants: no tenant's key opens them.
    private func checkMetricsKey(_ head: RequestHead) throws(APIError) {
        guard let key = shared.configuration.metricsKey else { throw .metricsElsewhere }
        guard let shown = head.headers.first("authorization").flatMap(ClientCredential.bearerToken) else {
            throw .missingKey
        }
        guard SHA256Digest(of: shown) == SHA256Digest(of: key) else { throw .invalidKey }
    }

    /// The grant as it is now. While the body arrived, which may take a minute, or its limits were asked about, the key
    /// may have been revoked, or its account's clock moved: stamped by the old one, a request could fall into a month
    /// that is closed already.
    func currentGrant(of incoming: Incoming) throws(APIError) -> KeyGrant? {
        guard incoming.grant != nil, incoming.snapshotUpdates != shared.snapshots.updates else { return incoming.grant }
        return try authenticate(incoming.head, query: incoming.query)
    }

    /// What a path below `/engines/` asks for, in the dialect of its backend; from here on errors are in that dialect.
    private func nativeCall(
        on name: String, path: String, method: String, grant: KeyGrant
    ) throws(APIError) -> NativeCall {
        let backend = try shared.admission.backend(named: name, for: grant)
        guard let call = backend.dialect.nativeCall(method: method, path: path[...]) else {
            throw .unknownPath("/engines/" + name + path)
        }
        envelope = ErrorEnvelope(call.surface)
        return call
    }

    /// What unpacks the body: engines get it plain, as it was read.
    private func inflater(for head: RequestHead) throws(APIError) -> Inflater? {
        guard head.headers.contains("content-encoding") else { return nil }
        let codings = head.headers.all("content-encoding").flatMap { $0.split(separator: ",") }
            .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }.filter { $0 != "identity" && !$0.isEmpty }
        guard let coding = codings.first else { return nil }
        guard codings.count == 1, Inflater.unpacks(coding) else { throw .unsupportedCoding }
        return Inflater(outputBytesMax: .max)
    }
}

extension ClientHandler {
    /// The headers that the gateway itself goes by, each of which means one thing: given twice, it and whoever stands
    /// in front of it may go by different ones. `content-type`, `content-length` and `host` are looked at before, and
    /// headers of a dialect's own with its body.
    private static let headersRead: [StaticString] = [
        "authorization", "x-api-key", "api-key", "x-goog-api-key", LoopContext.idempotencyHeader, "x-tollgate-tags",
    ]
}

extension APIError {
    fileprivate static func duplicateHeader(_ name: String) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "duplicate_header",
            message: "The header '\(name)' is given twice. Give it once.", parameter: name)
    }
}

extension Route {
    fileprivate func allows(_ method: HTTP1.Method) -> Bool {
        switch self {
        case .inference: method == .post
        case .native: method == .post || method == .get
        case .jobs(let path): path.allows(method)
        case .models, .model, .prices, .health, .readiness, .metrics: method == .get || method == .head
        }
    }

    /// Whether it is served at the address for monitoring, too.
    fileprivate var isForMonitoring: Bool {
        switch self {
        case .health, .readiness, .metrics: true
        case .inference, .native, .jobs, .models, .model, .prices: false
        }
    }
}
