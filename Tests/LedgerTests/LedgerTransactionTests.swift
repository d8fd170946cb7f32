import Identity
import Ledger
import Monetary
import NaiveArithmetic
import Testing

private let account = AccountID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001))
private let day = CivilDate(daysSince1970: 20_000)
private let noon = Timestamp(milliseconds: 20_000 * 86_400_000 + 43_200_000)

private func usd(_ text: String) throws -> Money { try Money(parsing: text, currency: .usd) }

private func identity(_ kind: TransactionKind = .accrual, revision: Int32 = 1) -> TransactionIdentity {
    TransactionIdentity(accountID: account, kind: kind, subject: .usage(model: "sim"), day: day, revision: revision)
}

private func transaction(_ postings: [Posting]) throws(LedgerError) -> LedgerTransaction {
    try LedgerTransaction(identity(), currency: .usd, bookedAt: noon, description: "test", postings: postings)
}

@Suite struct LedgerTransactionTests {
    @Test func `a transaction that does not sum to zero cannot be built`() throws {
        let off = try usd("0.000000000001")
        let postings = [
            Posting(.receivables, try usd("10")), Posting(.revenue, try usd("-9.999999999999")),
        ]
        #expect(throws: LedgerError.unbalanced(off)) { try transaction(postings) }
    }

    @Test func `postings of one account are joined and zeros dropped`() throws {
        let built = try transaction([
            Posting(.rounding, .zero(.usd)), Posting(.revenue, try usd("-3")), Posting(.receivables, try usd("1")),
            Posting(.receivables, try usd("2")),
        ])
        #expect(built.postings == [Posting(.receivables, try usd("3")), Posting(.revenue, try usd("-3"))])
    }

    @Test func `nothing to book is an error and not an empty transaction`() throws {
        #expect(throws: LedgerError.empty) { try transaction([Posting(.revenue, .zero(.usd))]) }
        #expect(throws: LedgerError.empty) {
            try transaction([Posting(.revenue, try usd("1")), Posting(.revenue, try usd("-1"))])
        }
    }

    @Test func `amounts of another currency are refused`() throws {
        #expect(throws: LedgerError.money(.currencyMismatch(.usd, .eur))) {
            try transaction([Posting(.revenue, try Money(parsing: "1", currency: .eur))])
        }
    }

    @Test func `a sum that does not fit is an error`() {
        let huge = Money(picounits: .max, currency: .usd)
        #expect(throws: LedgerError.money(.overflow)) {
            try transaction([Posting(.receivables, huge), Posting(.cash, huge)])
        }
    }

    @Test func `the id is a function of the identity`() {
        #expect(identity().transactionID == identity().transactionID)
        let others = [
            identity(.invoice), identity(revision: 2),
            TransactionIdentity(accountID: account, kind: .accrual, subject: .usage(model: "other"), day: day),
        ]
        #expect(Set(others.map(\.transactionID) + [identity().transactionID]).count == 4)
    }

    @Test func `revisions are counted from one`() throws {
        let postings = [Posting(.cash, try usd("1")), Posting(.receivables, try usd("-1"))]
        #expect(throws: LedgerError.revisionBelowOne(0)) {
            try LedgerTransaction(
                identity(revision: 0), currency: .usd, bookedAt: noon, description: "", postings: postings)
        }
    }

    @Test(arguments: Seeds.all)
    func `random balanced postings build and reverse to nothing`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var postings: [Posting] = []
        var rest: Int128 = 0
        for _ in 0..<Int.random(in: 1...20, using: &generator) {
            let amount = generator.integer(bitsMax: 100)
            rest -= amount
            let ledgerAccount = LedgerAccount.allCases.randomElement(using: &generator) ?? .cash
            postings.append(Posting(ledgerAccount, Money(picounits: amount, currency: .usd)))
        }
        postings.append(Posting(.rounding, Money(picounits: rest, currency: .usd)))
        guard let built = try? transaction(postings) else {
            #expect(throws: LedgerError.empty, "seed \(seed)") { try transaction(postings) }
            return
        }
        let naive = built.postings.reduce(NaiveInteger(0)) { $0 + NaiveInteger($1.amount.picounits) }
        #expect(naive.isZero, "seed \(seed)")
        #expect(try transaction(postings.shuffled(using: &generator)) == built, "seed \(seed)")
    }
}

@Suite struct AccrualTests {
    private let open = BookingDays(closedThrough: nil, today: CivilDate(daysSince1970: 20_001))

    private func accrual(rated: String, booked: String, revisions: Int32) throws -> Accrual {
        Accrual(
            accountID: account, model: "sim", day: day, rated: try usd(rated), booked: try usd(booked),
            revisions: revisions)
    }

    @Test func `a day's first accrual books all of it`() throws {
        let posted = try #require(
            try accrual(rated: "1.25", booked: "0", revisions: 0).transaction(bookedAt: noon, on: open))
        #expect(posted.identity.revision == 1)
        #expect(posted.postings.map(\.ledgerAccount) == [.unbilledReceivables, .revenue])
        #expect(posted.postings.map(\.amount) == [try usd("1.25"), try usd("-1.25")])
    }

    @Test func `a later one books the difference, also downwards`() throws {
        let posted = try #require(
            try accrual(rated: "1", booked: "1.25", revisions: 3).transaction(bookedAt: noon, on: open))
        #expect(posted.identity.revision == 4)
        #expect(posted.postings.map(\.amount) == [try usd("-0.25"), try usd("0.25")])
    }

    @Test func `equal sides book nothing`() throws {
        #expect(try accrual(rated: "1.25", booked: "1.25", revisions: 1).transaction(bookedAt: noon, on: open) == nil)
    }

    @Test func `usage of a closed day is booked today and says which day it belongs to`() throws {
        let closed = BookingDays(
            closedThrough: CivilDate(daysSince1970: 20_000), today: CivilDate(daysSince1970: 20_007))
        let posted = try #require(
            try accrual(rated: "1.25", booked: "1", revisions: 1).transaction(bookedAt: noon, on: closed))
        #expect(posted.identity.day == day)
        #expect(posted.bookedOn == CivilDate(daysSince1970: 20_007))
    }
}

@Suite struct BookingDaysTests {
    /// Walks the calendar day by day, which the rule does not.
    private func naive(_ day: Int64, closedThrough: Int64?, today: Int64) -> Int64 {
        var isClosed: Set<Int64> = []
        if let closedThrough {
            for closed in -100...100 where closed <= closedThrough { isClosed.insert(Int64(closed)) }
        }
        if !isClosed.contains(day) { return day }
        var candidate = today
        while isClosed.contains(candidate) { candidate += 1 }
        return candidate
    }

    @Test(arguments: Seeds.all)
    func `nothing is booked on a closed day`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        func random() -> Int64 { Int64.random(in: -90...90, using: &generator) }
        let (day, today) = (random(), random())
        let closed = Bool.random(using: &generator) ? random() : nil
        let days = BookingDays(
            closedThrough: closed.map { CivilDate(daysSince1970: $0) }, today: CivilDate(daysSince1970: today))
        let booked = days.bookedOn(for: CivilDate(daysSince1970: day)).daysSince1970
        #expect(booked == naive(day, closedThrough: closed, today: today), "seed \(seed)")
        #expect(closed.map { booked > $0 } ?? (booked == day), "seed \(seed)")
    }
}
