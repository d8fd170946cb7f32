import FoundationEssentials
import Identity

/// What a result rests on, as it is stored and shown on the invoice that carries the credit.
public struct PromiseEvidence: Hashable, Sendable, Codable {
    /// A request that missed the objective.
    public struct Request: Hashable, Sendable, Codable {
        /// `req_…`
        public let requestID: String
        /// RFC 3339, billing time.
        public let acceptedAt: String
        /// What was measured, such as `3120 ms`.
        public let measured: String

        enum CodingKeys: String, CodingKey {
            case requestID = "request_id"
            case acceptedAt = "accepted_at"
            case measured
        }
    }

    /// Good and bad together.
    public let counted: Int64
    public let good: Int64
    /// Counts by reason code.
    public let bad: [String: Int64]
    /// Requests that do not count, by reason code.
    public let excluded: [String: Int64]
    /// At most `PromiseTally.worstRequestsMax`, the worst first.
    public let worst: [Request]

    public init(_ tally: PromiseTally) {
        counted = tally.attainment.counted
        good = tally.good
        bad = tally.bad
        excluded = tally.excluded
        worst = tally.worst.map {
            Request(requestID: "\($0.requestID)", acceptedAt: "\($0.acceptedAt)", measured: $0.measured)
        }
    }

    /// Requests that did not count.
    public var excludedTotal: Int64 { excluded.values.reduce(0, +) }

    /// Reads what `json` wrote.
    public init(json: String) throws {
        self = try JSONDecoder().decode(PromiseEvidence.self, from: Data(json.utf8))
    }

    /// One line with sorted keys: equal evidence is equal text.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
