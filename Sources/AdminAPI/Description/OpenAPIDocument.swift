import Accounts
import Billing

/// Writes the endpoints as an OpenAPI 3.1 document.
struct OpenAPIDocument {
    let endpoints: [Endpoint]

    var json: JSONValue {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Tollgate admin API", "version": "1",
                "summary": "Accounts, keys, plans, usage and invoices of metered inference.",
                "description": .string(OpenAPIDocument.introduction),
                "license": ["name": "See the repository"],
            ],
            "servers": [["url": "/", "description": "The server that sent this document."]],
            "security": [["adminKey": []]],
            "tags": .array(tags.map { ["name": .string($0)] }),
            "paths": paths,
            "components": [
                "securitySchemes": [
                    "adminKey": [
                        "type": "http", "scheme": "bearer",
                        "description": "An admin key (`tga_…`) of the role that the operation names, or a higher one.",
                    ]
                ],
                "headers": headers,
                "schemas": schemas,
            ],
        ]
    }

    private static let introduction = """
        Money is a string in decimal notation; ids have a prefix that says what they name; times are RFC 3339 in UTC, \
        and billing time where they say so. Lists come in pages: send `next` as `after` for the next one. Unknown \
        parameters and members are errors. Errors are RFC 9457 problem details: branch on `code`. Every POST takes an \
        `Idempotency-Key`: the first answer is kept for 24 hours and given again with the header \
        `idempotent-replayed: true`; secrets are left out of a replay.
        """

    private var tags: [String] {
        endpoints.map(\.tag).reduce(into: []) { names, tag in
            if !names.contains(tag) { names.append(tag) }
        }
    }

    private var paths: JSONValue {
        var order: [String] = []
        var byPath: [String: [Endpoint]] = [:]
        for endpoint in endpoints {
            if byPath[endpoint.path] == nil { order.append(endpoint.path) }
            byPath[endpoint.path, default: []].append(endpoint)
        }
        return .object(
            order.map { path in
                let operations = (byPath[path] ?? []).map { endpoint in
                    JSONValue.Member(name: endpoint.method.rawValue.lowercased(), value: operation(endpoint))
                }
                return .init(name: path, value: .object(operations))
            })
    }

    // MARK: - Operations

    private func operation(_ endpoint: Endpoint) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "operationId", value: .string(endpoint.operationID)),
            .init(name: "tags", value: [.string(endpoint.tag)]),
            .init(name: "summary", value: .string(endpoint.summary)),
        ]
        let description = [endpoint.description, OpenAPIDocument.roleText(endpoint.access)].filter { !$0.isEmpty }
        members.append(.init(name: "description", value: .string(description.joined(separator: "\n\n"))))
        if endpoint.access == .everyone { members.append(.init(name: "security", value: [])) }
        var parameters = endpoint.parameters.map(parameter)
        if endpoint.takesIdempotencyKey { parameters.append(OpenAPIDocument.idempotencyKey) }
        if endpoint.takesAuditReason { parameters.append(OpenAPIDocument.auditReason) }
        if !parameters.isEmpty { members.append(.init(name: "parameters", value: .array(parameters))) }
        if let body = endpoint.body { members.append(.init(name: "requestBody", value: requestBody(body))) }
        members.append(.init(name: "responses", value: responses(endpoint)))
        return .object(members)
    }

    private static func roleText(_ access: Endpoint.Access) -> String {
        switch access {
        case .everyone: "Needs no key."
        case .role(let role): "Needs the role `\(role.rawValue)`."
        }
    }

    private func parameter(_ parameter: Parameter) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "name", value: .string(parameter.name)),
            .init(name: "in", value: .string(parameter.location.rawValue)),
            .init(name: "required", value: .boolean(parameter.isRequired)),
        ]
        if !parameter.schema.description.isEmpty {
            members.append(.init(name: "description", value: .string(parameter.schema.description)))
        }
        switch parameter.style {
        case .single: break
        case .list:
            members += [.init(name: "style", value: "form"), .init(name: "explode", value: false)]
        case .tags:
            // Exploded, each property is a query parameter of its own: `tag.NAME=value`.
            members += [.init(name: "style", value: "form"), .init(name: "explode", value: true)]
        }
        var schema = parameter.schema.json
        if parameter.style == .tags {
            schema = ["type": "object", "patternProperties": ["^tag\\.": ["type": "string", "maxLength": 256]]]
        }
        members.append(.init(name: "schema", value: schema))
        return .object(members)
    }

    private static let idempotencyKey: JSONValue = [
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A call repeated with the same key within 24 hours changes nothing and gets the first answer.",
        "schema": [
            "type": "string", "minLength": 1, "maxLength": .integer(Int128(Dispatcher.idempotencyKeyLengthMax)),
        ],
    ]

    private static let auditReason: JSONValue = [
        "name": "Audit-Reason", "in": "header", "required": false,
        "description": "Why; it stays with the change in the audit trail.",
        "schema": ["type": "string", "maxLength": .integer(Int128(WriteSession.reasonLengthMax))],
    ]

    private func requestBody(_ body: BodyRule) -> JSONValue {
        var content: [JSONValue.Member] = [
            .init(name: "application/json", value: ["schema": body.schema.json])
        ]
        content += body.documentMediaTypes.map {
            .init(name: $0, value: ["schema": ["type": "string", "description": "The document as it is."]])
        }
        return [
            "required": .boolean(!body.mayBeEmpty),
            "description": "At most \(body.bytesMax >> 20) MiB.",
            "content": .object(content),
        ]
    }

    private func responses(_ endpoint: Endpoint) -> JSONValue {
        var members = endpoint.successes.map { success in
            JSONValue.Member(
                name: "\(success.status)",
                value: [
                    "description": .string(success.description), "headers": successHeaders(endpoint),
                    "content": .object([
                        .init(name: success.mediaType, value: success.schema.map { ["schema": $0.json] } ?? [:])
                    ]),
                ])
        }
        members += endpoint.problemStatuses.map { status in
            JSONValue.Member(
                name: "\(status)",
                value: [
                    "description": .string(OpenAPIDocument.problemText(status)),
                    "headers": ["x-request-id": ["$ref": "#/components/headers/RequestID"]],
                    "content": ["application/problem+json": ["schema": Problem.schema.json]],
                ])
        }
        return .object(members)
    }

    private func successHeaders(_ endpoint: Endpoint) -> JSONValue {
        guard endpoint.takesIdempotencyKey else {
            return ["x-request-id": ["$ref": "#/components/headers/RequestID"]]
        }
        return [
            "x-request-id": ["$ref": "#/components/headers/RequestID"],
            "idempotent-replayed": ["$ref": "#/components/headers/IdempotentReplayed"],
        ]
    }

    private static func problemText(_ status: Int) -> String {
        switch status {
        case 400: "Parameters or body are not valid; `errors` names each."
        case 401: "No valid admin key."
        case 403: "The key's role does not allow this; `detail` says which is needed."
        case 404: "What the path or the body names does not exist."
        case 409: "It cannot be done as things stand, or a call with this Idempotency-Key is under way."
        case 413: "The body is too large."
        case 415: "The body's media type is not accepted."
        case 422: "The document has errors, or the Idempotency-Key was used for another call."
        case 503: "The database is away; try again."
        default: "Something went wrong here; the log has more under the request id."
        }
    }

    // MARK: - Components

    private var headers: JSONValue {
        [
            "RequestID": [
                "description": "The caller's x-request-id, or a new one; also in the log.",
                "schema": ["type": "string"],
            ],
            "IdempotentReplayed": [
                "description": "`true` where this is the kept answer of an earlier call.",
                "schema": ["type": "string", "enum": ["true"]],
            ],
        ]
    }

    private var schemas: JSONValue {
        var found: [String: JSONValue] = [:]
        Problem.schema.collectComponents(into: &found)
        for endpoint in endpoints {
            endpoint.body?.schema.collectComponents(into: &found)
            for success in endpoint.successes { success.schema?.collectComponents(into: &found) }
        }
        return .object(found.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) })
    }
}
