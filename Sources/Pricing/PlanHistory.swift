public import Identity
import Monetary

/// The versions of one plan, and the rule which of them prices an instant.
public struct PlanHistory: Hashable, Sendable {
    /// In the order of their numbers, which is also that of their dates.
    public let versions: [PlanVersion]
    /// Published versions that do not read any more, in the same order: nobody knows their prices.
    public let unreadable: [UnreadableVersion]

    /// How far ahead of now a new version must take effect, so that every gateway and every ingester knows it in time.
    public static let noticeMilliseconds: Int64 = 60_000

    /// What publishing a version does.
    public enum Publication: Hashable, Sendable {
        /// The version joins the history.
        case new(PlanHistory)
        /// The same version with the same content is there already: nothing to do.
        case unchanged
    }

    /// A plan without versions.
    public init() { self.init(versions: []) }

    private init(versions: [PlanVersion], unreadable: [UnreadableVersion] = []) {
        self.versions = versions
        self.unreadable = unreadable
    }

    /// The history of versions in the order of their numbers, of which some may not read or not follow.
    public init(reading rows: [Result<PlanVersion, UnreadableVersion>]) {
        var history = PlanHistory()
        for row in rows {
            do throws(UnreadableVersion) {
                history = try history.appending(row.get())
            } catch {
                history = PlanHistory(versions: history.versions, unreadable: history.unreadable + [error])
            }
        }
        self = history
    }

    private func appending(_ version: PlanVersion) throws(UnreadableVersion) -> PlanHistory {
        do throws(PlanHistoryError) {
            try checkOrder(of: version)
        } catch {
            throw UnreadableVersion(
                number: version.version, effectiveFrom: version.effectiveFrom, publishedAt: version.publishedAt,
                reason: error.description)
        }
        return PlanHistory(versions: versions + [version], unreadable: unreadable)
    }

    /// The history of versions read back from where they were published.
    public init(published versions: [PlanVersion]) throws(PlanHistoryError) {
        var history = PlanHistory()
        for version in versions.sorted(by: { $0.version < $1.version }) {
            try history.checkOrder(of: version)
            history = PlanHistory(versions: history.versions + [version])
        }
        self = history
    }

    /// The version in force at an instant of billing time: the last that took effect by then, under a test clock where
    /// it is the billing time of one. Nil before the first one, and where that version does not read.
    public func version(at instant: Timestamp, under clock: TestClock?) -> PlanVersion? {
        let version = versions.last { $0.effectiveDate.instant(under: clock) <= instant }
        return unreadableVersion(at: instant, under: clock) == nil ? version : nil
    }

    /// The version in force at an instant, where it does not read.
    public func unreadableVersion(at instant: Timestamp, under clock: TestClock?) -> UnreadableVersion? {
        guard let bad = unreadable.last(where: { $0.effectiveDate.instant(under: clock) <= instant }) else {
            return nil
        }
        let good = versions.last { $0.effectiveDate.instant(under: clock) <= instant }
        return good.map { $0.version > bad.number } ?? false ? nil : bad
    }

    /// The version of that number.
    public func version(numbered number: Int) -> PlanVersion? { versions.first { $0.version == number } }

    /// Checks a version against those already published. The first version of a plan may take effect in the past:
    /// nothing was priced by the plan before it.
    public func publishing(_ version: PlanVersion, now: Timestamp) throws(PlanHistoryError) -> Publication {
        if let published = self.version(numbered: version.version) {
            guard published.document == version.document else {
                throw .differsFromPublished(version: version.version, next: versions.count + 1)
            }
            return .unchanged
        }
        try checkOrder(of: version)
        let earliest = now.advanced(byMilliseconds: PlanHistory.noticeMilliseconds)
        if !versions.isEmpty && version.effectiveFrom < earliest {
            throw .tooSoon(effectiveFrom: version.effectiveFrom, earliest: earliest)
        }
        return .new(PlanHistory(versions: versions + [version], unreadable: unreadable))
    }

    private func checkOrder(of version: PlanVersion) throws(PlanHistoryError) {
        let next = versions.count + unreadable.count + 1
        guard version.version == next else { throw .wrongNumber(version: version.version, expected: next) }
        if let bad = unreadable.last, version.effectiveFrom <= bad.effectiveFrom {
            throw .notAfterPrevious(effectiveFrom: version.effectiveFrom, previous: bad.effectiveFrom)
        }
        guard let last = versions.last else { return }
        guard version.planID == last.planID else { throw .otherPlan(version.planID, expected: last.planID) }
        guard version.currency == last.currency else {
            throw .currencyChanged(from: last.currency.code, to: version.currency.code)
        }
        guard version.effectiveFrom > last.effectiveFrom else {
            throw .notAfterPrevious(effectiveFrom: version.effectiveFrom, previous: last.effectiveFrom)
        }
    }
}

/// A published version that does not read: the database was changed by hand, or an older program reads it. Usage that
/// it would price is held until it reads again.
public struct UnreadableVersion: Error, Hashable, Sendable {
    public let number: Int
    public let effectiveFrom: Timestamp
    /// Real time; nil where nobody knows.
    public let publishedAt: Timestamp?
    public let reason: String

    /// As of a version that reads.
    public var effectiveDate: EffectiveDate {
        EffectiveDate(from: effectiveFrom, publishedAt: number == 1 ? nil : publishedAt)
    }

    public init(number: Int, effectiveFrom: Timestamp, publishedAt: Timestamp? = nil, reason: String) {
        self.number = number
        self.effectiveFrom = effectiveFrom
        self.publishedAt = publishedAt
        self.reason = reason
    }
}

/// Why a version cannot join a plan's history.
public enum PlanHistoryError: Error, Hashable, Sendable {
    /// Numbers follow each other without gaps.
    case wrongNumber(version: Int, expected: Int)
    /// A published version never changes.
    case differsFromPublished(version: Int, next: Int)
    /// A history is that of one plan.
    case otherPlan(String, expected: String)
    /// A plan keeps its currency.
    case currencyChanged(from: String, to: String)
    /// Versions take effect in the order of their numbers.
    case notAfterPrevious(effectiveFrom: Timestamp, previous: Timestamp)
    /// A new version needs notice.
    case tooSoon(effectiveFrom: Timestamp, earliest: Timestamp)
}

extension PlanHistoryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wrongNumber(let version, let expected):
            "version \(version) does not follow: write version: \(expected)"
        case .differsFromPublished(let version, let next):
            "version \(version) is already published with other content, and a published version never changes: "
                + "write version: \(next) and a later effective_from"
        case .otherPlan(let plan, let expected):
            "the document is of the plan \(plan), not of \(expected)"
        case .currencyChanged(let from, let to):
            "a plan keeps its currency (\(from)); make another plan for \(to)"
        case .notAfterPrevious(let effectiveFrom, let previous):
            "effective_from \(effectiveFrom) does not lie after that of the version before it, \(previous)"
        case .tooSoon(let effectiveFrom, let earliest):
            "effective_from \(effectiveFrom) is too soon; the earliest is \(earliest)"
        }
    }
}
