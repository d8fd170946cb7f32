public import Accounts
import Monetary

/// Two sides that must be equal, and whether they are.
public struct ReconciliationCheck: Sendable {
    /// What a sum counts.
    public enum Unit: Hashable, Comparable, Sendable {
        /// Things, such as `requests` or `tokens`.
        case count(String)
        /// An amount in 10⁻¹² of the currency's unit, by its code.
        case money(String)

        fileprivate func text(of value: Int128) -> String {
            switch self {
            case .count(let name): "\(value) \(name)"
            case .money(let code):
                (try? Currency(code: code)).map { "\(Money(picounits: value, currency: $0)) \(code)" }
                    ?? "\(value) × 10⁻¹² \(code)"
            }
        }
    }

    /// What is compared, such as `rollups = ledger accruals`.
    public let name: String
    /// Of which accounts; nil where it is about none, or about all together.
    public internal(set) var mode: AccountMode?
    /// Its name, and of which accounts it is where they are not those that pay.
    public var title: String { mode == .test ? "\(name) (test accounts)" : name }
    /// The sums of the left side.
    public private(set) var left: [Unit: Int128] = [:]
    /// The sums of the right side.
    public private(set) var right: [Unit: Int128] = [:]
    /// What differs, one sentence each; at most `differencesMax`.
    public private(set) var differences: [String] = []
    /// How many differences there are, listed or not.
    public private(set) var differenceCount = 0
    /// What is worth knowing and no difference.
    public private(set) var notes: [String] = []

    /// The most differences that one check lists.
    public static let differencesMax = 20

    /// False where what had to be compared was not at hand: that is no proof of anything.
    public private(set) var isCompared = true

    public init(_ name: String) {
        self.name = name
    }

    /// True where both sides are equal in all parts.
    public var isEqual: Bool { differenceCount == 0 && left.filter { $0.value != 0 } == right.filter { $0.value != 0 } }

    /// The sums of the left side, for people.
    public var leftText: String { text(of: left) }

    /// The sums of the right side, for people.
    public var rightText: String { text(of: right) }

    /// What the left side has more than the right, for people; empty where the sums are equal.
    public var differenceText: String {
        var sums = left
        for (unit, value) in right { sums[unit, default: 0] -= value }
        return text(of: sums.filter { $0.value != 0 })
    }

    private func text(of sums: [Unit: Int128]) -> String {
        sums.sorted { $0.key < $1.key }.map { $0.key.text(of: $0.value) }.joined(separator: ", ")
    }

    mutating func add(_ unit: Unit, left: Int128 = 0, right: Int128 = 0) {
        self.left[unit, default: 0] += left
        self.right[unit, default: 0] += right
    }

    mutating func add(left: Money, right: Money) {
        add(.money(left.currency.code), left: left.picounits, right: right.picounits)
    }

    mutating func report(_ difference: String) {
        differenceCount += 1
        if differences.count < Self.differencesMax { differences.append(difference) }
    }

    mutating func skip() { isCompared = false }

    mutating func note(_ text: String) {
        if notes.count < Self.differencesMax { notes.append(text) }
    }
}

/// The proof that usage = rated = ledger = invoices, or where it fails.
public struct ReconciliationReport: Sendable {
    /// In the order of a token's way.
    public var checks: [ReconciliationCheck] = []

    /// True where every check that could be made is equal: then the command exits 0, else 1.
    public var isEqual: Bool { checks.allSatisfy(\.isEqual) }

    /// What could not be compared.
    public var skipped: [String] { checks.filter { !$0.isCompared }.map(\.title) }
}
