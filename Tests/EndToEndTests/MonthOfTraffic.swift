import NaiveArithmetic
import TestSupport

/// A month's requests of all customers: what the clients saw, what the engine made of them, what was recorded.
struct MonthOfTraffic {
    let observations: [Observation]
    let book: [String: BookLine]
    let records: [String: StoredRecord]

    /// Keeps of the book and the records what belongs to the observations. Each must have one line and one record.
    init(_ observations: [Observation], book: [BookLine], records: [StoredRecord]) throws {
        self.observations = observations
        let ids = Set(observations.compactMap(\.requestID))
        guard ids.count == observations.count else { throw ProgramFailure("a request without an id of its own") }
        self.book = Dictionary(grouping: book.filter { ids.contains($0.requestID) }, by: \.requestID)
            .compactMapValues { $0.count == 1 ? $0[0] : nil }
        self.records = Dictionary(grouping: records.filter { ids.contains($0.requestID) }, by: \.requestID)
            .compactMapValues { $0.count == 1 ? $0[0] : nil }
        guard self.book.count == ids.count, self.records.count == ids.count else {
            throw ProgramFailure("\(ids.count) requests, \(self.book.count) lines, \(self.records.count) records")
        }
    }

    /// A customer's requests with the engine's lines.
    func lines(of customer: Customer) -> [(Observation, BookLine, StoredRecord)] {
        observations.filter { $0.client == customer.name }.compactMap { observation in
            guard let id = observation.requestID, let line = book[id], let record = records[id] else { return nil }
            return (observation, line, record)
        }
    }

    /// The engine's lines of a customer's requests in a tier.
    func lines(of customer: Customer, tier: String) -> [BookLine] {
        lines(of: customer).filter { Self.tier($0.0, $0.1) == tier }.map(\.1)
    }

    /// What is to be billed: tokens by charge. Whole answers count by the engine's own book. Where the client left or
    /// the engine broke off, what the gateway had received counts, which must lie between what the client saw and what
    /// the engine sent.
    func quantities(of customer: Customer) throws -> [ChargeByHand: Int64] {
        var sums: [ChargeByHand: Int64] = [:]
        for (observation, line, record) in lines(of: customer) {
            guard let attempt = record.attempts.first, attempt.rating == "rated" else {
                guard line.tokensSent == 0 else { throw ProgramFailure("\(record): sent and not billed") }
                continue
            }
            let counts: [String: Int64]
            if observation.isComplete {
                counts = [
                    "input_tokens": line.promptTokens - line.cachedTokens - line.cacheWriteTokens,
                    "cache_read_tokens": line.cachedTokens, "cache_write_tokens": line.cacheWriteTokens,
                    "output_tokens": line.tokensProduced,
                ]
            } else {
                guard observation.textChunks <= attempt.outputTokens, attempt.outputTokens <= line.tokensSent else {
                    throw ProgramFailure(
                        "\(attempt.outputTokens) tokens billed of a cut answer: the client saw "
                            + "\(observation.textChunks), the engine sent \(line.tokensSent)")
                }
                counts = ["input_tokens": attempt.inputTokens, "output_tokens": attempt.outputTokens]
            }
            let tier = Self.tier(observation, line)
            for (meter, count) in counts where count > 0 {
                sums[ChargeByHand(model: line.model, tier: tier, meter: meter), default: 0] += count
            }
        }
        return sums
    }

    /// The tier served; where the engine did not say, the one asked for.
    private static func tier(_ observation: Observation, _ line: BookLine) -> String {
        let tier = line.tierServed ?? observation.tier ?? "standard"
        return tier == "default" || tier == "auto" ? "standard" : tier
    }
}
