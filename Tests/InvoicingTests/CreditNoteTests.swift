import Identity
import Invoicing
import Ledger
import Monetary
import NaiveArithmetic
import Testing

/// Credit notes against a second bookkeeping in plain integers.
@Suite struct CreditNoteTests {
    /// A line as the naive bookkeeping has it: minor units, and 10⁻¹² of the unit.
    private struct Naive {
        var amount: Int
        var exact: Int
        var given = 0
        var givenExact = 0
        var isCredit: Bool
    }

    private static let picounitsPerCent = 10_000_000_000

    private func id(_ number: Int) -> InvoiceLineID { InvoiceLineID(UUIDv7(high: 1, low: UInt64(number))) }

    private func lines(_ naive: [Naive]) throws -> [CreditableLine] {
        try naive.enumerated().map { index, line in
            func money(_ cents: Int) throws -> Money { try Money(minorUnits: Int128(cents), currency: .usd) }
            func exactly(_ picounits: Int) -> Money { Money(picounits: Int128(picounits), currency: .usd) }
            return CreditableLine(
                id: id(index), kind: line.isCredit ? .serviceLevelCredit : index % 2 == 0 ? .usage : .baseFee,
                description: "line \(index)", tenantName: "Acme", from: "2026-11-01", through: "2026-11-30",
                amount: try money(line.amount), exactAmount: exactly(line.exact), credited: try money(line.given),
                creditedExact: exactly(line.givenExact))
        }
    }

    private func random(_ random: inout SeededGenerator) -> [Naive] {
        var lines: [Naive] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let amount = Int.random(in: 0...2000, using: &random)
            let rest = Int.random(in: -Self.picounitsPerCent / 2...Self.picounitsPerCent / 2, using: &random)
            lines.append(Naive(amount: amount, exact: max(0, amount * Self.picounitsPerCent + rest), isCredit: false))
        }
        let charges = lines.reduce(0) { $0 + $1.amount }
        if Bool.random(using: &random), charges > 0 {
            let credit = Int.random(in: 0...charges, using: &random)
            lines.append(Naive(amount: -credit, exact: -credit * Self.picounitsPerCent - 17, isCredit: true))
        }
        return lines
    }

    @Test(arguments: Seeds.all)
    func `notes of any order and size give back what a naive bookkeeping says, and never more`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var naive = self.random(&random)
        let total = naive.reduce(0) { $0 + $1.amount }
        for number in 0..<8 {
            let isFull = Int.random(in: 0..<5, using: &random) == 0
            var asked: [InvoiceLineID: Money?] = [:]
            var parts: [Int: Int] = [:]
            for index in naive.indices where isFull || Bool.random(using: &random) {
                let left = naive[index].amount - naive[index].given
                let part = isFull || Bool.random(using: &random) ? left : Int.random(in: -1...2100, using: &random)
                parts[index] = part
                asked[id(index)] = .some(
                    part == left && Bool.random(using: &random)
                        ? nil : try Money(minorUnits: Int128(part), currency: .usd))
            }
            let given = naive.reduce(0) { $0 + $1.given }
            let sum = parts.values.reduce(0, +)
            let isSound =
                isFull
                || parts.allSatisfy { index, part in
                    !naive[index].isCredit && part > 0 && part <= naive[index].amount - naive[index].given
                }
            let before = naive
            for (index, part) in parts {
                naive[index].given += part
                naive[index].givenExact =
                    naive[index].given == naive[index].amount
                    ? naive[index].exact : naive[index].givenExact + part * Self.picounitsPerCent
            }
            let changes = zip(naive, before).contains { $0.given != $1.given || $0.givenExact != $1.givenExact }
            let note = try? CreditNoteDraft(
                id: CreditNoteID(UUIDv7(high: 2, low: UInt64(number))),
                of: try Money(minorUnits: Int128(total), currency: .usd), lines: try lines(before),
                scope: isFull ? .full : .lines(asked))
            guard isSound, changes, given + sum <= total else {
                #expect(note == nil, "seed \(seed): a note of \(parts)")
                naive = before
                continue
            }
            let made = try #require(note, "seed \(seed): no note of \(parts)")
            #expect(made.total == (try Money(minorUnits: Int128(sum), currency: .usd)))
            let exact = zip(naive, before).reduce(0) { $0 + $1.0.givenExact - $1.1.givenExact }
            #expect(made.exactTotal.picounits == Int128(exact))
            try expectBalanced(made)
        }
        #expect(naive.reduce(0) { $0 + $1.given } <= total)
        for line in naive { #expect(abs(line.given) <= abs(line.amount)) }
    }

    private func expectBalanced(_ note: CreditNoteDraft) throws {
        for settlement in CreditNoteSettlement.allCases {
            var sums: [InvoiceLineKind: Money] = [:]
            for line in note.lines {
                sums[line.of.kind] = try (sums[line.of.kind] ?? .zero(.usd)).adding(line.exactAmount)
            }
            let booked = BookedCreditNote(
                accountID: Fixture.accountID, invoiceID: InvoiceID(UUIDv7(high: 3, low: 1)), creditNoteID: note.id,
                number: "CN-2026-000001", amounts: try InvoiceAmounts(exact: sums, total: note.total))
            let event = CreditNoteIssued(booked, settledBy: settlement.ledgerAccount)
            // A transaction that does not sum to zero cannot be made.
            let issued = try event.transaction(
                on: try #require(CivilDate("2026-12-05")), at: Timestamp(milliseconds: 0))
            let account: LedgerAccount = settlement == .openInvoice ? .receivables : .customerBalance
            let given = issued?.postings.first { $0.ledgerAccount == account }?.amount ?? .zero(.usd)
            #expect(given == (try note.total.negated()))
            for (account, isCredit) in [(LedgerAccount.serviceLevelCreditsOwed, true), (.refunds, false)] {
                let exact = note.lines.filter { ($0.of.kind == .serviceLevelCredit) == isCredit }
                let naive = exact.reduce(Int128(0)) { $0 + $1.exactAmount.picounits }
                #expect((issued?.postings.first { $0.ledgerAccount == account }?.amount.picounits ?? 0) == naive)
            }
        }
    }

    @Test func `a note says what is wrong with it`() throws {
        let charge = Naive(amount: 1000, exact: 1000 * Self.picounitsPerCent, isCredit: false)
        let credit = Naive(amount: -400, exact: -400 * Self.picounitsPerCent, isCredit: true)
        func message(_ scope: CreditNoteScope, _ naive: [Naive]) -> String {
            do {
                let total = try Money(minorUnits: Int128(naive.reduce(0) { $0 + $1.amount }), currency: .usd)
                _ = try CreditNoteDraft(
                    id: CreditNoteID(UUIDv7(high: 2, low: 1)), of: total, lines: try lines(naive), scope: scope)
                return "none"
            } catch {
                return "\(error)"
            }
        }
        func asked(_ text: String?, line: Int = 0) throws -> CreditNoteScope {
            .lines([id(line): try text.map { try Money(parsing: $0, currency: .usd) }])
        }
        #expect(message(try asked("0.00"), [charge]).contains("is not an amount of whole minor units"))
        #expect(message(try asked("-1.00"), [charge]).contains("is not an amount of whole minor units"))
        #expect(message(try asked("1.005"), [charge]).contains("is not an amount of whole minor units"))
        #expect(message(try asked("10.01"), [charge]).hasPrefix("10.00 USD is left of line"))
        #expect(message(try asked(nil, line: 7), [charge]).contains("the invoice has no line"))
        #expect(message(try asked(nil, line: 1), [charge, credit]).contains("is no charge"))
        #expect(
            message(try asked(nil), [charge, credit]).contains(
                "lowered what was to be paid, so that its charges cannot all be given back one by one"))
        let euros: CreditNoteScope = .lines([id(0): try Money(parsing: "1.00", currency: .eur)])
        #expect(message(euros, [charge]).contains("is in USD, not in EUR"))
        var used = charge
        (used.given, used.givenExact) = (1000, charge.exact)
        #expect(message(.full, [used]) == "nothing is left of it to give back")
        #expect(message(try asked(nil), [used]).contains("nothing is left of line"))
    }
}
