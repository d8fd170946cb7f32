import Accounts
import Engines
import HTTP1
import Identity
import Limits
import Metering
import NIOCore
import Pricing

/// What the gateway says of an answer beside it.
extension Exchange {
    /// `x-tollgate-*`: who served the answer, in which tier, and what the gateway added to its time. A stream's tier is
    /// only known at its end, so its head has none.
    func ownHeaders() -> [HeaderField] {
        var headers = [
            HeaderField("x-tollgate-backend", running.route.backend.name),
            HeaderField("x-tollgate-overhead-us", String(overheadMicroseconds())),
        ]
        if running.stream == nil, running.shownStatus == nil, (200..<300).contains(machine.upstreamStatus) {
            headers.append(
                HeaderField("x-tollgate-tier", OpenAIDialect.tier(named: attempt.tierServed ?? admitted.tier)))
        }
        if let standings = hold?.standings {
            let envelope = ErrorEnvelope(entry.request.surface)
            envelope.forEachLimitHeader(of: standings, now: loop.shared.clock.realTime) { name, value in
                headers.append(HeaderField(name, value))
            }
        }
        // Only now and then is the whole answer known before its first byte goes out.
        if attempt.marks.end != nil, !closesLater,
            let quote = quote(of: entry, isUsageFinal: running.counting?.isLate != true)
        {
            headers.append(HeaderField("x-tollgate-cost", quote.amount))
            headers.append(HeaderField("x-tollgate-cost-currency", quote.currency))
            headers.append(HeaderField("x-tollgate-cost-basis", quote.basis.rawValue))
        }
        return headers
    }

    /// Whether the client wants to read in a stream's last usage object what it costs: it asked for that object, or for
    /// the cost by a header.
    var wantsCostInStream: Bool {
        admitted.request.wantsUsageChunk || forwarded.headers.contains("x-tollgate-include-cost")
    }

    /// Members for the usage object of a stream's last word: what the request costs if these are its counts.
    func costMembers(_ facts: AnswerFacts) -> [UInt8]? {
        var ended = attempt
        ended.termination = .complete
        let loop = loop
        let requestID = entry.request.id
        var whole = entry
        whole.attempts.removeLast(whole.attempts.count - attemptIndex)
        whole.attempts += facts.attempts(
            completing: ended, request: admitted.request, isCut: false, priceKey: { loop.priceKey(of: $0) },
            newID: { loop.ids.attempt(of: requestID) })
        // What the engine leaves out may still be counted.
        let isWhole = facts.usage?.promptTokens != nil && facts.usage?.completionTokens != nil
        guard let quote = quote(of: whole, isUsageFinal: running.counting == nil || isWhole) else { return nil }
        let text =
            #","tollgate_cost":"\#(quote.amount)","tollgate_cost_currency":"\#(quote.currency)""#
            + #","tollgate_cost_basis":"\#(quote.basis.rawValue)""#
        return Array(text.utf8)
    }

    private func quote(of entry: UsageEntry, isUsageFinal: Bool) -> CostQuote? {
        let snapshots = loop.shared.snapshots
        let acceptedAt = entry.request.acceptedAt.advanced(byMilliseconds: -admitted.grant.clockOffsetMilliseconds)
        // Under a test clock that is ahead, a price may have changed a second ago.
        let isPriceKnown = admitted.grant.clock == nil && snapshots.knowsPrices(at: acceptedAt)
        return snapshots.current.prices.quote(
            entry, plan: admitted.grant.plan, under: admitted.grant.clock, isFinal: isUsageFinal && isPriceKnown)
    }

    /// Whether the plan has no price for the tier that served, so that the one asked for is billed.
    func billsRequestedTier(of attempt: AttemptRecord) -> Bool {
        let request = entry.request
        guard let served = attempt.tierServed, served != request.tierRequested else { return false }
        return loop.shared.snapshots.current.prices.history(of: admitted.grant.plan)?
            .version(at: request.acceptedAt, under: admitted.grant.clock)?
            .billsRequestedTier(of: attempt, requested: request.tierRequested) == true
    }

    /// The time that was spent here and not with the engine, until now: from acceptance to the last try's start, and
    /// from the last bytes received to these headers, the record's way to the disk included.
    private func overheadMicroseconds() -> Int64 {
        let before = attempt.marks.upstreamSent ?? 0
        return before + microseconds(at: .now()) - machine.lastReceivedAt
    }
}
