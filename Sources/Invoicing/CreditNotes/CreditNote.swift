public import Identity
public import Monetary

/// A line of a final invoice, with what earlier credit notes gave back of it.
public struct CreditableLine: Hashable, Sendable {
    public let id: InvoiceLineID
    public let kind: InvoiceLineKind
    /// For people.
    public let description: String
    public let tenantName: String
    /// Local days of the account's zone, both inside, such as `2026-11-01`.
    public let from: String
    public let through: String
    /// As the invoice has it: negative where it gives something.
    public let amount: Money
    public let exactAmount: Money
    /// Given back so far, of `amount` and with its sign.
    public let credited: Money
    public let creditedExact: Money

    public init(
        id: InvoiceLineID, kind: InvoiceLineKind, description: String, tenantName: String, from: String,
        through: String, amount: Money, exactAmount: Money, credited: Money, creditedExact: Money
    ) {
        self.id = id
        self.kind = kind
        self.description = description
        self.tenantName = tenantName
        self.from = from
        self.through = through
        self.amount = amount
        self.exactAmount = exactAmount
        self.credited = credited
        self.creditedExact = creditedExact
    }
}

/// What of an invoice is given back.
public enum CreditNoteScope: Hashable, Sendable {
    /// All that earlier credit notes left. Credits for broken promises that the invoice carried are owed again.
    case full
    /// Of single charges: an amount above zero, or nil for all that is left of the line.
    case lines([InvoiceLineID: Money?])
}

/// A line of a credit note: what it gives back of one line of the invoice.
public struct CreditNoteLine: Hashable, Sendable {
    public let id: CreditNoteLineID
    public let of: CreditableLine
    /// Given back; negative where a credit of the invoice is taken back with it.
    public let amount: Money
    /// The same before the invoice's rounding.
    public let exactAmount: Money
}

/// What a credit note says before it has a number: the negative of an invoice or of lines of it. A function of its
/// arguments alone.
///
/// All notes of an invoice together never give back more than a line was, nor more than was to be paid. The part that
/// uses a line up carries the rest of its exact amount, so that a fully credited invoice leaves nothing in the books.
public struct CreditNoteDraft: Hashable, Sendable {
    public let id: CreditNoteID
    /// In the order of the invoice; none of zero.
    public let lines: [CreditNoteLine]
    /// What the customer is given back: zero or more.
    public let total: Money
    public let exactTotal: Money

    /// Of an invoice over `invoiceTotal`, all of whose lines are in `lines`.
    public init(
        id: CreditNoteID, of invoiceTotal: Money, lines all: [CreditableLine], scope: CreditNoteScope
    ) throws(InvoicingError) {
        if case .lines(let asked) = scope { try Self.requireKnown(asked.keys, all) }
        var made: [CreditNoteLine] = []
        for line in all {
            guard let part = try line.part(of: scope), !part.amount.isZero || !part.exact.isZero else { continue }
            made.append(
                CreditNoteLine(
                    id: Self.lineID(of: id, line.id), of: line, amount: part.amount, exactAmount: part.exact))
        }
        guard !made.isEmpty else { throw .notCreditable("nothing is left of it to give back") }
        self.id = id
        lines = made
        do throws(MonetaryError) {
            total = try Money.sum(made.map(\.amount), currency: invoiceTotal.currency)
            exactTotal = try Money.sum(made.map(\.exactAmount), currency: invoiceTotal.currency)
        } catch {
            throw .money(error)
        }
        let left = try Self.left(of: invoiceTotal, all)
        guard !total.isNegative, try !Self.isLess(left, than: total) else {
            throw .notCreditable(
                "it would give back \(total), and \(left) \(left.currency) of the invoice is left: lines that give "
                    + "something (credits, corrections) lowered what was to be paid, so that its charges cannot all be "
                    + "given back one by one; credit it in full")
        }
    }

    private static func requireKnown(
        _ asked: some Sequence<InvoiceLineID>, _ all: [CreditableLine]
    ) throws(InvoicingError) {
        let known = Set(all.map(\.id))
        if let unknown = asked.filter({ !known.contains($0) }).min() {
            throw .notCreditable("the invoice has no line \(unknown)")
        }
    }

    private static func left(of total: Money, _ lines: [CreditableLine]) throws(InvoicingError) -> Money {
        do throws(MonetaryError) {
            return try total.subtracting(Money.sum(lines.map(\.credited), currency: total.currency))
        } catch {
            throw .money(error)
        }
    }

    private static func isLess(_ left: Money, than right: Money) throws(InvoicingError) -> Bool {
        do throws(MonetaryError) {
            return try left.isLess(than: right)
        } catch {
            throw .money(error)
        }
    }

    private static func lineID(of note: CreditNoteID, _ line: InvoiceLineID) -> CreditNoteLineID {
        let text = ["credit-note-line", "\(note)", "\(line)"].joined(separator: "\n")
        return CreditNoteLineID(UUIDv7(derivedFrom: SHA256Digest(of: text)))
    }
}

extension CreditableLine {
    /// What a note of the scope gives back of this line; nil where it leaves the line alone.
    fileprivate func part(of scope: CreditNoteScope) throws(InvoicingError) -> (amount: Money, exact: Money)? {
        let left: Money
        let leftExact: Money
        do throws(MonetaryError) {
            left = try amount.subtracting(credited)
            leftExact = try exactAmount.subtracting(creditedExact)
        } catch {
            throw .money(error)
        }
        guard case .lines(let asked) = scope else { return (left, leftExact) }
        guard let wanted = asked[id] else { return nil }
        guard kind != .serviceLevelCredit, !amount.isNegative else {
            throw .notCreditable("line \(id) is no charge: only a full credit note takes it back")
        }
        guard left.picounits > 0 else { throw .notCreditable("nothing is left of line \(id) to give back") }
        guard let wanted else { return (left, leftExact) }
        guard wanted.currency == left.currency else {
            throw .notCreditable("line \(id) is in \(left.currency), not in \(wanted.currency)")
        }
        let unit = wanted.currency.picounitsPerMinorUnit
        guard wanted.picounits > 0, wanted.picounits.isMultiple(of: unit) else {
            throw .notCreditable(
                "\(wanted) is not an amount of whole minor units of \(wanted.currency) above zero (line \(id))")
        }
        guard wanted.picounits <= left.picounits else {
            throw .notCreditable("\(left) \(left.currency) is left of line \(id), less than \(wanted)")
        }
        return wanted == left ? (left, leftExact) : (wanted, wanted)
    }
}
