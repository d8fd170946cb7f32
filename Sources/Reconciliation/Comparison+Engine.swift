import Accounts
public import Identity
public import Metering
import Storage

/// One line of an engine's own book, as the caller fetched it.
public struct EngineCount: Hashable, Sendable {
    /// The gateway's request id, which it sends on as `x-request-id`; retries share it.
    public let requestID: RequestID
    /// Tokens of the prompt, cached ones included.
    public let promptTokens: Int64
    /// Tokens generated, whether anyone received them or not.
    public let completionTokensProduced: Int64
    /// What else it came to.
    public let units: UsageUnits
    /// The whole answer was sent.
    public let isComplete: Bool

    public init(
        requestID: RequestID, promptTokens: Int64, completionTokensProduced: Int64, isComplete: Bool,
        units: UsageUnits = UsageUnits()
    ) {
        self.requestID = requestID
        self.promptTokens = promptTokens
        self.completionTokensProduced = completionTokensProduced
        self.isComplete = isComplete
        self.units = units
    }
}

/// What a request's records say that it came to.
struct RecordedTokens: Sendable {
    let prompt: Int64
    let completion: Int64
    /// Pictures, sound, characters, searches, time on hardware.
    let units: [Meter: Int64]
    static let unitMeters = Meter.allCases.filter(\.isUnit)
    /// The last attempt ended as it should.
    let isComplete: Bool
    /// The counts are the engine's own or were counted as it counts.
    let isCounted: Bool

    /// What is sold by another unit than tokens has no tokens in its records where the engine reported none, whatever
    /// its book says.
    var countsTokens: Bool { units.isEmpty || prompt > 0 || completion > 0 }

    /// Nil where no attempt reached the engine, and for what is no inference: a look at a prediction is on record as a
    /// request, and in no engine's book.
    init?(_ stored: StoredRequest) {
        let reached = stored.attempts.map(\.record).filter { $0.upstreamStatus != 0 }
        guard let last = reached.last else { return nil }
        if last.termination == .complete, reached.allSatisfy({ $0.usageSource == .nothing }) { return nil }
        prompt = reached.reduce(0) { $0 + $1.buckets.inputTotal }
        completion = reached.reduce(0) { $0 + $1.buckets.outputTotal }
        var units: [Meter: Int64] = [:]
        for meter in RecordedTokens.unitMeters {
            let quantity = reached.reduce(0) { $0 + $1.units.quantity(of: meter) }
            if quantity > 0 { units[meter] = quantity }
        }
        self.units = units
        isComplete = last.termination == .complete
        isCounted = reached.allSatisfy { $0.usageSource == .engine || $0.usageSource == .counted }
    }
}

/// An engine's own count against the attempts. What the engine made and the gateway never received stands apart: it is
/// *unreceived*, and on no invoice.
extension Comparison {
    mutating func compareEngine(in tx: DatabaseTransaction) throws {
        guard let counts = options.engineCounts else { return }
        var check = ReconciliationCheck("engine's own count = attempts")
        var apart = EngineRemainder()
        var known: Set<RequestID> = []
        let compared = Set(accounts.map(\.id))
        for (id, lines) in Dictionary(grouping: counts, by: \.requestID).sorted(by: { $0.key < $1.key }) {
            known.insert(id)
            if deletedRequests.contains(id) { continue }
            guard let stored = try RecordStorage.find(id, in: tx) else {
                check.report("the engine served \(id), of which there is no record")
                continue
            }
            guard compared.contains(stored.request.accountID), isInPeriod(stored) else { continue }
            compare(lines, stored, &check, &apart)
        }
        for id in completed.keys.filter({ !known.contains($0) }).sorted() {
            check.report("\(id) is recorded as complete, and the engine does not know it")
        }
        apart.note(in: &check)
        checks.append(check)
    }

    private func isInPeriod(_ stored: StoredRequest) -> Bool {
        guard let account = accounts.first(where: { $0.id == stored.request.accountID }) else { return false }
        return period(of: account).map { $0.contains(stored.request.acceptedAt) } ?? true
    }

    private func compare(
        _ lines: [EngineCount], _ stored: StoredRequest, _ check: inout ReconciliationCheck,
        _ apart: inout EngineRemainder
    ) {
        let produced = lines.reduce(0) { $0 + $1.completionTokensProduced }
        let prompt = lines.reduce(0) { $0 + $1.promptTokens }
        guard let recorded = RecordedTokens(stored) else {
            // The answer's head never arrived: all that the engine made of it is unreceived.
            apart.add(unreceived: produced)
            return
        }
        check.add(.count("requests"), left: 1, right: 1)
        if !recorded.isCounted && (recorded.isComplete || recorded.completion > produced) {
            apart.addEstimated(produced: produced, recorded: recorded.completion)
            return
        }
        if recorded.isComplete { compareUnits(lines, recorded, stored.request.id, &check) }
        guard recorded.countsTokens else { return }
        if recorded.isComplete {
            check.add(.count("prompt tokens"), left: Int128(prompt), right: Int128(recorded.prompt))
            check.add(.count("completion tokens"), left: Int128(produced), right: Int128(recorded.completion))
            if prompt != recorded.prompt || produced != recorded.completion {
                check.report(
                    "\(stored.request.id): the engine counts \(prompt) + \(produced) tokens, the records "
                        + "\(recorded.prompt) + \(recorded.completion)")
            }
            return
        }
        let received = min(produced, recorded.completion)
        check.add(.count("completion tokens"), left: Int128(received), right: Int128(recorded.completion))
        if recorded.completion > produced {
            check.report(
                "\(stored.request.id): the records hold \(recorded.completion) completion tokens, the engine made "
                    + "\(produced)")
        }
        apart.add(unreceived: produced - received)
    }

    /// Each unit that the records hold, against the engine's. Sound that an engine reports in whole seconds is longer
    /// by the rest of the last one.
    private func compareUnits(
        _ lines: [EngineCount], _ recorded: RecordedTokens, _ id: RequestID, _ check: inout ReconciliationCheck
    ) {
        for meter in RecordedTokens.unitMeters {
            guard let quantity = recorded.units[meter] else { continue }
            var counted = lines.reduce(0) { $0 + $1.units.quantity(of: meter) }
            if meter == .audioMilliseconds, quantity % 1_000 == 0, quantity - counted < 1_000 {
                counted = max(counted, quantity)
            }
            let words = meter.rawValue.replacing("_", with: " ")
            check.add(.count(words), left: Int128(counted), right: Int128(quantity))
            if counted != quantity {
                check.report("\(id): the engine counts \(counted) \(words), the records \(quantity)")
            }
        }
    }
}

/// What the engine's book has beyond the comparison.
private struct EngineRemainder {
    private var unreceivedRequests = 0
    private var unreceivedTokens: Int64 = 0
    private var estimatedRequests = 0
    private var estimatedProduced: Int64 = 0
    private var estimatedRecorded: Int64 = 0

    mutating func add(unreceived tokens: Int64) {
        guard tokens > 0 else { return }
        unreceivedRequests += 1
        unreceivedTokens += tokens
    }

    mutating func addEstimated(produced: Int64, recorded: Int64) {
        estimatedRequests += 1
        estimatedProduced += produced
        estimatedRecorded += recorded
    }

    func note(in check: inout ReconciliationCheck) {
        check.note("unreceived, never billed: \(unreceivedTokens) tokens of \(unreceivedRequests) interrupted requests")
        if estimatedRequests > 0 {
            check.note(
                "estimated, because the engine reported no usage: \(estimatedRecorded) completion tokens of "
                    + "\(estimatedRequests) requests, the engine made \(estimatedProduced)")
        }
    }
}
