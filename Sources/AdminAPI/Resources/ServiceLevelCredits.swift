import Accounts
import Billing
import Identity
import Ledger
import Monetary
import ServiceLevels
import Storage

/// Credits that are owed, and what becomes of those of customers that left.
enum ServiceLevelCreditEndpoints {
    private static let fields: [Shape<GrantedResult>.Field] = [
        .init("result", .id(ServiceLevelResultID.self)) { .string("\($0.result.id)") },
        .init("account", .id(AccountID.self)) { .string("\($0.result.accountID)") },
        .init("subscription", .id(SubscriptionID.self)) { .string("\($0.result.subscriptionID)") },
        .init("period_start", .instant("The month in which the promise was broken.")) {
            .string("\($0.result.period.start)")
        },
        .init("tier", .text()) { .string($0.result.tier) },
        .init("objective", .text()) { .string($0.result.objective.name) },
        .init("granted", .money()) { .string("\($0.result.credit)") },
        .init("applied", .money("On final invoices.")) { .string("\($0.applied)") },
        .init("owed_exact", .money("Before rounding; above zero.")) {
            .string((try? $0.remaining()).map { "\($0.exact)" } ?? "0")
        },
        .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.result.base.currency.code) },
    ]

    private static let shape = Shape<GrantedResult>(
        "ServiceLevelCredit", "A credit that is granted and not wholly on final invoices.", fields)

    static func all(_ services: AdminServices) -> [Endpoint] { [list, payOut(services)] }

    private static let list = Endpoint(
        .get, "/v1/service_level_credits", "listServiceLevelCredits", tag: "Service levels",
        "List credits that are owed", access: .role(.viewer),
        parameters: [.query("account", .id(AccountID.self, "Only of this account.")), .mode] + Parameter.page,
        successes: [.json(200, "A page, by result.", shape.pageSchema)],
        work: .look { call, session in
            let account: AccountID? = call.queryID("account")
            let page = try session.owedCredits(
                of: account, mode: call.mode(isNamed: account != nil), try call.page(ServiceLevelResultID.self))
            return .page(page, as: shape) { "\($0.result.id)" }
        })

    private static func payOut(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .post, "/v1/accounts/{account}/service_level_payouts", "payOutServiceLevelCredits", tag: "Service levels",
            "Book that an account that left was paid its credits",
            description: "Any other account's next invoice carries them. Doing it twice pays once.",
            access: .role(.billing), parameters: [.path("account", .id(AccountID.self))],
            body: .json(
                [.required("reason", .text("Why, and how it was paid.", lengths: 1...1000))],
                named: "ServiceLevelPayoutInput"),
            successes: [
                .json(
                    200, "What was paid.",
                    .object(
                        [
                            .required("amount", .money()), .required("currency", .text("ISO 4217.", lengths: 3...3)),
                            .required("credits", .integer("How many it settles.")),
                        ], named: "ServiceLevelPayout"))
            ],
            work: .job { call in
                let payout = try await services.billing.creditActions(by: call.requiredCaller).payOut(
                    to: try call.id("account"), reason: try call.body.required("reason"), now: call.now)
                return .ok([
                    "amount": .string("\(payout.amount)"), "currency": .string(payout.amount.currency.code),
                    "credits": .integer(Int128(payout.credits)),
                ])
            })
    }
}
