import NaiveArithmetic
import TestSupport

/// A final invoice as the database keeps it, and as the customer gets it.
struct IssuedInvoice {
    /// The document's bytes.
    let json: String
    private let document: JSONValue

    /// The invoice of a customer's month (`2026-12`); nil when there is none.
    static func find(_ installation: Installation, _ customer: Customer, month: String) async throws -> IssuedInvoice? {
        let listed = try await installation.tollgate("invoices", "list", "--account", customer.account, "--json")
        let found = try listed.successful("invoices list").json().array.first {
            $0.from.string?.hasPrefix(month) == true && $0.state.string == "finalized"
        }
        guard let found else { return nil }
        let shown = try await installation.tollgate("invoices", "show", try found.text("invoice"), "--json")
        return try IssuedInvoice(json: shown.successful("invoices show").output)
    }

    init(json: String) throws {
        self.json = json
        document = try JSONValue(parsing: json)
    }

    struct Line {
        let id: String
        let quantity: Int64?
        let unitPrice: NaiveFraction?
        let exact: NaiveFraction
        let amount: NaiveFraction

        init(_ json: JSONValue) throws {
            id = try json.text("id")
            quantity = json.quantity.string.flatMap { Int64($0) }
            unitPrice = json.unit_price_per_million.string.map { NaiveFraction(decimal: $0) }
            exact = NaiveFraction(decimal: try json.text("exact_amount"))
            amount = NaiveFraction(decimal: try json.text("amount"))
        }
    }

    /// The lines of a kind (`usage`, `base_fee`, `sla_credit`, `adjustment`).
    func lines(_ kind: String) throws -> [Line] {
        try document.lines.array.filter { $0.kind.string == kind }.map { try Line($0) }
    }

    /// The lines of usage by what they are for.
    func usage() throws -> [ChargeByHand: Line] {
        var lines: [ChargeByHand: Line] = [:]
        for json in document.lines.array where json.kind.string == "usage" {
            let charge = ChargeByHand(
                model: try json.text("model"), tier: try json.text("tier"), meter: try json.text("meter"))
            guard lines.updateValue(try Line(json), forKey: charge) == nil else {
                throw ProgramFailure("two lines for \(charge)")
            }
        }
        return lines
    }

    /// The credit lines by the tier and month that they are for.
    func credits() throws -> [CreditKey: Line] {
        var lines: [CreditKey: Line] = [:]
        for json in document.lines.array where json.kind.string == "sla_credit" {
            let line = try Line(json)
            guard let level = document.service_levels.array.first(where: { $0.line_id.string == line.id }) else {
                throw ProgramFailure("a credit without evidence: \(json)")
            }
            lines[CreditKey(month: try level.text("month"), tier: try level.text("tier"))] = line
        }
        return lines
    }

    /// What is to be paid, and what it would be without rounding.
    func totals() throws -> (total: NaiveFraction, exact: NaiveFraction) {
        (
            NaiveFraction(decimal: try document.totals.text("total")),
            NaiveFraction(decimal: try document.totals.text("exact_total"))
        )
    }
}

struct CreditKey: Hashable {
    let month: String
    let tier: String
}
