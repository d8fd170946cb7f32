public import Accounts
public import Identity
import Metering
import Monetary
internal import ServiceLevels

/// Who sends the invoices.
public struct Seller: Hashable, Sendable {
    public var name: String
    public var address: [String]
    public var taxID: String
    public var email: String
    /// Days from the invoice's date to the last day for payment.
    public var paymentTermsDays: Int
    public var paymentInstructions: String

    /// A seller; what is not named is empty.
    public init(
        name: String, address: [String] = [], taxID: String = "", email: String = "", paymentTermsDays: Int = 14,
        paymentInstructions: String = "",
    ) {
        self.name = name
        self.address = address
        self.taxID = taxID
        self.email = email
        self.paymentTermsDays = paymentTermsDays
        self.paymentInstructions = paymentInstructions
    }
}

extension InvoiceDocument {
    /// The document of a draft: everything but number and dates.
    public init(_ draft: InvoiceDraft, seller: Seller, account: Account) throws(InvoicingError) {
        schema = InvoiceDocument.schema(version: InvoiceDocument.currentVersion)
        mode = account.mode == .live ? nil : account.mode.rawValue
        invoiceID = "\(draft.id)"
        number = nil
        issuedOn = nil
        dueOn = nil
        currency = draft.currency.code
        self.seller = Party(seller)
        customer = Party(account)
        paymentInstructions = seller.paymentInstructions
        period = Period(
            from: "\(draft.period.firstDay)", through: "\(draft.period.lastDay)", start: "\(draft.period.start)",
            end: "\(draft.period.end)", timeZone: account.calendar.zoneName)
        lines = draft.lines.map(Line.init)
        totals = try Totals(draft)
        serviceLevels = draft.lines.compactMap(ServiceLevel.init)
    }

    /// The document of the finalized invoice: number and dates join, nothing else changes.
    public func issued(as number: InvoiceNumber, on date: CivilDate, paymentTermsDays: Int) -> InvoiceDocument {
        var document = self
        document.number = "\(number)"
        document.issuedOn = "\(date)"
        document.dueOn = "\(CivilDate(daysSince1970: date.daysSince1970 + Int64(paymentTermsDays)))"
        return document
    }
}

extension InvoiceDocument.Party {
    init(_ seller: Seller) {
        self.init(name: seller.name, address: seller.address, taxID: seller.taxID, email: seller.email)
    }

    init(_ account: Account) {
        let billing = account.billing
        self.init(
            accountID: "\(account.id)", name: billing.legalName.isEmpty ? account.name : billing.legalName,
            address: billing.address, taxID: billing.taxID, email: billing.email)
    }
}

extension InvoiceDocument.Line {
    fileprivate init(_ line: InvoiceLine) {
        id = "\(line.id)"
        kind = line.kind.rawValue
        description = line.description
        subscriptionID = "\(line.subscriptionID)"
        tenant = line.tenantName
        charge = "\(line.charge)"
        plan = line.charge.plan
        planVersion = line.charge.planVersion
        let usage = line.charge.usage
        model = usage?.model
        meter = usage?.meter.rawValue
        label = usage?.meter.label
        tier = usage?.tier ?? line.charge.credit?.tier
        from = "\(line.period.firstDay)"
        through = "\(line.period.lastDay)"
        quantity = line.quantity.map { "\($0)" }
        unit = line.quantity == nil ? nil : usage?.meter.unit.rawValue
        unitPricePerMillion = line.unitPrice?.description
        exactAmount = "\(line.exactAmount)"
        amount = "\(line.amount)"
    }
}

extension InvoiceDocument.Totals {
    fileprivate init(_ draft: InvoiceDraft) throws(InvoicingError) {
        do throws(MonetaryError) {
            let creditLines = draft.lines.filter { $0.kind == .serviceLevelCredit }.map(\.amount)
            let credits = try Money.sum(creditLines, currency: draft.currency)
            charges = "\(try draft.total.subtracting(credits))"
            self.credits = "\(credits)"
        } catch {
            throw .money(error)
        }
        total = "\(draft.total)"
        exactTotal = "\(draft.exactTotal)"
        creditsCarriedOver = "\(draft.carriedOver)"
    }
}

extension InvoiceDocument.ServiceLevel {
    fileprivate init?(_ line: InvoiceLine) {
        guard let due = line.charge.credit else { return nil }
        resultID = "\(due.resultID)"
        lineID = "\(line.id)"
        month = due.period.monthText
        tier = due.tier
        objective = due.objective.name
        thresholdMilliseconds = due.objective.thresholdMilliseconds
        promisedPercent = "\(due.promised)"
        attainedPercent = due.attainment.percentText
        evidence = due.evidence
        creditPercent = "\(due.creditPercent)"
        base = "\(due.base)"
        exactCredit = "\(due.exactCredit)"
        credit = "\(due.credit)"
        appliedBefore = "\(due.applied)"
        applied = String("\(line.amount)".trimmingPrefix("-"))
    }
}
