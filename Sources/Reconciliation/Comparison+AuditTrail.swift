import Accounts
import Billing
import Foundation
import Identity
import Invoicing
import Storage

/// Invoices and credit notes against the audit trail, and the trail against itself: what was changed, taken out whole,
/// or put beside what the program issued.
extension Comparison {
    /// The chains of the accounts compared, and the seller's where all are.
    mutating func compareAuditChains(in tx: DatabaseTransaction) throws {
        var check = ReconciliationCheck("audit trail = its chains of digests")
        let isOfAll = options.accounts == nil && options.mode == nil
        let report = try AuditReport(
            of: isOfAll ? nil : Set(accounts.map { AuditChain.account($0.id) }), in: tx)
        let expected = report.chains.reduce(0 as Int128) { $0 + Int128($1.head.number) }
        check.add(.count("entries"), left: Int128(report.entryCount), right: expected)
        for fault in report.faults { check.report("\(fault)") }
        if isOfAll { try compareDeletions(report, &check, in: tx) }
        checks.append(check)
    }

    /// Accounts stay, but for those of a deleted sandbox, whose trail says so.
    private func compareDeletions(
        _ report: AuditReport, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let there = Set(try AccountStorage.ids(in: tx))
        for chain in report.chains where chain.head.number > 0 {
            guard case .account(let id) = chain.chain, !there.contains(id) else { continue }
            let entry = try AuditStorage.firstEntry(of: id, actions: ChangeKind.accountDeleted.rawValue, in: tx)
            if entry == nil {
                check.report("account \(id) is gone, and nobody deleted it: its trail has \(chain.head.number) entries")
            } else if !deleted.contains(id) {
                check.report("account \(id) was deleted, and its tombstone is gone")
            }
        }
        for id in deleted.sorted() {
            guard try AuditStorage.firstEntry(of: id, actions: ChangeKind.accountDeleted.rawValue, in: tx) == nil else {
                continue
            }
            check.report("account \(id) has a tombstone, and its trail says nothing of a deletion")
        }
    }

    /// Of each document its row and its digest, and of each entry its document.
    func documentsInTrail(in tx: DatabaseTransaction) throws -> ReconciliationCheck {
        var check = ReconciliationCheck("invoices and credit notes = audit trail")
        var withoutEntry = 0
        var withoutDigest = 0
        for account in accounts {
            try Self.guarding(label(account), &check, in: tx) { check in
                var trail = try DocumentTrail(of: account, period: period(of: account), in: tx)
                try trail.hold(&check)
                try trail.requireEntries(of: account, &check, in: tx)
                withoutEntry += trail.unknown.count
                withoutDigest += trail.withoutDigest
            }
        }
        if withoutEntry > 0 {
            check.note("\(withoutEntry) documents are older than the audit trail: it says nothing of them")
        }
        if withoutDigest > 0 {
            check.note(
                "\(withoutDigest) documents are older than the digests in the audit trail: of their text it says "
                    + "nothing")
        }
        if options.month != nil {
            check.note(
                "numbers and the audit trail's chains are not compared with --period: run without it, or `tollgate "
                    + "audit verify` for the chains")
        }
        return check
    }
}

/// An account's documents, and what the audit trail says of them.
private struct DocumentTrail {
    private struct Document {
        let name: String
        let kind: String
        let facts: Facts
        let json: String
    }

    /// What an entry says of a document.
    private struct Told: Decodable {
        let number: String?
        let document_sha256: String?
    }

    private var documents: [String: Document] = [:]
    private var entries: [String: [AuditEntry]] = [:]
    /// Documents that no entry names.
    private(set) var unknown: [String] = []
    private(set) var withoutDigest = 0

    /// What changes without an entry of its own: a credit note's is the note's.
    private static let untold: Set<String> = ["credited"]

    init(of account: Account, period: BillingPeriod?, in tx: DatabaseTransaction) throws {
        let invoices = try InvoiceStorage.all(of: account.id, periodStart: period?.start, in: tx)
        for invoice in invoices where invoice.state != .draft {
            documents["\(invoice.id)"] = Document(
                name: invoice.number ?? "\(invoice.id)", kind: "invoice.", facts: invoice.facts,
                json: invoice.documentJSON)
        }
        let told = try AuditStorage.invoiceEntries(of: account.id, periodStart: period?.start, in: tx)
        let ids = period.map { _ in Set(invoices.map(\.id) + told.compactMap { InvoiceID($0.subject) }) }
        for note in try CreditNoteStorage.all(of: account.id, correcting: ids, in: tx) {
            documents["\(note.id)"] = Document(
                name: note.number, kind: "credit_note.", facts: note.facts, json: note.documentJSON)
        }
        let toldNotes = try AuditStorage.creditNoteEntries(of: account.id, correcting: ids, in: tx)
        entries = Dictionary(grouping: told + toldNotes, by: \.subject)
    }

    /// Each document against its newest entry, and its digest against every one.
    mutating func hold(_ check: inout ReconciliationCheck) throws {
        for (id, document) in documents.sorted(by: { $0.key < $1.key }) {
            check.add(.count("documents"), left: 1, right: 1)
            guard let told = entries.removeValue(forKey: id) else {
                unknown.append(id)
                continue
            }
            try hold(document, told, &check)
        }
        for (id, told) in entries.sorted(by: { $0.key < $1.key }) {
            check.add(.count("documents"), right: 1)
            let number = try told.compactMap { try Self.told($0)?.number }.last ?? id
            check.report("\(number) is in the audit trail and gone: it was taken out of the database")
        }
    }

    private mutating func hold(
        _ document: Document, _ told: [AuditEntry], _ check: inout ReconciliationCheck
    ) throws {
        let digest = SHA256Digest(of: document.json).hexadecimal
        let digests = Set(try told.compactMap { try Self.told($0)?.document_sha256 })
        if digests.isEmpty { withoutDigest += 1 }
        if digests.contains(where: { $0 != digest }) {
            check.report("\(document.name): its document is not the one that was issued")
        }
        guard let newest = told.last?.after else { return }
        let changed = try document.facts.differences(from: newest, except: Self.untold.union(["document_sha256"]))
        if !changed.isEmpty {
            check.report("\(document.name): \(changed.joined(separator: ", ")) is not what the audit trail says")
        }
    }

    /// Since the trail began no document is without an entry.
    mutating func requireEntries(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        guard !unknown.isEmpty else { return }
        let isWhole = try AuditStorage.firstEntry(of: account.id, in: tx)?.action == ChangeKind.accountCreated.rawValue
        unknown = try unknown.filter { id in
            guard let document = documents[id] else { return false }
            let first = try AuditStorage.firstEntry(of: account.id, actions: document.kind, in: tx).flatMap(Self.told)
            guard isWhole || first?.number.map({ Self.isBefore($0, document.name) }) ?? false else { return true }
            check.report("\(document.name): the audit trail does not know it: nobody issued it")
            return false
        }
    }

    /// Whether one number was given out before another: by value within a series, else by the years in them.
    private static func isBefore(_ one: String, _ other: String) -> Bool {
        guard let one = InvoiceNumber(one), let other = InvoiceNumber(other) else { return one < other }
        return (one.series, one.value) < (other.series, other.value)
    }

    private static func told(_ entry: AuditEntry) throws -> Told? {
        try entry.after.map { try JSONDecoder().decode(Told.self, from: Data($0.utf8)) }
    }
}
