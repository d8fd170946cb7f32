import Accounts
import Billing
import Invoicing

/// Who sends the invoices.
enum SellerEndpoints {
    private static let name = Schema.text("The legal name.")
    private static let address = Schema.list(
        .text(lengths: 0...255), "Line by line, as on an envelope.", countMax: BillingDetails.addressLinesMax)
    private static let taxID = Schema.text("Such as a VAT number.", lengths: 0...64)
    private static let email = Schema.text("Where customers write to.", lengths: 0...254)
    private static let terms = Schema.integer("Days from the invoice's date to the last day for payment.", in: 0...365)
    private static let instructions = Schema.text("How to pay, as it stands on invoices.", lengths: 0...10_000)

    private static let shape = Shape<Seller>(
        "Seller", "Who sends the invoices: one for the installation.",
        [
            .init("name", name) { .string($0.name) },
            .init("address", address) { .array($0.address.map { .string($0) }) },
            .init("tax_id", taxID) { .string($0.taxID) },
            .init("email", email) { .string($0.email) },
            .init("payment_terms_days", terms) { .integer(Int128($0.paymentTermsDays)) },
            .init("payment_instructions", instructions) { .string($0.paymentInstructions) },
        ])

    static let all: [Endpoint] = [get, set]

    private static let get = Endpoint(
        .get, "/v1/seller", "getSeller", tag: "Seller", "Show the seller", access: .role(.viewer),
        successes: [.json(200, "The seller.", shape.schema)], problems: [404],
        work: .look { _, session in
            guard let seller = try session.seller() else {
                throw Problem.notFound("seller yet: put one here")
            }
            return .ok(shape.json(seller))
        })

    private static let set = Endpoint(
        .put, "/v1/seller", "setSeller", tag: "Seller", "Say who the seller is",
        description: "Members left out become empty, the terms 14 days. Finalized invoices keep what they show.",
        access: .role(.admin),
        body: .json(
            [
                .required("name", name), .optional("address", address), .optional("tax_id", taxID),
                .optional("email", email), .optional("payment_terms_days", terms),
                .optional("payment_instructions", instructions),
            ], named: "SellerInput"),
        successes: [.json(200, "The seller.", shape.schema)],
        work: .change { call, session in
            let seller = Seller(
                name: try call.body.required("name"),
                address: call.body["address"]?.elements?.compactMap(\.text) ?? [],
                taxID: call.body["tax_id"]?.text ?? "", email: call.body["email"]?.text ?? "",
                paymentTermsDays: call.body["payment_terms_days"]?.number.map { Int($0) } ?? 14,
                paymentInstructions: call.body["payment_instructions"]?.text ?? "")
            return .ok(shape.json(try session.setSeller(seller)))
        })
}
