import Accounts
import Billing
import Identity
import Storage

/// Gateways' journals and how far they are ingested.
enum JournalEndpoints {
    private static let shape = Shape<RegisteredJournal>(
        "Journal", "A gateway's journal and how far it is ingested.",
        [
            .init("id", .id(JournalID.self)) { .string("\($0.id)") },
            .init("gateway", .text("The gateway's name.")) { .string($0.gateway) },
            .init("epoch", .integer("Counts the gateway's starts.")) { .integer(Int128($0.epoch)) },
            .init("position", .text("Segment and byte up to which it is ingested.")) { .string("\($0.mark)") },
            .init("ingested_through", .instant("Real time of the last heartbeat inside.").nullable) {
                .optional($0.ingestedThrough)
            },
            .init("oldest_open_at", .instant("Acceptance of the oldest request still open.").nullable) {
                .optional($0.oldestOpenAt)
            },
            .init("registered_at", .instant()) { .string("\($0.registeredAt)") },
            .init("retired_at", .instant().nullable) { .optional($0.retiredAt) },
            .init("retired_reason", .text(lengths: 0...1000).nullable) { .optional($0.retiredReason) },
        ])

    private static let quarantine = Shape<StoredQuarantine>(
        "Quarantine", "Bytes of a journal that could not be read. They hold invoices until they are released.",
        [
            .init("journal", .id(JournalID.self)) { .string("\($0.journalID)") },
            .init("position", .text("Segment and byte.")) { .string("\($0.mark)") },
            .init("length", .integer("In bytes.")) { .integer(Int128($0.length)) },
            .init("reason", .text(lengths: 0...10_000)) { .string($0.reason) },
            .init("found_at", .instant()) { .string("\($0.foundAt)") },
            .init(
                "account",
                .id(AccountID.self, "Whose usage it holds; null: whoever has records of the journal.").nullable
            ) { .optional($0.accountID) },
            .init("released_at", .instant().nullable) { .optional($0.releasedAt) },
            .init("released_by", .text(lengths: 0...1000).nullable) { .optional($0.releasedBy) },
            .init("release_reason", .text(lengths: 0...1000).nullable) { .optional($0.releaseReason) },
        ])

    static let all: [Endpoint] = [list, quarantines, release, retire]

    private static let list = Endpoint(
        .get, "/v1/journals", "listJournals", tag: "Journals", "List journals", access: .role(.viewer),
        parameters: [.query("retired", .boolean("false: without retired ones."))],
        successes: [.json(200, "All of them, the first registered one first.", shape.listSchema)],
        work: .look { call, session in
            let journals = try session.journals(includingRetired: call.query["retired"]?.truth != false)
            return .ok(["data": .array(journals.map(shape.json))])
        })

    private static let quarantines = Endpoint(
        .get, "/v1/journal_quarantines", "listJournalQuarantines", tag: "Journals",
        "List places of journals that could not be read", access: .role(.viewer),
        parameters: [.query("journal", .id(JournalID.self))],
        successes: [.json(200, "At most 1000.", quarantine.listSchema)],
        work: .look { call, session in
            let found = try session.journalDamage(of: call.queryID("journal"))
            return .ok(["data": .array(found.map(quarantine.json))])
        })

    private static let release = Endpoint(
        .post, "/v1/journals/{journal}/release", "releaseJournalQuarantines", tag: "Journals",
        "Say that someone looked at what could not be read of a journal",
        description: "Of one place, or of all of them. The invoices that it holds can then be made.",
        access: .role(.admin), parameters: [.path("journal", .id(JournalID.self))],
        body: .json(
            [
                .required("reason", .text("What was found; it stays with the journal.", lengths: 1...1000)),
                .optional("position", .text("Segment and byte, such as `3:4096`; all places when not said.")),
            ], named: "QuarantineReleaseInput"),
        successes: [.json(200, "The journal's places.", quarantine.listSchema)],
        work: .change { call, session in
            let id: JournalID = try call.id("journal")
            let mark = try call.body["position"]?.text.map { text in
                guard let mark = JournalPosition(text) else {
                    throw Problem.invalid("position", "must be a segment and a byte, such as 3:4096")
                }
                return mark
            }
            _ = try session.releaseJournalDamage(of: id, at: mark, reason: try call.body.required("reason"))
            return .ok(["data": .array(try session.journalDamage(of: id).map(quarantine.json))])
        })

    private static let retire = Endpoint(
        .post, "/v1/journals/{journal}/retire", "retireJournal", tag: "Journals",
        "Say that a journal is lost for good",
        description: "Periods then close without what it may still hold, and invoice runs say so.",
        access: .role(.admin), parameters: [.path("journal", .id(JournalID.self))],
        body: .json(
            [.required("reason", .text("Why it is lost.", lengths: 1...1000))], named: "RetirementInput"),
        successes: [.json(200, "The journal.", shape.schema)],
        work: .change { call, session in
            .ok(shape.json(try session.retireJournal(try call.id("journal"), reason: try call.body.required("reason"))))
        })
}
