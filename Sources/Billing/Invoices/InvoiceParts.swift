import Accounts
import Invoicing
import Monetary
package import Storage

/// An invoice against its own lines and document.
package enum InvoiceParts {
    /// What its parts say that contradicts each other; nothing where they agree.
    package static func contradictions(in invoice: StoredInvoice, in tx: DatabaseTransaction) throws -> [String] {
        var found: [String] = []
        let lines = try ReconcileStorage.lines(of: invoice, in: tx)
        let sum = try Money.sum(lines.map(\.amount), currency: invoice.currency)
        let exact = try Money.sum(lines.map(\.exactAmount), currency: invoice.currency)
        if sum != invoice.total { found.append("its lines sum to \(sum), its total is \(invoice.total)") }
        if exact != invoice.exactTotal {
            found.append("its lines sum to \(exact) before rounding, it says \(invoice.exactTotal)")
        }
        for line in lines {
            guard let quantity = line.quantity, let price = line.unitPrice else { continue }
            let (amount, isOver) = Int128(quantity).multipliedReportingOverflow(by: price)
            if isOver || amount != line.exactAmount.picounits {
                found.append("line \(line.id) is \(line.exactAmount), not its quantity times its price")
            }
        }
        guard let document = try? invoice.document() else { return found + ["its document cannot be read"] }
        let results = Dictionary(document.serviceLevels.map { ($0.lineID, $0.resultID) }) { first, _ in first }
        let shown = document.lines.map { Self.text($0, results) }
        let stored = try lines.map { line in
            let quantity = line.quantity.map { "\($0)" } ?? "-"
            let price = try line.unitPrice.map { "\(try UnitPrice(picounits: Int64(clamping: $0)))" } ?? "-"
            return [
                "\(line.id)", line.kind.rawValue, "\(line.subscriptionID)", line.plan, "\(line.planVersion)",
                line.model ?? "-", line.meter ?? "-", line.tier ?? "-", line.description, quantity, price,
                "\(line.exactAmount)", "\(line.amount)", line.resultID.map { "\($0)" } ?? "-",
            ].joined(separator: "\t")
        }
        let credits = try Money.sum(
            lines.filter { $0.kind == .serviceLevelCredit }.map(\.amount), currency: invoice.currency)
        let charges = try sum.subtracting(credits)
        if document.totals.credits != "\(credits)" || document.totals.charges != "\(charges)" {
            found.append("its document shows other sums of charges and credits than its lines")
        }
        if shown != stored || document.totals.total != "\(invoice.total)" || document.number != invoice.number
            || document.totals.exactTotal != "\(invoice.exactTotal)" || document.currency != invoice.currency.code
            || document.customer.accountID != "\(invoice.accountID)" || document.invoiceID != "\(invoice.id)"
            || document.period.start != "\(invoice.period.start)" || document.period.end != "\(invoice.period.end)"
            || document.issuedOn != invoice.issuedOn.map({ "\($0)" })
            || document.dueOn != invoice.dueOn.map({ "\($0)" })
        {
            found.append("its document shows something else than its lines and total")
        }
        return found
    }

    private static func text(_ line: InvoiceDocument.Line, _ results: [String: String]) -> String {
        [
            line.id, line.kind, line.subscriptionID, line.plan, "\(line.planVersion)", line.model ?? "-",
            line.meter ?? "-", line.tier ?? "-", line.description, line.quantity ?? "-",
            line.unitPricePerMillion ?? "-", line.exactAmount, line.amount, results[line.id] ?? "-",
        ].joined(separator: "\t")
    }
}
