import Accounts
import Billing
import Storage

/// One operation of the API: what registers the route is what the OpenAPI document says.
struct Endpoint: Sendable {
    enum Method: String, CaseIterable, Sendable {
        case get = "GET"
        case post = "POST"
        case patch = "PATCH"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// Who may call it.
    enum Access: Hashable, Sendable {
        case everyone
        case role(AdminRole)
    }

    /// What it does. Reads are of one moment; a write and its idempotency key are one transaction.
    enum Work: Sendable {
        /// Use cases that show something.
        case look(@Sendable (Call, ReadSession) throws -> Answer)
        /// Use cases that change something.
        case change(@Sendable (Call, WriteSession) throws -> Answer)
        /// Longer than a transaction should be, or with transactions of its own.
        case job(@Sendable (Call) async throws -> Answer)
    }

    /// An answer that is no problem.
    struct Success: Sendable {
        let status: Int
        let description: String
        let mediaType: String
        /// Nil where the body is not JSON.
        let schema: Schema?

        static func json(_ status: Int, _ description: String, _ schema: Schema) -> Success {
            Success(status: status, description: description, mediaType: "application/json", schema: schema)
        }

        static func other(_ mediaType: String, _ description: String) -> Success {
            Success(status: 200, description: description, mediaType: mediaType, schema: nil)
        }
    }

    let method: Method
    /// With parameters in braces, such as `/v1/accounts/{account}`.
    let path: String
    /// Unique, in camel case: what generated clients call it.
    let operationID: String
    /// The resource that it belongs to.
    let tag: String
    let summary: String
    let description: String
    let access: Access
    let parameters: [Parameter]
    let body: BodyRule?
    let successes: [Success]
    /// Statuses of problems beyond those that follow from what is declared.
    let problems: Set<Int>
    let work: Work

    init(
        _ method: Method, _ path: String, _ operationID: String, tag: String, _ summary: String,
        description: String = "", access: Access, parameters: [Parameter] = [], body: BodyRule? = nil,
        successes: [Success], problems: Set<Int> = [], work: Work
    ) {
        self.method = method
        self.path = path
        self.operationID = operationID
        self.tag = tag
        self.summary = summary
        self.description = description
        self.access = access
        self.parameters = parameters
        self.body = body
        self.successes = successes
        self.problems = problems
        self.work = work
    }

    /// Every POST of a key's holder may carry an `Idempotency-Key`.
    var takesIdempotencyKey: Bool { method == .post && access != .everyone }

    /// Whether the caller may say why, for the audit trail.
    var takesAuditReason: Bool {
        switch work {
        case .look: false
        case .change: true
        case .job: method != .get
        }
    }

    /// The statuses of all problems that it can answer.
    var problemStatuses: [Int] {
        var statuses = problems
        if access != .everyone { statuses.formUnion([401, 500, 503]) }
        if case .role(let role) = access, role != .viewer { statuses.insert(403) }
        if parameters.contains(where: { $0.location == .path }) { statuses.insert(404) }
        if parameters.contains(where: { $0.location == .query }) || body != nil { statuses.insert(400) }
        if body != nil { statuses.formUnion([413, 415]) }
        if takesIdempotencyKey { statuses.formUnion([400, 409, 422]) }
        return statuses.sorted()
    }
}

/// A parameter in the path or the query.
struct Parameter: Sendable {
    enum Location: String, Sendable {
        case path
        case query
    }

    enum Style: Sendable {
        case single
        /// Values with commas between them.
        case list
        /// Any number of `tag.NAME=value`.
        case tags
    }

    let name: String
    let location: Location
    let schema: Schema
    var style = Style.single
    var isRequired = false

    static func path(_ name: String, _ schema: Schema) -> Parameter {
        Parameter(name: name, location: .path, schema: schema, isRequired: true)
    }

    static func query(_ name: String, _ schema: Schema, isRequired: Bool = false) -> Parameter {
        Parameter(name: name, location: .query, schema: schema, isRequired: isRequired)
    }

    static func list(_ name: String, _ element: Schema, _ description: String) -> Parameter {
        Parameter(name: name, location: .query, schema: .list(element, description, countMax: 20), style: .list)
    }

    static let tags = Parameter(
        name: "tags", location: .query,
        schema: .map(
            .text(lengths: 0...256), "Only requests with these tags: any number of `tag.NAME=value`.", countMax: 10),
        style: .tags)

    /// The parameters of every list.
    static let page: [Parameter] = [
        .query("limit", .integer("Items on the page; 50 when not said.", in: 1...Int64(PageRequest.limitMax))),
        .query("after", .text("`next` of the page before.")),
    ]
}

/// What a body may be.
struct BodyRule: Sendable {
    /// Of the JSON form.
    let schema: Schema
    /// The media types of the other form: the document as it is.
    var documentMediaTypes: [String] = []
    var bytesMax = BodyRule.bytesMaxDefault

    /// 1 MiB.
    static let bytesMaxDefault = 1 << 20
    /// 4 MiB: plans of many models are large.
    static let documentBytesMax = 4 << 20

    static func json(_ properties: [Schema.Property], named name: String) -> BodyRule {
        BodyRule(schema: .object(properties, named: name))
    }

    /// A YAML document: as it is, or as the member `document` of a JSON object.
    static func document(_ description: String, named name: String) -> BodyRule {
        let text = Schema.text(description, lengths: 1...documentBytesMax)
        return BodyRule(
            schema: .object([.required("document", text)], named: name),
            documentMediaTypes: ["application/yaml", "application/x-yaml", "text/yaml"], bytesMax: documentBytesMax)
    }

    /// Whether a call without a body is a call with an empty object.
    var mayBeEmpty: Bool {
        guard case .object(_, let properties) = schema.kind else { return false }
        return !properties.contains { $0.isRequired }
    }
}
