import Identity
import Invoicing

/// The stored document of an invoice, as `Invoicing.InvoiceDocument` writes it. Unknown members are left out.
enum InvoiceDocumentSchema {
    static let schema: Schema = .object(
        members, named: "InvoiceDocument", "Everything that an invoice shows, frozen with it.")

    /// The same of an invoice that is not final, with what is missing from it.
    static let preview: Schema = .object(
        members + [
            .optional(
                "suspended",
                .object(
                    [
                        .required("records", .integer()), .required("by_reason", .map(.integer(), "By stable code.")),
                    ], named: "SuspendedCount",
                    "Usage that waits in suspense: not in here, and the invoice cannot be final before it is rated or "
                        + "waived. Left out where there is none.")),
            .optional(
                "notes",
                .list(
                    .text("A sentence.", lengths: 0...1000), "What beside it is not final; left out where nothing is.",
                    countMax: 2)),
        ], named: "InvoicePreview", "What an invoice would say now.")

    private static let members: [Schema.Property] =
        [
            .required(
                "schema", .text("Its shape: `tollgate.invoice/2`; documents made before keep theirs.")),
            .optional("mode", .choice(["test"], "On an invoice of a test account; left out on one that is meant.")),
            .required("invoice_id", .id(InvoiceID.self)),
            .optional("number", .text("Left out on a draft.")),
            .optional("issued_on", .formatted(.day)), .optional("due_on", .formatted(.day)),
            .required("currency", .text("ISO 4217.", lengths: 3...3)),
            .required("seller", party), .required("customer", party),
            .required("payment_instructions", .text(lengths: 0...10_000)),
            .required("period", period), .required("lines", .list(line, countMax: 1_000_000)),
            .required("totals", totals), .required("service_levels", .list(serviceLevel, countMax: 10_000)),
        ]

    static let party: Schema = .object(
        [
            .optional("account_id", .id(AccountID.self, "Of the customer.")),
            .required("name", .text(lengths: 0...255)), .required("address", .list(.text(lengths: 0...255))),
            .required("tax_id", .text(lengths: 0...64)), .required("email", .text(lengths: 0...254)),
        ], named: "InvoiceParty")

    static let period: Schema = .object(
        [
            .required("from", .formatted(.day, "Local day, inside.")),
            .required("through", .formatted(.day, "Local day, inside.")),
            .required("start", .instant()), .required("end", .instant("No longer inside.")),
            .required("time_zone", .text()),
        ], named: "InvoicePeriod")

    private static let line: Schema = .object(
        [
            .required("id", .id(InvoiceLineID.self)),
            .required("kind", .choice(InvoiceLineKind.allCases.map(\.rawValue))),
            .optional("charge", .text("Of which charge of the plan; documents of version 2.")),
            .required("description", .text(lengths: 0...10_000)),
            .required("subscription_id", .id(SubscriptionID.self)),
            .required("tenant", .text(lengths: 0...255)), .required("plan", .text()),
            .required("plan_version", .integer()),
            .optional("model", .text()), .optional("meter", .text()),
            .optional("label", .text("What the meter counts, in words; documents of version 2.")),
            .optional("tier", .text()),
            .required("from", .formatted(.day)), .required("through", .formatted(.day)),
            .optional("quantity", .money("Base units, such as tokens.")),
            .optional("unit", .text("What `quantity` counts; `tokens` throughout in documents of version 1.")),
            .optional("unit_price_per_million", .money()),
            .required("exact_amount", .money()), .required("amount", .money("Rounded to the minor unit.")),
        ], named: "InvoiceLine")

    private static let totals: Schema = .object(
        [
            .required("charges", .money("All lines but the credits.")),
            .required("credits", .money("Zero or negative.")),
            .required("total", .money("What is to be paid.")),
            .required("exact_total", .money("Before rounding.")),
            .required("credits_carried_over", .money("Granted, and waiting for the next invoice.")),
        ], named: "InvoiceTotals")

    private static let serviceLevel: Schema = .object(
        [
            .required("result_id", .id(ServiceLevelResultID.self)), .required("line_id", .id(InvoiceLineID.self)),
            .required("month", .formatted(.month)), .required("tier", .text()), .required("objective", .text()),
            .optional("threshold_ms", .integer()),
            .required("promised_percent", .money()), .required("attained_percent", .text()),
            .required("evidence", evidence), .required("credit_percent", .money()),
            .required("base", .money()), .required("exact_credit", .money()), .required("credit", .money()),
            .required("applied_before", .money()), .required("applied", .money()),
        ], named: "InvoiceServiceLevel", "Why a credit is given.")

    private static let evidence: Schema = .object(
        [
            .required("counted", .integer()), .required("good", .integer()),
            .required("bad", .map(.integer(), "By reason.")), .required("excluded", .map(.integer(), "By reason.")),
            .required(
                "worst",
                .list(
                    .object([
                        .required("request_id", .id(RequestID.self)), .required("accepted_at", .instant()),
                        .required("measured", .text()),
                    ]))),
        ], named: "PromiseEvidence")
}
