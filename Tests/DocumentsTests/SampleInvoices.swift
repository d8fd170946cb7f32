import ServiceLevels

@testable import Invoicing

/// Documents to draw. Amounts are given, not computed: renderers add nothing up.
enum SampleInvoices {
    static let seller = InvoiceDocument.Party(
        name: "Northwind Inference GmbH", address: ["Torstraße 140", "10119 Berlin", "Germany"], taxID: "DE301234567",
        email: "billing@northwind.example")

    static let customer = InvoiceDocument.Party(
        accountID: "acc_0190000000007000800000000000000a", name: "Acme Robotics Ltd",
        address: ["1 Long Lane", "London SE1 4PG", "United Kingdom"], taxID: "GB123456789", email: "ap@acme.example")

    static func line(
        _ number: Int, kind: String = "usage", description: String = "", model: String? = "llama-3.1-8b",
        meter: String? = "input_tokens", tier: String? = "standard", tenant: String = "Acme", subscription: Int = 1,
        from: String = "2026-11-01", through: String = "2026-11-30", quantity: String? = nil, price: String? = nil,
        exact: String, amount: String, planVersion: Int = 3,
    ) -> InvoiceDocument.Line {
        let digits = String(number, radix: 16)
        return InvoiceDocument.Line(
            id: "il_" + String(repeating: "0", count: 32 - digits.count) + digits, kind: kind,
            description: description, subscriptionID: "sub_\(subscription)", tenant: tenant, plan: "team",
            planVersion: planVersion, model: model, meter: meter, tier: tier, from: from, through: through,
            quantity: quantity, unit: quantity == nil ? nil : "tokens", unitPricePerMillion: price,
            exactAmount: exact, amount: amount)
    }

    static func baseFee(_ number: Int, _ exact: String, _ amount: String, description: String = "Team: base fee")
        -> InvoiceDocument.Line
    {
        line(
            number, kind: "base_fee", description: description, model: nil, meter: nil, tier: nil, exact: exact,
            amount: amount)
    }

    static func document(
        _ lines: [InvoiceDocument.Line], charges: String, credits: String = "0.00", total: String, exactTotal: String,
        carriedOver: String = "0.00", currency: String = "USD", customer: InvoiceDocument.Party = customer,
        serviceLevels: [InvoiceDocument.ServiceLevel] = [], isDraft: Bool = false,
    ) throws -> InvoiceDocument {
        InvoiceDocument(
            schema: InvoiceDocument.schema(version: InvoiceDocument.currentVersion),
            invoiceID: "inv_01900000000070008000000000000001",
            number: isDraft ? nil : "INV-2026-000042", issuedOn: isDraft ? nil : "2026-12-01",
            dueOn: isDraft ? nil : "2026-12-15", currency: currency, seller: seller, customer: customer,
            paymentInstructions: "Please pay by bank transfer to IBAN DE02 1203 0000 0000 2020 51, BIC BYLADEM1001.\n"
                + "Name the invoice number as the reference.",
            period: InvoiceDocument.Period(
                from: "2026-11-01", through: "2026-11-30", start: "2026-10-31T23:00:00Z", end: "2026-11-30T23:00:00Z",
                timeZone: "Europe/Berlin"), lines: lines,
            totals: InvoiceDocument.Totals(
                charges: charges, credits: credits, total: total, exactTotal: exactTotal,
                creditsCarriedOver: carriedOver), serviceLevels: serviceLevels)
    }

    /// Base fee, two models, two tiers, an adjustment and a credit with its evidence.
    static func everyKind(isDraft: Bool = false) throws -> InvoiceDocument {
        let big = "llama-3.3-70b-instruct"
        let lines = [
            baseFee(1, "49.00", "49.00"),
            line(2, quantity: "182345678", price: "0.15", exact: "27.3518517", amount: "27.35"),
            line(
                3, meter: "cache_read_tokens", quantity: "90211000", price: "0.0375", exact: "3.3829125", amount: "3.38"
            ),
            line(4, meter: "output_tokens", quantity: "41002311", price: "0.6", exact: "24.6013866", amount: "24.60"),
            line(
                5, model: big, tier: "priority", quantity: "1201993", price: "1.8", exact: "2.1635874", amount: "2.16"),
            line(
                6, model: big, meter: "output_tokens", tier: "priority", quantity: "913", price: "4.5",
                exact: "0.0041085", amount: "0.00"),
            line(
                7, kind: "adjustment", description: "llama-3.1-8b: input tokens, standard, late usage of 2026-10",
                from: "2026-10-01", through: "2026-10-31", quantity: "2000000", price: "0.15", exact: "0.3",
                amount: "0.30"),
            line(
                8, kind: "adjustment", description: "llama-3.1-8b: output tokens, standard, correction of 2026-10",
                meter: "output_tokens", from: "2026-10-01", through: "2026-10-31", quantity: "-1000000", price: "0.6",
                exact: "-0.6", amount: "-0.60"),
            line(
                9, kind: "sla_credit", description: "SLA credit for 2026-10, tier priority", model: nil, meter: nil,
                tier: "priority", from: "2026-10-01", through: "2026-10-31", exact: "-12.3456", amount: "-12.35"),
        ]
        return try document(
            lines, charges: "106.19", credits: "-12.35", total: "93.84", exactTotal: "93.8582467",
            carriedOver: "1.20", serviceLevels: [try promise(lineID: lines[8].id)], isDraft: isDraft)
    }

    static func promise(lineID: String) throws -> InvoiceDocument.ServiceLevel {
        let worst = (0..<10).map { index in
            #"{"request_id":"req_0199f2a4b7c97d218e3b5a6c7d8e9f\#(10 + index)","#
                + #""accepted_at":"2026-10-14T09:2\#(index):41.203Z","measured":"\#(9120 - index * 311) ms"}"#
        }
        let evidence = try PromiseEvidence(
            json: """
                {"counted":12345,"good":11743,"bad":{"first_token_late":599,"gateway_lost":3},
                "excluded":{"not_streamed":2310,"client_error":12},"worst":[\(worst.joined(separator: ","))]}
                """)
        return InvoiceDocument.ServiceLevel(
            resultID: "sla_01900000000070008000000000000003", lineID: lineID, month: "2026-10", tier: "priority",
            objective: "time_to_first_token", thresholdMilliseconds: 1500, promisedPercent: "99",
            attainedPercent: "95.1235", evidence: evidence, creditPercent: "10", base: "143.456",
            exactCredit: "14.3456", credit: "14.35", appliedBefore: "2.00", applied: "12.35")
    }

    /// Several tenants and more than sixty lines, with numbers as long as they get.
    static func long() throws -> InvoiceDocument {
        var lines: [InvoiceDocument.Line] = []
        let meters = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"]
        for (tenantIndex, tenant) in ["Acme Research", "Acme Production", "Akme Österreich"].enumerated() {
            for model in 0..<6 {
                for meter in meters {
                    let number = lines.count + 1
                    lines.append(
                        line(
                            number,
                            model: model == 5 ? String(repeating: "very-long-model-name-", count: 9) : "m-\(model)",
                            meter: meter, tenant: tenant, subscription: tenantIndex,
                            quantity: "\(987_654_321_000 + number)", price: "12.345678",
                            exact: "12193263.1234\(1000 + number)", amount: "1219326\(100 + number).12"))
                }
            }
        }
        return try document(
            lines, charges: "87791493.12", total: "87791493.12", exactTotal: "87791493.118804321098")
    }

    /// Yen, and names in scripts that run and break differently.
    static func yen() throws -> InvoiceDocument {
        try document(
            [
                line(
                    1, model: "模型-七", tenant: "東京ロボティクス株式会社", quantity: "9223372036854775807", price: "150",
                    exact: "1383505805528216.37105", amount: "1383505805528216"),
                line(
                    2, kind: "base_fee", description: "الباقة الأساسية", model: nil, meter: nil, tier: nil,
                    tenant: "東京ロボティクス株式会社", exact: "5000.5", amount: "5000"),
            ], charges: "1383505805533216", credits: "0", total: "1383505805533216",
            exactTotal: "1383505805533216.87105", carriedOver: "0", currency: "JPY",
            customer: InvoiceDocument.Party(
                accountID: "acc_1", name: "شركة الروبوتات المتقدمة للأبحاث والتطوير (2026)",
                address: ["東京都千代田区丸の内1-1-1", "דרך מנחם בגין 132, תל אביב", "Ελλάδα, Ижевск, हिन्दी, ไทย"], taxID: "",
                email: ""))
    }

    /// The least that a document can hold.
    static func bare() throws -> InvoiceDocument {
        try document(
            [baseFee(1, "0.5", "0.50")], charges: "0.50", total: "0.50", exactTotal: "0.50",
            customer: InvoiceDocument.Party(
                name: String(repeating: "Donaudampfschifffahrtsgesellschaft & Söhne <b>", count: 5), address: [],
                taxID: "", email: ""))
    }
}
