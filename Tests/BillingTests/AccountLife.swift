import Foundation

/// What a customer's invoices must say, kept in plain integers beside the program and by none of its code: quantities
/// and prices in, cents out. Prices are cents a million tokens.
struct AccountLife {
    struct Usage {
        let month: String
        /// Names the line: `life@2/sim/priority/input_tokens`.
        let charge: String
        let quantity: Int
        let priceCents: Int
    }

    struct Counted {
        var requests = 0
        var failures = 0
    }

    /// A final invoice that is not void, with what it and those before it hold.
    struct Final {
        let month: String
        /// How much of `billed` was there.
        let included: Int
        let creditGranted: Int
    }

    /// Everything that is to be billed, in the order in which it came to be so.
    private(set) var billed: [Usage] = []
    /// Requests of the priority tier by month.
    private(set) var priority: [String: Counted] = [:]
    /// The days of each month that the fee is owed for; all of them where the subscription goes on.
    var lastServiceDay: (month: String, day: Int)?
    private(set) var finals: [Final] = []

    static let feeCents = 3100
    static let creditPercent = 10
    static let minimumRequests = 3

    mutating func use(_ usage: [Usage], isPriority: Bool, failed: Bool = false) {
        billed += usage
        guard isPriority, let month = usage.first?.month else { return }
        priority[month, default: Counted()].requests += 1
        if failed { priority[month, default: Counted()].failures += 1 }
    }

    mutating func finalized(_ month: String) {
        finals.append(Final(month: month, included: billed.count, creditGranted: credit(of: month)))
    }

    mutating func voided(_ month: String) { finals.removeAll { $0.month == month } }

    /// For each final invoice: the credits on it, and what waits for the next. Oldest first, as far as its charges go.
    func credits(charges: [String: Int]) -> [String: (applied: Int, left: Int)] {
        var owed: [String: Int] = [:]
        var found: [String: (applied: Int, left: Int)] = [:]
        for final in finals {
            var available = charges[final.month] ?? 0
            let before = available
            for month in owed.keys.sorted() where month < final.month {
                let part = min(available, owed[month] ?? 0)
                owed[month, default: 0] -= part
                available -= part
            }
            let left = owed.filter { $0.key < final.month }.values.reduce(0, +)
            found[final.month] = (before - available, left)
            owed[final.month] = final.creditGranted
        }
        return found
    }

    /// Half to even.
    static func cents(_ numerator: Int, over denominator: Int) -> Int {
        let (whole, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
        if rest * 2 == denominator { return whole + whole % 2 }
        return rest * 2 > denominator ? whole + 1 : whole
    }

    static func days(in month: String) -> Int {
        let parts = month.split(separator: "-").compactMap { Int($0) }
        let isLeap = parts[0] % 4 == 0 && parts[0] % 100 != 0 || parts[0] % 400 == 0
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][parts[1] - 1]
    }

    /// By charge, in cents: what all invoices of now hold together of a month.
    func charges(of month: String) -> [String: Int] {
        guard let included = finals.filter({ $0.month >= month }).last?.included,
            finals.contains(where: { $0.month == month })
        else { return [:] }
        var sums: [String: (quantity: Int, price: Int)] = [:]
        for usage in billed[..<included] where usage.month == month {
            sums[usage.charge, default: (0, usage.priceCents)].quantity += usage.quantity
        }
        return sums.mapValues { Self.cents($0.quantity * $0.price, over: 1_000_000) }.filter { $0.value != 0 }
    }

    func fee(of month: String) -> Int {
        let days = Self.days(in: month)
        guard let last = lastServiceDay, last.month <= month else { return Self.feeCents }
        return last.month == month ? Self.cents(Self.feeCents * last.day, over: days) : 0
    }

    /// What a broken promise of a month gives back, by what there is of the month now.
    private func credit(of month: String) -> Int {
        guard let counted = priority[month], counted.requests >= Self.minimumRequests else { return 0 }
        guard (counted.requests - counted.failures) * 100 < 99 * counted.requests else { return 0 }
        let base = billed.filter { $0.month == month && $0.charge.contains("/priority/") }
            .reduce(0) { $0 + $1.quantity * $1.priceCents }
        return Self.cents(base * Self.creditPercent, over: 100 * 1_000_000)
    }
}
