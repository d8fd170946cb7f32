/// Shares that add up: what is divided is neither more nor less than its parts.
extension Money {
    /// Rounds amounts that belong together, so that they sum to their rounded sum: each is cut to whole minor units,
    /// and the units that the sum has more go to the largest rests, the earlier amount first where rests are equal.
    public static func roundedTogether(
        _ amounts: [Money], currency: Currency, _ rounding: Rounding = .halfEven
    ) throws(MonetaryError) -> [Money] {
        let minor = currency.picounitsPerMinorUnit
        let total = try Money.sum(amounts, currency: currency).minorUnits(rounding)
        var units: [Int128] = []
        var rests: [(index: Int, rest: Int128)] = []
        var left = total
        for (index, amount) in amounts.enumerated() {
            let cut = try Rounding.floor.divide(amount.picounits, by: minor)
            units.append(cut)
            rests.append((index, amount.picounits - cut * minor))
            left -= cut
        }
        assert((0...Int128(amounts.count)).contains(left), "the rests sum to less than one unit each")
        // Sorted with the index: equal rests keep their order.
        rests.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
        for place in 0..<Int(left) { units[rests[place].index] += 1 }
        return try units.map { units throws(MonetaryError) in try Money(minorUnits: units, currency: currency) }
    }

    /// Divides the amount among `count` equal parts, which sum to it: each is the quotient cut to 10⁻¹² or one more.
    /// The ones that have one more lie evenly among the others, so that consecutive parts from the first on sum to
    /// their share of the amount, rounded half to even.
    public func divided(amongEqual count: Int) throws(MonetaryError) -> [Money] {
        guard count > 0 else { throw .divisionByZero }
        var parts: [Money] = []
        parts.reserveCapacity(count)
        var before: Int128 = 0
        for part in 1...count {
            let through = try Rounding.halfEven.multiply(picounits, by: Int128(part), dividedBy: Int128(count))
            parts.append(Money(picounits: through - before, currency: currency))
            before = through
        }
        return parts
    }
}
