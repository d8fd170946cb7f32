/// A test clock: how far billing time is ahead of real time, and since when. It never goes back.
public struct TestClock: Hashable, Sendable {
    public struct Move: Hashable, Sendable {
        /// Real time.
        public let at: Timestamp
        /// Billing time minus real time from then on.
        public let offsetMilliseconds: Int64

        public init(at: Timestamp, offsetMilliseconds: Int64) {
            self.at = at
            self.offsetMilliseconds = offsetMilliseconds
        }
    }

    /// In their order; before the first one billing time is real time.
    public let moves: [Move]

    /// The most moves of one clock.
    public static let movesMax = 10_000

    public init(moves: [Move] = []) {
        assert(
            zip(moves, moves.dropFirst()).allSatisfy {
                $0.at <= $1.at && $0.offsetMilliseconds <= $1.offsetMilliseconds
            }
        )
        self.moves = moves
    }

    /// A clock of which nobody knows since when it stands so far ahead: as if it always had.
    public init(alwaysAheadByMilliseconds offset: Int64) {
        self.init(moves: [Move(at: Timestamp(milliseconds: .min), offsetMilliseconds: offset)])
    }

    /// How far it is ahead since its last move.
    public var offsetMilliseconds: Int64 { moves.last?.offsetMilliseconds ?? 0 }

    /// What billing time was at an instant of real time.
    public func billingTime(at real: Timestamp) -> Timestamp {
        // The first move after the instant.
        var (low, high) = (0, moves.count)
        while low < high {
            let middle = (low + high) / 2
            if moves[middle].at <= real { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? real : real.advanced(byMilliseconds: moves[low - 1].offsetMilliseconds)
    }
}

/// From when something that was published counts.
public struct EffectiveDate: Hashable, Sendable {
    /// Billing time, as it was published.
    public let from: Timestamp
    /// Real time; nil where it counts from its date for everybody, whenever it was published.
    public let publishedAt: Timestamp?

    /// How long after it was published a test clock that is past the date goes by it: by then every gateway that
    /// reaches the database knows it.
    public static let noticeMilliseconds: Int64 = 1000

    public init(from: Timestamp, publishedAt: Timestamp?) {
        self.from = from
        self.publishedAt = publishedAt
    }

    /// The first instant of billing time for which it counts. Under a test clock that had passed the date when it was
    /// published that is the clock's time then: what was used before keeps its price, and nobody's clock keeps anybody
    /// from publishing. Everything that asks when a version of a plan takes effect asks here.
    public func instant(under clock: TestClock?) -> Timestamp {
        guard let clock, let publishedAt else { return from }
        return max(from, clock.billingTime(at: publishedAt).advanced(byMilliseconds: Self.noticeMilliseconds))
    }
}
