/// A bucket that refills continuously: what a per-minute limit has left. All in integers; the level is kept in
/// 60,000ths, so that a limit of n a minute refills by n of them each millisecond.
public struct TokenBucket: Hashable, Sendable {
    /// What is left, in 60,000ths. Below zero it is a debt: something came to more than was reserved for it.
    public private(set) var level: Int64
    /// Milliseconds of whichever clock the owner uses.
    public private(set) var updatedAt: Int64

    /// Parts of one.
    public static let scale: Int64 = 60_000
    /// A debt is forgotten beyond this many minutes' worth.
    static let debtMinutesMax: Int64 = 10
    /// What is taken or given at once, at most: more would be full or in the deepest debt anyway.
    private static let amountMax = LimitRule.valueMax * 20

    public init(level: Int64, updatedAt: Int64) {
        self.level = level
        self.updatedAt = updatedAt
    }

    public init(holding amount: Int64, at now: Int64) {
        self.init(level: amount * TokenBucket.scale, updatedAt: now)
    }

    /// What can be taken.
    public var available: Int64 { level > 0 ? level / TokenBucket.scale : 0 }

    /// What is left, a debt below zero; rounded down.
    var balance: Int64 {
        let (whole, rest) = level.quotientAndRemainder(dividingBy: TokenBucket.scale)
        return rest < 0 ? whole - 1 : whole
    }

    /// Lets time pass: adds `perMinute` a minute, up to `ceiling`. A clock that stepped back adds nothing.
    public mutating func refill(perMinute: Int64, ceiling: Int64, now: Int64) {
        let full = max(ceiling, 0) * TokenBucket.scale
        let elapsed = now - updatedAt
        updatedAt = max(now, updatedAt)
        if level < full, perMinute > 0, elapsed > 0 {
            let toFull = (full - level + perMinute - 1) / perMinute
            level = elapsed >= toFull ? full : level + elapsed * perMinute
        }
        level = min(level, full)
    }

    /// Takes; the level may fall below zero.
    public mutating func take(_ amount: Int64, perMinute: Int64) {
        let floor = -perMinute * TokenBucket.debtMinutesMax * TokenBucket.scale
        level = max(level - min(amount, TokenBucket.amountMax) * TokenBucket.scale, floor)
    }

    /// Puts back, up to `ceiling`.
    public mutating func give(_ amount: Int64, ceiling: Int64) {
        level = min(level + min(amount, TokenBucket.amountMax) * TokenBucket.scale, max(ceiling, 0) * TokenBucket.scale)
    }

    /// Milliseconds until `amount` can be taken, nothing else happening; nil when it never can.
    public func milliseconds(until amount: Int64, perMinute: Int64) -> Int64? {
        let missing = amount * TokenBucket.scale - level
        guard missing > 0 else { return 0 }
        return perMinute > 0 ? (missing + perMinute - 1) / perMinute : nil
    }
}
