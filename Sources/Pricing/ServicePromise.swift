public import Monetary

/// What a tier promises for a calendar month, as a share of its requests, and what a broken promise gives back.
public struct ServicePromise: Hashable, Sendable {
    /// What makes a request a good one.
    public enum Objective: Hashable, Sendable {
        /// It was answered.
        case availability
        /// Its first token came within so many milliseconds.
        case timeToFirstToken(thresholdMilliseconds: Int64)

        /// The name in plan documents.
        public var name: String {
            switch self {
            case .availability: "availability"
            case .timeToFirstToken: "time_to_first_token"
            }
        }

        /// The time that a request has; nil where the objective is not a time.
        public var thresholdMilliseconds: Int64? {
            switch self {
            case .availability: nil
            case .timeToFirstToken(let threshold): threshold
            }
        }
    }

    /// One step of a credit ladder: attained less than `below` gives `credit` of the tier's charges of that month.
    public struct CreditStep: Hashable, Sendable {
        /// The attained share, in percent, under which the step applies.
        public var below: Percentage
        /// The share of the tier's charges that is given back, in percent.
        public var credit: Percentage

        public init(below: Percentage, credit: Percentage) {
            self.below = below
            self.credit = credit
        }
    }

    /// What makes a request a good one.
    public var objective: Objective
    /// The share of good requests that is promised.
    public var percent: Percentage
    /// Months with fewer requests are not judged.
    public var minimumRequests: Int64
    /// Highest `below` first; the last step that applies counts. Empty for a target without credits.
    public var credits: [CreditStep]

    /// The longest threshold: an hour.
    public static let thresholdMillisecondsMax: Int64 = 3_600_000

    public init(objective: Objective, percent: Percentage, minimumRequests: Int64 = 1, credits: [CreditStep] = []) {
        self.objective = objective
        self.percent = percent
        self.minimumRequests = minimumRequests
        self.credits = credits
    }
}

extension ServicePromise: CustomStringConvertible {
    /// `time_to_first_token within 500 ms: 99.5 % (below 99.5 %: 10 % back, below 95 %: 25 % back)`
    public var description: String {
        let threshold = objective.thresholdMilliseconds.map { " within \($0) ms" } ?? ""
        let steps = credits.map { "below \($0.below) %: \($0.credit) % back" }
        let ladder = steps.isEmpty ? "no credits" : steps.joined(separator: ", ")
        let sample = minimumRequests > 1 ? ", from \(minimumRequests) requests" : ""
        return "\(objective.name)\(threshold): \(percent) %\(sample) (\(ladder))"
    }
}
