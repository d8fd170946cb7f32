import Invoicing
import Metering

extension InvoicePresentation {
    /// What a stretch of lines is about; a change begins another group.
    private enum Section: Hashable {
        case charges(subscription: String)
        case adjustments(subscription: String)
        case credits

        init(_ line: InvoiceDocument.Line) {
            self =
                switch line.kind {
                case InvoiceLineKind.serviceLevelCredit.rawValue: .credits
                case InvoiceLineKind.adjustment.rawValue: .adjustments(subscription: line.subscriptionID)
                default: .charges(subscription: line.subscriptionID)
                }
        }
    }

    /// The lines in their own order, under headings.
    static func groups(_ document: InvoiceDocument) -> [Group] {
        let promises = Dictionary(document.serviceLevels.map { ($0.lineID, $0) }) { first, _ in first }
        var sections: [(section: Section, lines: [InvoiceDocument.Line])] = []
        for line in document.lines {
            if let last = sections.indices.last, sections[last].section == Section(line) {
                sections[last].lines.append(line)
            } else {
                sections.append((Section(line), [line]))
            }
        }
        return sections.map { section, lines in
            let blocks = Self.blocks(lines, document, promises)
            switch section {
            case .charges: return Group(title: lines[0].tenantTitle, detail: plans(lines), blocks: blocks)
            case .adjustments:
                return Group(
                    title: lines[0].tenantTitle, detail: "Earlier months, adjusted · \(plans(lines))", blocks: blocks)
            case .credits:
                return Group(
                    title: "Service level credits", detail: "Promises that were not kept; evidence below",
                    blocks: blocks)
            }
        }
    }

    /// `Plan team, version 3`
    private static func plans(_ lines: [InvoiceDocument.Line]) -> String {
        var texts: [String] = []
        for line in lines {
            let text = "Plan \(line.plan), version \(line.planVersion)"
            if !texts.contains(text) { texts.append(text) }
        }
        return texts.joined(separator: "; ")
    }

    private static func blocks(
        _ lines: [InvoiceDocument.Line], _ document: InvoiceDocument,
        _ promises: [String: InvoiceDocument.ServiceLevel],
    ) -> [Block] {
        let hasVersions = lines.contains { $0.planVersion != lines[0].planVersion || $0.plan != lines[0].plan }
        let hasTenants = document.lines.contains { $0.tenant != document.lines[0].tenant }
        var blocks: [Block] = []
        for line in lines {
            let row = Row(line, period: document.period, promise: promises[line.id], showsTenant: hasTenants)
            let title = line.isUsage ? line.model : nil
            var detail = line.isUsage ? line.tier.map { "\($0) tier" } : nil
            if hasVersions { detail = detail.map { "\($0) · plan \(line.plan), version \(line.planVersion)" } }
            if let last = blocks.indices.last, blocks[last].title == title, blocks[last].detail == detail {
                blocks[last].rows.append(row)
            } else {
                blocks.append(Block(title: title, detail: detail, rows: [row]))
            }
        }
        return blocks
    }
}

extension InvoicePresentation.Row {
    fileprivate init(
        _ line: InvoiceDocument.Line, period: InvoiceDocument.Period, promise: InvoiceDocument.ServiceLevel?,
        showsTenant: Bool,
    ) {
        lineID = line.id
        amount = NumberText.grouped(line.amount)
        exactAmount = line.exactAmount
        quantity = line.quantity.map { quantity in
            let text = NumberText.grouped(quantity)
            return line.unit == "tokens" ? text : "\(text) \(line.unit ?? "")"
        }
        unitPrice = line.unitPricePerMillion.map { NumberText.grouped($0, fractionDigitsMin: 2) }
        var notes: [String] = []
        if let promise {
            title = "\(promise.title), \(promise.tier) tier, \(DateText.month(promise.month))"
            notes.append(promise.summary)
            if showsTenant, !line.tenant.isEmpty { notes.append(line.tenant) }
        } else {
            title = line.rowTitle
            if line.kind == InvoiceLineKind.adjustment.rawValue {
                let direction = NumberText.isNegative(line.exactAmount) ? "Correction of" : "Late usage of"
                notes.append("\(direction) \(DateText.span(from: line.from, through: line.through))")
            } else if (line.from, line.through) != (period.from, period.through) {
                notes.append(DateText.days(from: line.from, through: line.through))
            }
        }
        // Quantity and price tell the exact amount of a usage line; others, and those too small to see, say it.
        let isHidden = line.quantity == nil || NumberText.isZero(line.amount)
        if isHidden, promise == nil, !NumberText.areEqual(line.exactAmount, line.amount) {
            notes.append("exactly \(NumberText.grouped(line.exactAmount))")
        }
        note = notes.isEmpty ? nil : notes.joined(separator: " · ")
    }
}

extension InvoiceDocument.Line {
    /// Whose subscription it is.
    fileprivate var tenantTitle: String { tenant.isEmpty ? subscriptionID : tenant }

    fileprivate var isUsage: Bool {
        model != nil && meter != nil && kind != InvoiceLineKind.serviceLevelCredit.rawValue
    }

    fileprivate var rowTitle: String {
        guard isUsage, let meter else { return description }
        // Documents of version 1 name the meter only; its words are those of then.
        let words = label ?? Meter(rawValue: meter)?.label ?? meter.replacing("_", with: " ")
        return words.prefix(1).uppercased() + words.dropFirst()
    }
}
