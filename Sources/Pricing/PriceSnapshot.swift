public import Identity
public import Metering
import Monetary

/// What a request costs, as a client may be told it.
public struct CostQuote: Hashable, Sendable {
    /// Whether the amount can still change.
    public enum Basis: String, CaseIterable, Sendable {
        /// It is what the ledger will hold.
        case final
        /// The usage is not yet all known, or its price: it depends on the whole period, or may have changed while the
        /// gateway was cut off.
        case provisional
    }

    /// What is billed: exact decimal text, without needless zeros, such as `0.00018`.
    public let amount: String
    /// ISO 4217.
    public let currency: String
    /// Whether the amount can still change.
    public let basis: Basis
}

/// The published prices at one moment: what a gateway needs to say what a request cost, without asking anyone.
///
/// Ingest rates the same records with the same code, so that a final quote is what the ledger will hold. Immutable.
public struct PriceSnapshot: Sendable {
    /// By the plan's slug.
    private let histories: [String: PlanHistory]

    /// The prices of these plans, by slug.
    public init(histories: [String: PlanHistory] = [:]) { self.histories = histories }

    /// The versions of a plan; nil for a plan that nobody told of.
    public func history(of plan: String) -> PlanHistory? { histories[plan] }

    /// What the delivered attempts of a request cost together, by the version of `plan` in force when it was accepted
    /// (billing time); nil where something of it has no price, which ingest will put in suspense.
    ///
    /// - Parameters:
    ///   - plan: the slug of the plan of the request's subscription.
    ///   - clock: of the request's account, where that is one for tests.
    ///   - isFinal: whether the record will be written as it is here, and no price can be in force that is not known
    ///     here.
    public func quote(
        _ entry: borrowing UsageEntry, plan: String, under clock: TestClock? = nil, isFinal: Bool = true
    ) -> CostQuote? {
        let request = entry.request
        guard let version = histories[plan]?.version(at: request.acceptedAt, under: clock) else { return nil }
        var total = Money.zero(version.currency)
        var isLinear = true
        for attempt in entry.attempts where attempt.isDelivered {
            do {
                let rated = try Rating.rate(
                    attempt, surface: request.surface, tierRequested: request.tierRequested, version: version)
                guard rated.waiver == nil else { continue }
                total = try total.adding(rated.total())
                isLinear = isLinear && rated.charges.allSatisfy { $0.price.model.isLinear }
            } catch {
                return nil
            }
        }
        return CostQuote(
            amount: total.description, currency: version.currency.code,
            basis: isLinear && isFinal ? .final : .provisional)
    }
}
