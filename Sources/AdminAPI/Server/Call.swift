import Accounts
import Billing
import Identity
import Metering
import Storage

/// A call whose parameters and body were checked against the endpoint's description.
struct Call: Sendable {
    /// Real time.
    let now: Timestamp
    /// Nil where everyone may call.
    let key: AdminKey?
    let path: [String: String]
    let query: [String: JSONValue]
    /// An empty object where there was none.
    let body: JSONValue

    /// The network address that the call came from.
    let origin: String
    /// Why, as its header says.
    let reason: String

    /// Who calls; nil where everyone may.
    var caller: Actor? { key.map { .adminKey($0, from: origin).because(reason) } }

    /// Who calls, where only somebody may.
    var requiredCaller: Actor {
        get throws(Problem) {
            guard let caller else { throw Problem(401, .unauthenticated, "this needs an admin key") }
            return caller
        }
    }
}

// MARK: - Parameters

extension Call {
    /// An id in the path. One of another form names nothing, so it is not found.
    func id<Kind>(_ name: String, as type: TypedID<Kind>.Type = TypedID<Kind>.self) throws(Problem) -> TypedID<Kind> {
        guard let id = TypedID<Kind>(path[name] ?? "") else {
            throw .notFound("\(name) with that id: it looks like \(Kind.prefix)_ and 32 hexadecimal digits")
        }
        return id
    }

    /// Text in the path.
    func pathText(_ name: String) -> String { path[name] ?? "" }

    func queryText(_ name: String) -> String? { query[name]?.text }

    func queryID<Kind>(_ name: String) -> TypedID<Kind>? { query[name]?.text.flatMap { TypedID<Kind>($0) } }

    func queryInstant(_ name: String) -> Timestamp? { query[name]?.text.flatMap { Timestamp($0) } }

    func queryChoice<Value: RawRepresentable<String>>(_ name: String) -> Value? {
        query[name]?.text.flatMap { Value(rawValue: $0) }
    }

    var tags: [Tag] {
        guard case .object(let members)? = query["tags"] else { return [] }
        return members.map { Tag(name: $0.name, value: $0.value.text ?? "") }
    }

    /// The page of a list whose items have ids of one kind.
    func page<Kind>(_ type: TypedID<Kind>.Type) throws(Problem) -> PageRequest {
        var after: UUIDv7?
        if let text = queryText("after") {
            guard let id = TypedID<Kind>(text) else {
                throw .invalid("after", "is no cursor of this list: send `next` of the page before")
            }
            after = id.uuid
        }
        return PageRequest(limit: pageLimit, after: after)
    }

    var pageLimit: Int { query["limit"]?.number.map { Int($0) } ?? PageRequest.limitDefault }
}

// MARK: - Members of the body

extension JSONValue {
    /// A member that the schema requires.
    func required(_ name: String) throws(Problem) -> String {
        guard let text = self[name]?.text else { throw .invalid(name, "is missing") }
        return text
    }

    func requiredID<Kind>(
        _ name: String, as type: TypedID<Kind>.Type = TypedID<Kind>.self
    ) throws(Problem) -> TypedID<Kind> {
        guard let id = TypedID<Kind>(try required(name)) else { throw .invalid(name, "is no id of its kind") }
        return id
    }

    func instant(_ name: String) -> Timestamp? { self[name]?.text.flatMap { Timestamp($0) } }
}

// MARK: - Pages

extension Answer {
    /// A page of a list, with the cursor of the next.
    static func page<Item>(
        _ page: Page<Item>, as shape: Shape<Item>, next: (Item) -> String
    ) -> Answer {
        .page(page.items.map(shape.json), hasMore: page.hasMore, next: page.items.last.map(next))
    }

    static func page(_ items: [JSONValue], hasMore: Bool, next: String?) -> Answer {
        .ok([
            "data": .array(items), "has_more": .boolean(hasMore),
            "next": hasMore ? .optional(next) : .null,
        ])
    }
}
