import Accounts
import Billing
import Engines
import Identity
import Metering
import Monetary
import Storage

/// Sums of usage.
enum UsageEndpoints {
    private static let groupFields: [Shape<UsageTotal>.Field] = UsageQuery.Dimension.allCases.map { dimension in
        .init(dimension.rawValue, .text("Only where asked for; else null.").nullable) {
            .optional($0.group[dimension])
        }
    }

    private static let shape = Shape<UsageTotal>(
        "UsageTotal", "What was billed and what was waived of one meter.",
        groupFields + [
            .init("meter", .choice(Meter.self)) { .string($0.meter.rawValue) },
            .init("quantity", .integer("Billed base units, such as tokens.")) { .integer($0.quantity) },
            .init("amount", .money("Billed, exact.")) { .string("\($0.amount)") },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.amount.currency.code) },
            .init("waived_quantity", .integer("Counted and, by the plan's rule, not billed.")) {
                .integer($0.waivedQuantity)
            },
            .init("waived_amount", .money("What was waived.")) { .string("\($0.waivedAmount)") },
            .init("records", .integer("Attempts that added to the billed quantity.")) { .integer(Int128($0.records)) },
        ])

    /// Filters that sums and single records have in common.
    static let filters: [Parameter] = [
        .query("account", .id(AccountID.self)), .mode, .query("tenant", .id(TenantID.self)),
        .query("project", .id(ProjectID.self)), .query("key", .id(KeyID.self)),
        .query("model", .text("The model's own name, or an alias.")),
    ]

    static let all: [Endpoint] = [usage]

    private static let usage = Endpoint(
        .get, "/v1/usage", "getUsage", tag: "Usage", "Sums of usage",
        description:
            "A row for each meter, currency and combination of what `group_by` names. Hours and days are local "
            + "to the account. Ask for a `period`, which is each account's own month, or for `from` and `to`: whole "
            + "hours in the zones of the accounts, because sums are kept by local hour. With tags the sums are made "
            + "from single records, which is slower.",
        access: .role(.viewer),
        parameters: [
            .query("period", .formatted(.month, "The month, of each account in its zone.")),
            .query("from", .instant("Billing time, inside; a whole hour.")),
            .query("to", .instant("Billing time, no longer inside; a whole hour.")),
        ] + filters + [
            .query("tier", .text("The tier that was billed.")), .query("meter", .choice(Meter.self)),
            .list(
                "group_by", .choice(UsageQuery.Dimension.self),
                "Any of \(UsageQuery.Dimension.allCases.map(\.rawValue).joined(separator: ", ")), with commas."),
            .tags,
        ],
        successes: [
            .json(
                200, "The sums.",
                .object(
                    [
                        .required("period", .formatted(.month).nullable),
                        .required("from", .instant().nullable), .required("to", .instant().nullable),
                        .required("data", .list(shape.schema, countMax: UsageQuery.rowsMax)),
                        .required(
                            "has_more",
                            .boolean("True where there are more than \(UsageQuery.rowsMax) rows: ask for less.")),
                        .required(
                            "left_out",
                            .list(
                                .object([
                                    .required("account", .id(AccountID.self)),
                                    .required("reason", .text(lengths: 0...100_000)),
                                ]), "Accounts that cannot be read, and whose usage is missing.",
                                countMax: ServiceFault.countMax)),
                    ], named: "Usage"))
        ],
        work: .look { call, session in
            let sums = try session.usageSums(try query(call))
            return .ok([
                "period": .optional(call.queryText("period")),
                "from": .optional(call.queryInstant("from").map { "\($0)" }),
                "to": .optional(call.queryInstant("to").map { "\($0)" }),
                "data": .array(sums.totals.map(shape.json)),
                "has_more": .boolean(sums.totals.count >= UsageQuery.rowsMax),
                "left_out": .array(sums.leftOut.map { ["account": .string($0.name), "reason": .string($0.reason)] }),
            ])
        })

    private static func span(_ call: Call) throws(Problem) -> UsageQuery.Span {
        let (from, to) = (call.queryInstant("from"), call.queryInstant("to"))
        if let month = call.queryText("period").flatMap({ CivilMonth($0) }) {
            guard from == nil, to == nil else { throw .invalid("period", "goes without from and to") }
            return .month(month)
        }
        guard let from, let to else {
            let missing = [("from", from), ("to", to)].filter { $0.1 == nil }
            throw .invalid(
                missing.map { Schema.Complaint(parameter: $0.0, detail: "is missing: send from and to, or period") })
        }
        guard from < to else { throw .invalid("to", "must lie after from") }
        return .instants(from: from, to: to)
    }

    private static func query(_ call: Call) throws(Problem) -> UsageQuery {
        var query = UsageQuery(try span(call))
        query.account = call.queryID("account")
        query.tenant = call.queryID("tenant")
        query.project = call.queryID("project")
        query.key = call.queryID("key")
        query.mode = call.mode(isNamed: query.isNamed)
        query.model = call.queryText("model")
        query.tier = call.queryText("tier")
        query.meter = call.queryChoice("meter")
        query.tags = call.tags
        let names = call.query["group_by"]?.elements?.compactMap(\.text) ?? []
        query.groupBy = Set(names.compactMap { UsageQuery.Dimension(rawValue: $0) })
        return query
    }
}
