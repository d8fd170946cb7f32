import Identity
import Invoicing
import ServiceLevels

/// An invoice as text for a terminal.
struct InvoiceText {
    let document: InvoiceDocument

    /// Which tenant a line is of is said where it is not the same of all.
    private var hasTenants: Bool { Set(document.lines.map(\.tenant)).count > 1 }

    var text: String {
        var parts = [
            "\(document.isTest ? "Test invoice" : "Invoice") \(document.number ?? "(draft)") to "
                + "\(document.customer.name), "
                + "\(document.period.from) through \(document.period.through) (\(document.period.timeZone))" + dates,
            Table(
                columns: (hasTenants ? ["tenant"] : [])
                    + ["description", "tier", "quantity", "per million", "exact", "amount"],
                rows: document.lines.map {
                    (hasTenants ? [$0.tenant] : [])
                        + [
                            Self.short($0), $0.tier ?? "", $0.quantity ?? "", $0.unitPricePerMillion ?? "",
                            $0.exactAmount, $0.amount,
                        ]
                }
            ).text,
            "total \(document.totals.total) \(document.currency)   (exactly \(document.totals.exactTotal))",
        ]
        for level in document.serviceLevels {
            parts.append(
                """
                service credit for \(level.month), tier \(level.tier), \(level.objective): promised \
                \(level.promisedPercent) %, kept for \(level.attainedPercent) %
                    \(level.evidence.good) of \(level.evidence.counted) requests; \(level.creditPercent) % of \
                \(level.base) = \(level.credit) \(document.currency)
                """)
            parts += level.evidence.worst.prefix(3).map { "    \($0.requestID)  \($0.acceptedAt)  \($0.measured)" }
        }
        return parts.joined(separator: "\n")
    }

    private var dates: String {
        guard let issued = document.issuedOn, let due = document.dueOn else { return "" }
        return "\ndated \(issued), due \(due)"
    }

    /// A credit says below what it is for; its whole description would make every line of the table as long.
    private static func short(_ line: InvoiceDocument.Line) -> String {
        guard line.kind == InvoiceLineKind.serviceLevelCredit.rawValue else { return line.description }
        return String(line.description.prefix { $0 != "," && $0 != ":" })
    }
}
