import Accounts
import Billing
import Identity
import Monetary
import ServiceLevels
import Storage

/// Promises: kept or broken, with the evidence.
enum ServiceLevelEndpoints {
    private static let request: Schema = .object(
        [
            .required("request", .id(RequestID.self)), .required("accepted_at", .instant("Billing time.")),
            .required("measured", .text("Such as `3120 ms`.")),
        ], named: "MissedRequest")

    private static let shape = Shape<StoredPromiseResult>(
        "ServiceLevelResult", "What a month's requests say about one promise.",
        [
            .init("id", .id(ServiceLevelResultID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("subscription", .id(SubscriptionID.self)) { .string("\($0.subscriptionID)") },
            .init("plan", .text()) { .string($0.plan) },
            .init("plan_version", .integer()) { .integer(Int128($0.planVersion)) },
            .init("tier", .text()) { .string($0.tier) },
            .init("objective", .text("`availability` or `time_to_first_token`.")) { .string($0.objective.name) },
            .init("threshold_ms", .integer().nullable) { .optional($0.objective.thresholdMilliseconds) },
            .init("promised_percent", .money("Percent of requests.")) { .string("\($0.promised)") },
            .init("attained_percent", .money("Cut to 4 decimals; null without requests.").nullable) {
                $0.attainment.counted == 0 ? .null : .string($0.attainment.percentText)
            },
            .init("status", .choice(PromiseStatus.self)) { .string($0.status.rawValue) },
            .init("requests", .integer("Good and bad together.")) { .integer(Int128($0.attainment.counted)) },
            .init("good", .integer()) { .integer(Int128($0.attainment.good)) },
            .init("excluded", .integer("Requests that do not count.")) { .integer(Int128($0.excluded)) },
            .init("bad_by_reason", .map(.integer())) { counts($0.evidence.bad) },
            .init("excluded_by_reason", .map(.integer())) { counts($0.evidence.excluded) },
            .init("worst", .list(request, "The worst first.")) { result in
                .array(
                    result.evidence.worst.map {
                        [
                            "request": .string($0.requestID), "accepted_at": .string($0.acceptedAt),
                            "measured": .string($0.measured),
                        ]
                    })
            },
            .init("base", .money("The tier's exact charges of the month.")) { .string("\($0.base)") },
            .init("credit_percent", .money("Of the base; 0 where nothing is given back.")) {
                .string("\($0.creditPercent)")
            },
            .init("credit", .money("What is given back.")) { .string("\($0.credit)") },
            .init("currency", .text(lengths: 3...3)) { .string($0.base.currency.code) },
            .init("evaluated_at", .instant("Billing time.")) { .string("\($0.evaluatedAt)") },
        ])

    private static let standing: Schema = .object(
        [
            .required("account", .id(AccountID.self, "Null where all were asked for.").nullable),
            .required("period", .formatted(.month)),
            .required("final", .boolean("Whether the month is invoiced: nothing of this changes any more.")),
            .required("data", .list(shape.schema, countMax: 1_000_000)),
            .required("has_more", .boolean("Whether more accounts follow.")),
            .required("next", .text("What to send as `after`; null on the last page.").nullable),
        ], named: "ServiceLevels")

    private static func counts(_ counts: [String: Int64]) -> JSONValue {
        .object(counts.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .integer(Int128($0.value))) })
    }

    static func all(_ services: AdminServices) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/service_levels", "getServiceLevels", tag: "Service levels",
                "Where promises stand in a month",
                description:
                    "Judged by the requests ingested until now; of a month that is invoiced, as it was closed. Of one "
                    + "account, or of all, `limit` accounts a page.",
                access: .role(.viewer),
                parameters: [
                    .query("account", .id(AccountID.self, "Only of this account.")), .mode,
                    .query(
                        "period",
                        .formatted(
                            .month, "The month, in each account's zone; one account's current one when not said.")),
                ] + Parameter.page,
                successes: [.json(200, "By account, subscription, tier and objective.", standing)], problems: [404],
                work: .job { call in
                    let month = call.queryText("period").flatMap { CivilMonth($0) }
                    if let id: AccountID = call.queryID("account") {
                        return try await one(id, month, call, services)
                    }
                    guard let month else { throw Problem.invalid("period", "is missing: say it, or one account") }
                    return try await page(month, call, services)
                })
        ]
    }

    private static func one(
        _ id: AccountID, _ month: CivilMonth?, _ call: Call, _ services: AdminServices
    ) async throws -> Answer {
        let account = try await services.look(for: call) { try $0.account(id) }
        let current = CivilMonth(of: account.calendar.day(of: account.billingTime(at: call.now)))
        let standing = try await services.billing.serviceLevels(
            of: id, month: month ?? current, by: call.requiredCaller)
        return .ok([
            "account": .string("\(id)"), "period": .string("\(month ?? current)"),
            "final": .boolean(standing.isFinal), "data": .array(standing.results.map(shape.json)),
            "has_more": false, "next": .null,
        ])
    }

    private static func page(_ month: CivilMonth, _ call: Call, _ services: AdminServices) async throws -> Answer {
        let request = try call.page(AccountID.self)
        let accounts = try await services.look(for: call) { try $0.accounts(mode: call.mode(isNamed: false), request) }
        var results: [JSONValue] = []
        var isFinal = true
        for account in accounts.items {
            let standing = try await services.billing.serviceLevels(
                of: account.id, month: month, by: call.requiredCaller)
            isFinal = isFinal && standing.isFinal
            results += standing.results.map(shape.json)
        }
        return .ok([
            "account": .null, "period": .string("\(month)"), "final": .boolean(isFinal), "data": .array(results),
            "has_more": .boolean(accounts.hasMore),
            "next": accounts.hasMore ? .optional(accounts.items.last.map { "\($0.id)" }) : .null,
        ])
    }
}
