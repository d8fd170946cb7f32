import Accounts
import Billing
import Identity
import Metering
import Monetary
import Pricing

/// How amounts came about.
enum ExplanationEndpoints {
    private static let factor = Shape<PriceExplanation.Factor>(
        "PriceFactor", "One factor of a price.",
        [
            .init("name", .text("A tier, or a condition: `fast`, `context_above_272000`.")) { .string($0.name) },
            .init("factor", .text("A decimal.")) { .string("\($0.factor)") },
        ])

    private static let step = Shape<AmountExplanation.Step>(
        "AmountStep", "A quantity times a price.",
        [
            .init("meter", .choice(Meter.self)) { .string($0.meter.rawValue) },
            .init("quantity", .integer("Base units.")) { .integer(Int128($0.quantity)) },
            .init("price", PlanEndpoints.price.schema) { PlanEndpoints.price.json($0.price) },
            .init("base", .money("What the plan writes for 1 000 000, before the factors.").nullable) {
                .optional($0.explanation.map { "\($0.base)" })
            },
            .init("base_of", .text("The tier or band whose own price it is; null for the model's.").nullable) {
                .optional($0.explanation?.source)
            },
            .init("factors", .list(factor.schema, "In their order.")) {
                .array(($0.explanation?.factors ?? []).map(factor.json))
            },
            .init("amount", .money("Exact.")) { .string("\($0.amount)") },
        ])

    private static let explanation = Shape<AmountExplanation>(
        "AmountExplanation", "How an amount came about, from counts and prices.",
        [
            .init("subject", .text("What is explained.")) { .string($0.subject) },
            .init("plan", .text()) { .string($0.plan) },
            .init("plan_version", .integer("Its number.")) { .integer(Int128($0.planVersion)) },
            .init("model", .text(lengths: 0...255)) { .string($0.model) },
            .init("tier", .text("The tier that was billed.")) { .string($0.tier) },
            .init("conditions", .list(.text(), "In words.")) { .array($0.conditions.map { .string($0) }) },
            .init("steps", .list(step.schema)) { .array($0.steps.map(step.json)) },
            .init("exact", .money("The sum of the steps.")) { .string("\($0.exact)") },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.exact.currency.code) },
            .init("outcome", .text("Billed, waived and why, or rounded to what is paid.")) { .string($0.outcome) },
        ])

    static let all: [Endpoint] = [record, line]

    private static let record = Endpoint(
        .get, "/v1/usage/records/{request}/explanation", "explainUsageRecord", tag: "Usage",
        "How a request came to its amount",
        description: "One entry for each attempt that was billed or waived; none while its usage waits in suspense.",
        access: .role(.viewer), parameters: [.path("request", .id(RequestID.self))],
        successes: [
            .json(
                200, "The attempts.",
                .object([.required("data", .list(explanation.schema))], named: "AmountExplanations"))
        ],
        work: .look { call, session in
            let id: RequestID = try call.id("request")
            return .ok(["data": .array(try session.explain(id).map(explanation.json))])
        })

    private static let line = Endpoint(
        .get, "/v1/invoice_lines/{line}/explanation", "explainInvoiceLine", tag: "Invoices",
        "How a line of usage came to its amount", access: .role(.viewer),
        parameters: [.path("line", .id(InvoiceLineID.self))],
        successes: [.json(200, "The line.", explanation.schema)],
        work: .look { call, session in
            let id: InvoiceLineID = try call.id("line")
            return .ok(explanation.json(try session.explain(id)))
        })
}
