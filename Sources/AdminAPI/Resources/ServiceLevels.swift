import Accounts
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
            .required("account", .id(AccountID.self)), .required("period", .formatted(.month)),
            .required("final", .boolean("Whether the month is invoiced: nothing of this changes any more.")),
            .required("data", .list(shape.schema)),
        ], named: "ServiceLevels")

    private static func counts(_ counts: [String: Int64]) -> JSONValue {
        .object(counts.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .integer(Int128($0.value))) })
    }

    static func all(_ services: AdminServices) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/service_levels", "getServiceLevels", tag: "Service levels",
                "Where an account's promises stand in a month",
                description:
                    "Judged by the requests ingested until now; of a month that is invoiced, as it was closed.",
                access: .role(.viewer),
                parameters: [
                    .query("account", .id(AccountID.self), isRequired: true),
                    .query(
                        "period", .formatted(.month, "The month; the account's current one when not said.")),
                ], successes: [.json(200, "By subscription, tier and objective.", standing)], problems: [404],
                work: .job { call in
                    guard let id: AccountID = call.queryID("account") else {
                        throw Problem.invalid("account", "is missing")
                    }
                    let account = try await services.database.read { try AccountStorage.require(id, in: $0) }
                    let current = CivilMonth(of: account.calendar.day(of: account.billingTime(at: call.now)))
                    let month = call.queryText("period").flatMap { CivilMonth($0) } ?? current
                    let standing = try await services.jobs.serviceLevels(of: id, month: month)
                    return .ok([
                        "account": .string("\(id)"), "period": .string("\(month)"),
                        "final": .boolean(standing.isFinal), "data": .array(standing.results.map(shape.json)),
                    ])
                })
        ]
    }
}
