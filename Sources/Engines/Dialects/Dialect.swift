public import Identity
public import Metering

/// How one system is spoken to: which APIs it serves, where each is, what proves who we are, and what has to be asked
/// for so that usage comes. One file a system in this folder; `EngineKind.dialect` finds it.
///
/// What its answers mean stands in the readers (`AnswerReader`), what its errors mean in `EngineRefusal`.
public protocol Dialect: Sendable {
    /// Whether the system has this API.
    func serves(_ surface: Surface) -> Bool

    /// What a path of the system's own API asks for, as it stands after `/engines/{backend}`; nil where the system has
    /// no such path, or nothing that can be metered behind it.
    func nativeCall(method: String, path: Substring) -> NativeCall?

    /// What clients may write behind `?`; all else is left out.
    var queryMembers: [QueryMember] { get }

    /// The headers of a client that mean something to the system; all others stay behind.
    var clientHeaders: [ClientHeader] { get }

    /// Where a request goes. `query` is what passes of the client's.
    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget

    /// What the request must carry beside what the client sent: credentials, versions.
    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField]

    /// Changes to the body, in order and apart from one another: the upstream's model name, and what makes the engine
    /// report usage. All other bytes stay.
    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit]
}

/// Where a request goes at a backend.
public struct UpstreamTarget: Hashable, Sendable {
    public let method: String
    /// The whole path, the backend's own in front, percent-encoded.
    public let path: String
    /// After `?`, without it; empty for none.
    public let query: String

    /// A place at a backend.
    public init(method: String = "POST", path: String, query: String = "") {
        self.method = method
        self.path = path
        self.query = query
    }

    /// Path and query as the request line has them.
    public var requestTarget: String { query.isEmpty ? path : path + "?" + query }
}

/// A header, its name in lower case. It replaces what the client wrote under that name.
public struct HeaderField: Hashable, Sendable {
    public let name: String
    public let value: String
    /// A header.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a signature covers beside the target; asked for only when `Backend.signsRequests`.
public struct SignedContent: Sendable {
    /// Of the body as it goes out, edits done.
    public let bodyDigest: SHA256Digest
    public let date: Timestamp
    /// Headers that go out with the request and that the signature must cover (`content-type`, `x-amzn-…`).
    public let headers: [HeaderField]

    /// What is signed.
    public init(bodyDigest: SHA256Digest, date: Timestamp, headers: [HeaderField] = []) {
        self.bodyDigest = bodyDigest
        self.date = date
        self.headers = headers
    }

    /// For backends that sign nothing.
    public static let unsigned = SignedContent(
        bodyDigest: SHA256Digest(of: ""), date: Timestamp(milliseconds: 0))
}

extension Backend {
    /// Whether requests to it are signed over their bodies.
    public var signsRequests: Bool { (kind == .bedrock || kind == .sageMaker) && settings.aws != nil }
    /// How it is spoken to.
    public var dialect: any Dialect { kind.dialect }
}

extension Dialect {
    func nativeCall(method: String, path: Substring) -> NativeCall? { nil }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        backend.bearer
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: [])
    }

    public var queryMembers: [QueryMember] { [] }

    public var clientHeaders: [ClientHeader] { ClientHeader.common }

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        request.native?.target(upstreamModel: upstreamModel, backend: backend, query: query)
            ?? OpenAIDialect.target(of: request.surface, backend: backend, query: query.text)
    }
}

extension NativeCall {
    func target(upstreamModel: String, backend: Backend, query: ForwardedQuery) -> UpstreamTarget {
        UpstreamTarget(
            method: method, path: backend.basePath + path(upstreamModel: upstreamModel), query: query.text)
    }
}

extension Backend {
    /// The key as most systems take it.
    var bearer: [HeaderField] { apiKey.map { [HeaderField("authorization", "Bearer " + $0)] } ?? [] }
}
