import Accounts
import Billing
import Identity
import Storage

/// Who changed what.
enum AuditEndpoints {
    private static let shape = Shape<AuditEntry>(
        "AuditEntry",
        "One change. Entries are never changed or removed; each has the digest of the one before it in its chain.",
        [
            .init("id", .id(AuditEntryID.self)) { .string("\($0.id)") },
            .init("chain", .text("The account whose chain it is in, or `seller`.")) { .string("\($0.chain)") },
            .init("number", .integer("In its chain, from 1 without a gap.")) { .integer(Int128($0.number)) },
            .init("recorded_at", .instant("Real time.")) { .string("\($0.recordedAt)") },
            .init("action", .choice(ChangeKind.self, "What happened; its event has the same name.")) {
                .string($0.action)
            },
            .init("subject", .text("What was changed: an id or a name.", lengths: 1...10_000)) {
                .string($0.subject)
            },
            .init(
                "actor",
                .object(
                    [
                        .required("kind", .choice(Principal.Kind.self)),
                        .required("id", .text("An admin key, a user of a machine, or a job.", lengths: 0...255)),
                        .required("name", .text("An admin key's name.", lengths: 0...255)),
                        .required("from", .text("The address or host that it came from.", lengths: 0...255)),
                    ], named: "AuditActor")
            ) { entry in
                [
                    "kind": .string(entry.principal.kind.rawValue), "id": .string(entry.principal.id),
                    "name": .string(entry.principal.name), "from": .string(entry.principal.origin),
                ]
            },
            .init("before", Schema.anyObject("Null where the subject is new.").nullable) { facts($0.before) },
            .init("after", Schema.anyObject("Null where the subject is gone.").nullable) { facts($0.after) },
            .init("reason", .text("Empty where nobody said.", lengths: 0...WriteSession.reasonLengthMax)) {
                .string($0.reason)
            },
            .init("previous_sha256", .text("Of the entry before it; zeros for the first.", lengths: 64...64)) {
                .string($0.previous.hexadecimal)
            },
            .init("sha256", .text("Of this entry, the one before it included.", lengths: 64...64)) {
                .string($0.digest.hexadecimal)
            },
        ])

    static let all: [Endpoint] = [list]

    private static let list = Endpoint(
        .get, "/v1/audit", "listAuditEntries", tag: "Audit", "List who changed what",
        description: "One chain by number, all chains by time. `tollgate audit verify` follows the chains and finds "
            + "what was changed, removed or put elsewhere in the database.",
        access: .role(.admin),
        parameters: [
            .query("chain", .text("Only of this account, or `seller` for what belongs to none.")),
            .query("subject", .text("Only about this id or name.", lengths: 1...10_000)),
            .query("action", .choice(ChangeKind.self, "Only what happened so.")),
            .query("actor", .text("Only by this admin key, user or job.")),
        ] + Parameter.page,
        successes: [.json(200, "A page, the first entry first.", shape.pageSchema)],
        work: .look { call, session in
            var filter = AuditStorage.Filter(
                subject: call.queryText("subject"), action: call.queryText("action"), actor: call.queryText("actor"))
            if let text = call.queryText("chain") {
                guard let chain = AuditChain(text) else {
                    throw Problem.invalid("chain", "must be the id of an account (acc_…), or seller")
                }
                filter.chain = chain
            }
            return .page(try session.auditEntries(filter, try call.page(AuditEntryID.self)), as: shape) { "\($0.id)" }
        })

    private static func facts(_ text: String?) -> JSONValue {
        // Whatever stands there was written as JSON; what does not read is shown as nothing rather than not at all.
        text.flatMap { try? JSONValue(bytes: Array($0.utf8)) } ?? .null
    }
}
