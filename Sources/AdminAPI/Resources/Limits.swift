import Accounts
import Billing
import Identity
import Limits
import Storage

/// Limits on what a key, project, tenant or account may use.
enum LimitEndpoints {
    enum Mode: String, CaseIterable {
        case enforced
        case shadow
    }

    static let shape = Shape<StoredLimit>(
        "Limit", "A limit on requests or tokens a minute, or on requests at one time.",
        [
            .init("id", .id(LimitID.self)) { .string("\($0.rule.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.rule.accountID)") },
            .init("scope", .text("Whose requests count: the id of an account, tenant, project or key.")) {
                .string($0.rule.scope.text)
            },
            .init("model", .text("The one model whose requests count; null for all.").nullable) {
                $0.rule.model.map { .string($0) } ?? .null
            },
            .init("kind", .choice(LimitKind.self)) { .string($0.rule.kind.rawValue) },
            .init("value", .integer("A minute's worth, or requests at one time; 0 lets nothing pass.")) {
                .integer(Int128($0.rule.value))
            },
            .init("mode", .choice(Mode.self, "`shadow` only counts what would have been refused.")) {
                .string(($0.rule.isShadow ? Mode.shadow : .enforced).rawValue)
            },
            .init("created_at", .instant()) { .string("\($0.createdAt)") },
            .init("updated_at", .instant()) { .string("\($0.updatedAt)") },
        ])

    private static let one = Parameter.path("limit", .id(LimitID.self))
    private static let value = Schema.integer(
        "A minute's worth, or requests at one time; 0 lets nothing pass.", in: 0...LimitRule.valueMax)

    static let all: [Endpoint] = [list, create, get, update, delete]

    private static let list = Endpoint(
        .get, "/v1/limits", "listLimits", tag: "Limits", "List limits", access: .role(.viewer),
        parameters: [
            .query("account", .id(AccountID.self, "Only of this account.")),
            .query("scope", .text("Only of the account, tenant, project or key with this id.")),
        ] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            var scope: LimitScope?
            if let text = call.queryText("scope") { scope = try readScope(text) }
            let page = try session.limits(
                account: call.queryID("account"), scope: scope, try call.page(LimitID.self))
            return .page(page, as: shape) { "\($0.rule.id)" }
        })

    private static let create = Endpoint(
        .post, "/v1/limits", "createLimit", tag: "Limits", "Create a limit",
        description: "A request must fit every enforced limit of its key, project, tenant and account. There is one "
            + "limit of a kind for a scope and model, and one in shadow beside it.",
        access: .role(.admin),
        body: .json(
            [
                .required("scope", .text("The id of an account, tenant, project or key.")),
                .required("kind", .choice(LimitKind.self)), .required("value", value),
                .optional("model", .text("Only requests for this model, by its own name or an alias.")),
                .optional("mode", .choice(Mode.self, "`enforced` when not said.")),
            ], named: "LimitInput"),
        successes: [.json(201, "The limit.", shape.schema)], problems: [404],
        work: .change { call, session in
            let scope = try readScope(try call.body.required("scope"))
            guard let kind = LimitKind(rawValue: try call.body.required("kind")) else {
                throw Problem.invalid("kind", "is no kind of limit")
            }
            guard let value = call.body["value"]?.number else { throw Problem.invalid("value", "is missing") }
            let limit = try session.createLimit(
                kind, of: scope, model: call.body["model"]?.text, value: value, isShadow: mode(call.body) == .shadow)
            return .created(shape.json(limit))
        })

    private static let get = Endpoint(
        .get, "/v1/limits/{limit}", "getLimit", tag: "Limits", "Show a limit", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The limit.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.limit(try call.id("limit")))) })

    private static let update = Endpoint(
        .patch, "/v1/limits/{limit}", "updateLimit", tag: "Limits", "Change a limit's value or mode",
        description: "Gateways go by it within a second. What was taken of it stays taken.", access: .role(.admin),
        parameters: [one],
        body: .json(
            [.optional("value", value), .optional("mode", .choice(Mode.self))], named: "LimitUpdate"),
        successes: [.json(200, "The limit.", shape.schema)], problems: [409],
        work: .change { call, session in
            let limit = try session.updateLimit(
                try call.id("limit"), value: call.body["value"]?.number,
                isShadow: mode(call.body).map { $0 == .shadow })
            return .ok(shape.json(limit))
        })

    private static let delete = Endpoint(
        .post, "/v1/limits/{limit}/delete", "deleteLimit", tag: "Limits", "Delete a limit",
        description: "The answer shows it for the last time.", access: .role(.admin), parameters: [one],
        successes: [.json(200, "The limit that was.", shape.schema)],
        work: .change { call, session in .ok(shape.json(try session.deleteLimit(try call.id("limit")))) })

    private static func mode(_ body: JSONValue) -> Mode? { body["mode"]?.text.flatMap { Mode(rawValue: $0) } }

    private static func readScope(_ text: String) throws(Problem) -> LimitScope {
        guard let scope = LimitScope(text) else {
            throw .invalid("scope", "must be the id of an account, tenant, project or key (acc_, ten_, prj_, key_)")
        }
        return scope
    }
}
