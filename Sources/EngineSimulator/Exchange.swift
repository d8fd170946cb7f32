import NIOHTTP1

/// A request as it came: head and whole body.
struct Exchange {
    let head: HTTPRequestHead
    let body: [UInt8]
    /// What stands in the path where its route has `*`, percent-decoded.
    var parameters: [String] = []
    /// Whether the dialect's reader finds no words for the answer's length: somebody else reads them.
    var hidesLengths = false

    init(head: HTTPRequestHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    /// The path without its query.
    var path: Substring { head.uri.prefix { $0 != "?" } }

    /// The first value of a header.
    func header(_ name: String) -> String? { head.headers.first(name: name) }

    /// A parameter of the query, not percent-decoded: none that this engine takes needs it.
    func query(_ name: String) -> String? {
        let query = head.uri.drop { $0 != "?" }.dropFirst()
        for pair in query.split(separator: "&") where pair.hasPrefix("\(name)=") {
            return String(pair.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// The body as JSON.
    ///
    /// - Throws: a 400 that names the byte when it is none.
    func json() throws(EngineError) -> JSONValue {
        do throws(JSONSyntaxError) {
            return try JSONReader.read(body)
        } catch {
            throw .badRequest("JSON decode error: \(error.reason)", "body.\(error.offset)")
        }
    }

    /// The body as a JSON object.
    func object() throws(EngineError) -> JSONValue {
        let body = try json()
        guard body.object != nil else { throw .badRequest("Input should be a valid dictionary or object", "body") }
        return hidesLengths ? LengthReading.withoutLengths(body) : body
    }

    /// Groq's paths and Azure's newer ones are the same; Azure's clients show their key in a header of its own.
    var isFromAzureClient: Bool { header("api-key") != nil }

    /// Where the client reached the engine, such as `http://127.0.0.1:9100`.
    var origin: String { "http://" + (header("host") ?? "127.0.0.1") }
}

/// An answer that is there at once.
struct PreparedAnswer: Sendable, Equatable {
    var status = 200
    var contentType = "application/json"
    var headers: [String: String] = [:]
    var body: [UInt8]

    init(status: Int = 200, contentType: String = "application/json", headers: [String: String] = [:], body: String) {
        self.init(status: status, contentType: contentType, headers: headers, bytes: Array(body.utf8))
    }

    init(status: Int = 200, contentType: String, headers: [String: String] = [:], bytes: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        body = bytes
    }

    static let unauthorized = PreparedAnswer(status: 401, body: #"{"error":"Unauthorized"}"#)
    static let notFound = PreparedAnswer(status: 404, body: #"{"detail":"Not Found"}"#)
    static let methodNotAllowed = PreparedAnswer(status: 405, body: #"{"detail":"Method Not Allowed"}"#)
}
