import Accounts
import Identity
import Invoicing
import Metering
import Monetary
import NaiveArithmetic
import Pricing
import ServiceLevels

/// An account, plans and usage in a few words. Months are of Europe/Berlin unless a test says otherwise.
enum Fixture {
    static let accountID = AccountID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001))
    static let subscriptionID = SubscriptionID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0002))

    static func calendar(_ zone: String = "Europe/Berlin") throws -> BillingCalendar {
        try BillingCalendar(zoneName: zone)
    }

    static func month(_ text: String = "2026-11", zone: String = "Europe/Berlin") throws -> BillingMonth {
        guard let month = CivilMonth(text) else { throw BillingCalendarError.unknownZone(text) }
        return BillingMonth(month, calendar: try calendar(zone))
    }

    static func usd(_ text: String) throws -> Money { try Money(parsing: text, currency: .usd) }

    static func instant(_ text: String) -> Timestamp {
        Timestamp(text) ?? Timestamp(milliseconds: 0)
    }

    static func version(
        _ number: Int, from effective: Timestamp, fee: String? = nil, proration: BaseFee.Proration = .days,
        rounding: Rounding = .halfEven, currency: Currency = .usd,
    ) throws -> PlanVersion {
        let price = try UnitPrice(parsing: "0.15")
        let baseFee = try fee.map {
            BaseFee(amount: try Money(parsing: $0, currency: currency), proration: proration)
        }
        return try PlanVersion(
            document: PlanDocument(
                plan: "team", version: number, title: "Team", currency: currency, effectiveFrom: effective,
                rounding: rounding, baseFee: baseFee, models: ["sim": TokenPrices(input: price, output: price)]))
    }

    static func terms(
        from start: String = "2026-01-01T00:00:00Z", until end: String? = nil, id: SubscriptionID = subscriptionID,
        tenant: SubscriptionID? = nil, _ versions: [PlanVersion],
    ) throws -> SubscriptionTerms {
        SubscriptionTerms(
            subscription: Subscription(
                id: id, accountID: accountID, tenantID: TenantID((tenant ?? id).uuid), plan: "team",
                startsAt: instant(start),
                endsAt: end.map(instant), createdAt: instant(start)),
            tenantName: "Acme", history: try PlanHistory(published: versions))
    }

    static func usage(
        _ quantity: Int64, price: String = "0.15", meter: Meter = .inputTokens, model: String = "sim-small",
        tier: String = "standard", version: Int = 1, rounding: Rounding = .halfEven,
        subscription: SubscriptionID = subscriptionID,
    ) throws -> RatedUsage {
        let unitPrice = try UnitPrice(parsing: price)
        return RatedUsage(
            charge: UsageCharge(
                subscriptionID: subscription, plan: "team", planVersion: version, model: model, priceKey: "sim",
                tier: tier, meter: meter),
            price: .perUnit(PerUnitPrice(unitPrice: unitPrice)), rounding: rounding, quantity: quantity,
            rolledUp: unitPrice.cost(of: quantity, currency: .usd))
    }

    static func credit(
        _ exact: String, month: BillingMonth, applied: String = "0", appliedExact: String = "0", number: UInt64 = 1,
        tier: String = "priority",
    ) throws -> CreditDue {
        let exactCredit = try usd(exact)
        let promise = TierPromise(
            tier: tier, objective: .availability, promised: try Percentage(parsing: "99"), minimumRequests: 1,
            ladder: CreditLadder(steps: []))
        return CreditDue(
            resultID: ServiceLevelResultID(UUIDv7(high: 7, low: number)), subscriptionID: subscriptionID,
            period: month.period, plan: "team", planVersion: 1, tier: tier, objective: .availability,
            promised: promise.promised, attainment: Attainment(good: 9, counted: 10),
            creditPercent: try Percentage(parsing: "10"), base: try exactCredit.multiplied(by: Int64(10)),
            exactCredit: exactCredit, credit: try exactCredit.roundedToMinorUnit(), applied: try usd(applied),
            appliedExact: try usd(appliedExact), evidence: PromiseEvidence(PromiseTally(promise: promise)))
    }

    static func draft(
        month: BillingMonth? = nil, _ subscriptions: [SubscriptionTerms], usage: [RatedUsage] = [],
        earlier: [EarlierUsage] = [], credits: [CreditDue] = [], generation: Int = 0,
    ) throws -> InvoiceDraft {
        try InvoiceDraft(
            InvoiceInput(
                accountID: accountID, currency: .usd, month: try month ?? self.month(), generation: generation,
                subscriptions: subscriptions, usage: usage, earlierUsage: earlier, credits: credits))
    }
}

/// The second computation: exact fractions on paper, sharing no code with the program.
enum OnPaper {
    /// `value` × 10^`decimals`, rounded half to even.
    static func rounded(_ value: NaiveFraction, decimals: Int) -> NaiveInteger {
        let scaled = value * NaiveFraction(NaiveInteger.powerOfTen(decimals))
        let floor = scaled.floor
        let twiceRest = (scaled + NaiveFraction(-floor)) * NaiveFraction(NaiveInteger(2))
        let one = NaiveFraction(NaiveInteger(1))
        if twiceRest < one || (twiceRest == one && !floor.isOdd) { return floor }
        return floor + NaiveInteger(1)
    }

    /// What an amount is worth through so many of equal parts, in units of 10⁻¹².
    static func share(of amount: String, through part: Int64, of parts: Int64) -> NaiveInteger {
        let fraction = NaiveFraction(NaiveInteger(Int(part)), over: NaiveInteger(Int(parts)))
        return rounded(NaiveFraction(decimal: amount) * fraction, decimals: 12)
    }

    static func text(_ integer: NaiveInteger, decimals: Int) -> NaiveFraction {
        NaiveFraction(integer, over: NaiveInteger.powerOfTen(decimals))
    }

    static func value(of money: Money) -> NaiveFraction { NaiveFraction(decimal: money.decimalText) }
}
