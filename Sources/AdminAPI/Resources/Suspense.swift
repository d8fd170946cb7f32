import Accounts
import Billing
import Identity
import Monetary
import Storage

/// Usage without a price, or that contradicts itself.
enum SuspenseEndpoints {
    private static let shape = Shape<SuspendedUsage>(
        "SuspendedUsage", "An attempt that could not be priced. It blocks its account's invoice until it is resolved.",
        [
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("attempt", .id(AttemptID.self)) { .string("\($0.attemptID)") },
            .init("accepted_at", .instant("Billing time.")) { .string("\($0.acceptedAt)") },
            .init("period_start", .instant("The billing period that it belongs to.")) { .string("\($0.periodStart)") },
            .init("reason", .text("A stable code, such as `no_price`.")) { .string($0.reason) },
            .init("detail", .text(lengths: 0...100_000)) { .string($0.detail) },
            .init("model", .text("Null where not even the record could be stored.", lengths: 0...10_000).nullable) {
                .optional($0.model)
            },
            .init("price_key", .text(lengths: 0...10_000).nullable) { .optional($0.priceKey) },
            .init("resolved_at", .instant().nullable) { .optional($0.resolvedAt) },
            .init("outcome", .choice(SuspenseOutcome.self, "How it left suspense.").nullable) {
                .optional($0.outcome?.rawValue)
            },
            .init("resolution", .text("Why, in the words of who resolved it.", lengths: 0...1000).nullable) {
                .optional($0.resolution)
            },
            .init("resolved_by", .text("Who.", lengths: 0...1000).nullable) { .optional($0.resolvedBy) },
            .init("plan", .text("Whose version priced it, where it was rated.").nullable) { .optional($0.plan) },
            .init("plan_version", .integer().nullable) { .optional($0.planVersion) },
        ])

    static func all(_ services: AdminServices) -> [Endpoint] {
        [list, resolve(services)] + SuspenseOutcome.allCases.map { order($0, services) }
    }

    private static let list = Endpoint(
        .get, "/v1/suspense", "listSuspense", tag: "Suspense", "List usage that waits in suspense",
        access: .role(.viewer),
        parameters: [
            .query("account", .id(AccountID.self, "Only of this account.")),
            .query("mode", .choice(AccountMode.self, "Only of accounts of this mode; both when not said.")),
            .query("reason", .text("Only of this code, such as `no_price`.")),
            .query("model", .text("Only of this model, by its own name.")), .query("price_key", .text()),
            .query("from", .instant("Accepted from here on, billing time.")),
            .query("to", .instant("Accepted before this.")),
            .query("resolved", .boolean("true: resolved ones too.")),
        ] + Parameter.page,
        successes: [.json(200, "A page, by attempt.", shape.pageSchema)],
        work: .look { call, session in
            var filter = SuspenseFilter(account: call.queryID("account"))
            filter.mode = call.queryChoice("mode")
            filter.reason = call.queryText("reason")
            filter.model = call.queryText("model")
            filter.priceKey = call.queryText("price_key")
            filter.from = call.queryInstant("from")
            filter.to = call.queryInstant("to")
            let page = try session.suspendedUsage(
                filter, unresolvedOnly: call.query["resolved"]?.truth != true, try call.page(AttemptID.self))
            return .page(page, as: shape) { "\($0.attemptID)" }
        })

    private static func resolve(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .post, "/v1/suspense/{attempt}/resolve", "resolveSuspense", tag: "Suspense",
            "Accept that this usage is not billed", description: "It stays visible, with the reason.",
            access: .role(.billing), parameters: [.path("attempt", .id(AttemptID.self))],
            body: .json(
                [
                    .required("account", .id(AccountID.self)),
                    .required("resolution", .text("Why it is not billed.", lengths: 1...1000)),
                ], named: "Resolution"),
            successes: [.json(200, "The usage.", shape.schema)],
            work: .job { call in
                let (account, attempt): (AccountID, AttemptID) =
                    (try call.body.requiredID("account"), try call.id("attempt"))
                var filter = SuspenseFilter(account: account)
                filter.attempts = [attempt]
                var order = SuspenseOrder(.waived, filter, reason: try call.body.required("resolution"))
                order.reasonParameter = "resolution"
                let resolved = try await services.billing.suspenseActions(by: call.requiredCaller).resolve(
                    order, now: call.now
                ).resolved
                let usage = try await services.look(for: call) { try $0.suspendedUsage(attempt, of: account) }
                guard resolved == 1 else { throw StorageError.conflict("attempt \(attempt) is resolved already") }
                return .ok(shape.json(usage))
            })
    }

    private static let report: Schema = .object(
        [
            .required("resolved", .integer("Records that left suspense.")), .required("accounts", .integer()),
            .required("dry_run", .boolean()), .required("billed", .map(.money(), "By currency.")),
            .required(
                "unpriced", .map(.integer(), "Records that have no price even now, by what is wrong with them.")),
        ], named: "SuspenseReport")

    /// Many records at once.
    private static func order(_ outcome: SuspenseOutcome, _ services: AdminServices) -> Endpoint {
        let (word, summary, description) =
            switch outcome {
            case .rated:
                (
                    "rate", "Bill suspended usage by what sells it now",
                    "By the version of its subscription's plan that is in force now: for suspended usage alone a price "
                        + "reaches back. What the plan does not sell even now, and what contradicts itself, stays."
                )
            case .waived: ("waive", "Accept that suspended usage is billed to nobody", "It stays visible.")
            }
        return Endpoint(
            .post, "/v1/suspense/\(word)", "\(word)Suspense", tag: "Suspense", summary,
            description: description + " Say which: `all` where no filter is meant.", access: .role(.billing),
            body: .json(
                [
                    .required("resolution", .text("Why; it stays with the usage.", lengths: 1...1000)),
                    .optional("account", .id(AccountID.self)),
                    .optional("attempts", .list(.id(AttemptID.self), countMax: SuspenseFilter.attemptsMax)),
                    .optional("reason", .text("A stable code, such as `no_price`.")),
                    .optional("model", .text()), .optional("price_key", .text()),
                    .optional("from", .instant("Accepted from here on, billing time.")),
                    .optional("to", .instant("Accepted before this.")),
                    .optional("all", .boolean("true: everything, where no filter is given.")),
                    .optional("dry_run", .boolean("Only say what would be done.")),
                ], named: "Suspense\(word.capitalizedFirst)Input"),
            successes: [.json(200, "What was done.", report)],
            work: .job { call in
                let order = try order(outcome, call)
                let report = try await services.billing.suspenseActions(by: call.requiredCaller).resolve(
                    order, now: call.now)
                let amounts = report.amounts.sorted { $0.key.code < $1.key.code }
                return .ok([
                    "resolved": .integer(Int128(report.resolved)), "accounts": .integer(Int128(report.accounts.count)),
                    "dry_run": .boolean(order.isDryRun),
                    "billed": .object(amounts.map { .init(name: $0.key.code, value: .string("\($0.value)")) }),
                    "unpriced": .object(
                        report.unpriced.sorted { $0.key < $1.key }.map {
                            .init(name: $0.key, value: .integer(Int128($0.value)))
                        }),
                ])
            })
    }

    private static func order(_ outcome: SuspenseOutcome, _ call: Call) throws(Problem) -> SuspenseOrder {
        let body = call.body
        var filter = SuspenseFilter(account: body["account"]?.text.flatMap { AccountID($0) })
        filter.attempts = body["attempts"]?.elements?.compactMap { $0.text.flatMap { AttemptID($0) } }
        filter.reason = body["reason"]?.text
        filter.model = body["model"]?.text
        filter.priceKey = body["price_key"]?.text
        filter.from = body.instant("from")
        filter.to = body.instant("to")
        guard !filter.isEverything || body["all"]?.truth == true else {
            throw .invalid("all", "must be true where no filter is given: say which usage is meant")
        }
        var order = SuspenseOrder(outcome, filter, reason: try body.required("resolution"))
        order.reasonParameter = "resolution"
        order.isDryRun = body["dry_run"]?.truth ?? false
        return order
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
