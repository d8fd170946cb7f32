import Invoicing
import ServiceLevels

extension InvoicePresentation.Evidence {
    init(_ promise: InvoiceDocument.ServiceLevel, currency: String) {
        typealias Fact = InvoicePresentation.Fact
        title = promise.title
        detail = "\(promise.tier) tier · \(DateText.month(promise.month))"
        let evidence = promise.evidence
        let missed = evidence.bad.values.reduce(0, +)
        facts = [
            Fact(label: "Promised", value: "\(promise.promisedPercent)% of requests: \(promise.measure)"),
            Fact(label: "Measured", value: "\(promise.attainedPercent)% of requests"),
            Fact(
                label: "Eligible requests",
                value: "\(Self.count(evidence.counted)): \(Self.count(evidence.good)) kept the promise, "
                    + "\(Self.count(missed)) did not"),
        ]
        if missed > 0 { facts.append(Fact(label: "Missed because of", value: Self.reasons(evidence.bad))) }
        if evidence.excludedTotal > 0 {
            facts.append(Fact(label: "Not counted", value: Self.reasons(evidence.excluded)))
        }
        let credit = NumberText.grouped(promise.credit)
        let base = NumberText.grouped(promise.base)
        let exact =
            NumberText.areEqual(promise.exactCredit, promise.credit)
            ? "" : " (exactly \(NumberText.grouped(promise.exactCredit)))"
        facts.append(
            Fact(
                label: "Credit",
                value: "\(promise.creditPercent)% of the tier's charges of \(base) = \(credit) \(currency)\(exact)"))
        var applied = "\(NumberText.grouped(promise.applied)) \(currency)"
        if !NumberText.isZero(promise.appliedBefore) {
            applied += ", after \(NumberText.grouped(promise.appliedBefore)) \(currency) on earlier invoices"
        }
        facts.append(Fact(label: "Given back here", value: applied))
        facts.append(Fact(label: "Record", value: promise.resultID))
        worst = evidence.worst.map {
            InvoicePresentation.MissedRequest(
                requestID: $0.requestID, acceptedAt: DateText.instant($0.acceptedAt), measured: $0.measured)
        }
    }

    private static func count(_ value: Int64) -> String { NumberText.grouped("\(value)") }

    /// `first token late 602, gateway lost 3`, the most frequent first.
    private static func reasons(_ counts: [String: Int64]) -> String {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key.replacing("_", with: " ")) \(count($0.value))" }
            .joined(separator: ", ")
    }
}

extension InvoiceDocument.ServiceLevel {
    /// `Time to first token`
    var title: String {
        switch objective {
        case "availability": "Availability"
        case "time_to_first_token": "Time to first token"
        default: objective.replacing("_", with: " ")
        }
    }

    /// What a kept promise looks like.
    var measure: String {
        guard let thresholdMilliseconds else { return "answered without a failure of ours" }
        return "first token within \(NumberText.grouped("\(thresholdMilliseconds)")) ms"
    }

    /// `95.12% measured, 99% promised: 10% of 12.34`
    var summary: String {
        let given = NumberText.areEqual(applied, credit) ? "" : ", in part"
        return "\(attainedPercent)% measured, \(promisedPercent)% promised: \(creditPercent)% of "
            + NumberText.grouped(base) + given
    }
}

extension InvoicePresentation {
    static let evidenceTitle = "Evidence for service level credits"
    static let worstColumns = ["Worst requests", "Accepted", "Measured"]
}
