public import Monetary

/// A promise that a plan makes for a tier: which share of the month's requests meets the objective, and what a broken
/// promise gives back.
public struct TierPromise: Hashable, Sendable {
    public let tier: String
    public let objective: Objective
    /// The share that is promised.
    public let promised: Percentage
    /// Months with fewer counted requests are not judged: one failure of three says nothing.
    public let minimumRequests: Int64
    public let ladder: CreditLadder

    public init(
        tier: String, objective: Objective, promised: Percentage, minimumRequests: Int64, ladder: CreditLadder,
    ) {
        self.tier = tier
        self.objective = objective
        self.promised = promised
        self.minimumRequests = minimumRequests
        self.ladder = ladder
    }
}

/// Steps of credit: an attainment `below` a step's share earns its credit.
public struct CreditLadder: Hashable, Sendable {
    /// One step, as a percentage of the tier's charges of the month.
    public struct Step: Hashable, Sendable {
        public let below: Percentage
        public let credit: Percentage

        /// Attained less than `below`: `credit` back. Attained exactly `below`: nothing.
        public init(below: Percentage, credit: Percentage) {
            self.below = below
            self.credit = credit
        }
    }

    public let steps: [Step]

    public init(steps: [Step]) {
        self.steps = steps
    }

    /// The largest credit among the steps that the attainment is below; nil when there is none.
    public func credit(for attainment: Attainment) -> Percentage? {
        steps.filter { !attainment.reaches($0.below) }.map(\.credit).max()
    }
}
