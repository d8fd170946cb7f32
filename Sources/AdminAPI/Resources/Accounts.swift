import Accounts
import Billing
import Identity
import Monetary
import Storage

/// Billing accounts.
enum AccountEndpoints {
    /// An account as it is now.
    struct View: Sendable {
        let account: Account
        let now: Timestamp
    }

    static let shape = Shape<View>(
        "Account", "A billing account: who gets the invoice.",
        [
            .init("id", .id(AccountID.self)) { .string("\($0.account.id)") },
            .init("name", .text("What operators call it.")) { .string($0.account.name) },
            .init("currency", .text("ISO 4217; of every amount of this account.", lengths: 3...3)) {
                .string($0.account.currency.code)
            },
            .init("time_zone", .text("IANA name; billing periods and days are local to it.")) {
                .string($0.account.calendar.zoneName)
            },
            .init("billing", billingSchema(.required)) { view in
                let billing = view.account.billing
                return [
                    "legal_name": .string(billing.legalName), "address": .array(billing.address.map { .string($0) }),
                    "tax_id": .string(billing.taxID), "email": .string(billing.email),
                ]
            },
            .init("mode", .choice(AccountMode.self, "Whether its invoices are meant.")) {
                .string($0.account.mode.rawValue)
            },
            .init("sandbox", .id(SandboxID.self, "Whose clock it has; null for a live account.").nullable) {
                .optional($0.account.sandboxID)
            },
            .init("billing_time", .instant("The account's billing time: real time, or its test clock.")) {
                .string("\($0.account.billingTime(at: $0.now))")
            },
            .init("clock_offset_ms", .integer("How far the test clock is ahead of real time.")) {
                .integer(Int128($0.account.clockOffsetMilliseconds))
            },
            .init(
                "hold_reason",
                .text("Why invoice runs pass this account over; null when they do not.", lengths: 0...100_000).nullable
            ) { .optional($0.account.holdReason) },
            .init("created_at", .instant()) { .string("\($0.account.createdAt)") },
        ])

    private enum Presence { case required, optional }

    private static func billingSchema(_ presence: Presence) -> Schema {
        let isRequired = presence == .required
        return .object(
            [
                .init(
                    name: "legal_name", schema: .text("On invoices; empty: the name.", lengths: 0...255),
                    isRequired: isRequired),
                .init(
                    name: "address",
                    schema: .list(
                        .text(lengths: 0...255), "Line by line, as on an envelope.",
                        countMax: BillingDetails.addressLinesMax), isRequired: isRequired),
                .init(name: "tax_id", schema: .text("Such as a VAT number.", lengths: 0...64), isRequired: isRequired),
                .init(name: "email", schema: .text("Where invoices go.", lengths: 0...254), isRequired: isRequired),
            ], named: isRequired ? "BillingDetails" : "BillingDetailsInput")
    }

    private static let one = Parameter.path("account", .id(AccountID.self))

    static let all: [Endpoint] = [list, create, get, update, advanceClock, unpark]

    private static let list = Endpoint(
        .get, "/v1/accounts", "listAccounts", tag: "Accounts", "List billing accounts", access: .role(.viewer),
        parameters: [.query("mode", .choice(AccountMode.self, "Only of this mode; both when not said."))]
            + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            let page = try session.accounts(mode: call.queryChoice("mode"), try call.page(AccountID.self))
            return .page(
                page.items.map { shape.json(View(account: $0, now: call.now)) }, hasMore: page.hasMore,
                next: page.items.last.map { "\($0.id)" })
        })

    private static let create = Endpoint(
        .post, "/v1/accounts", "createAccount", tag: "Accounts", "Open a billing account", access: .role(.admin),
        body: .json(
            [
                .required("name", .text("What operators call it.")),
                .optional("currency", .text("ISO 4217; USD when not said. It never changes.", lengths: 3...3)),
                .optional("time_zone", .text("IANA name; UTC when not said. It never changes.")),
                .optional("billing", billingSchema(.optional)),
                .optional(
                    "mode",
                    .choice(AccountMode.self, "live when not said (test under `tollgate dev`). It never changes.")),
                .optional(
                    "sandbox",
                    .id(
                        SandboxID.self,
                        "Whose clock a test account has; one of its own when not said. It never changes.")),
            ], named: "AccountInput"),
        successes: [.json(201, "The account.", shape.schema)], problems: [404],
        work: .change { call, session in
            let account = try session.openAccount(
                name: try call.body.required("name"), currency: try currency(call.body["currency"]?.text ?? "USD"),
                calendar: try BillingCalendar(zoneName: call.body["time_zone"]?.text ?? "UTC"),
                billing: billing(call.body["billing"], over: BillingDetails()),
                mode: call.body["mode"]?.text.flatMap { AccountMode(rawValue: $0) },
                joining: call.body["sandbox"] == nil ? nil : try call.body.requiredID("sandbox"))
            return .created(shape.json(View(account: account, now: call.now)))
        })

    private static let get = Endpoint(
        .get, "/v1/accounts/{account}", "getAccount", tag: "Accounts", "Show an account", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The account.", shape.schema)],
        work: .look { call, session in view(try session.account(try call.id("account")), call) })

    private static let update = Endpoint(
        .patch, "/v1/accounts/{account}", "updateAccount", tag: "Accounts", "Change an account",
        description: "Members left out stay as they are. Currency and time zone never change.",
        access: .role(.admin), parameters: [one],
        body: .json(
            [
                .optional("name", .text("What operators call it.")),
                .optional("billing", billingSchema(.optional)),
            ], named: "AccountUpdate"),
        successes: [.json(200, "The account.", shape.schema)],
        work: .change { call, session in
            let account = try session.updateAccount(try call.id("account"), name: call.body["name"]?.text) {
                billing(call.body["billing"], over: $0)
            }
            return view(account, call)
        })

    private static let advanceClock = Endpoint(
        .post, "/v1/accounts/{account}/clock", "advanceAccountClock", tag: "Accounts",
        "Move a test account's clock on",
        description: "Billing time of this account alone jumps to the instant. It never goes back. A live account has "
            + "no such clock, and one that shares its sandbox with others moves with that.",
        access: .role(.admin), parameters: [one],
        body: .json([.required("to", .instant("Billing time."))], named: "ClockInput"),
        successes: [.json(200, "The account.", shape.schema)],
        work: .change { call, session in
            guard let instant = call.body.instant("to") else { throw Problem.invalid("to", "is missing") }
            return view(try session.advanceClock(of: try call.id("account"), to: instant), call)
        })

    private static let unpark = Endpoint(
        .post, "/v1/accounts/{account}/unpark", "unparkAccount", tag: "Accounts",
        "Take an account back into invoice runs", description: "Once its books are in order.",
        access: .role(.billing), parameters: [one], successes: [.json(200, "The account.", shape.schema)],
        work: .change { call, session in view(try session.resumeAccount(try call.id("account")), call) })

    private static func view(_ account: Account, _ call: Call) -> Answer {
        .ok(shape.json(View(account: account, now: call.now)))
    }

    private static func currency(_ code: String) throws(Problem) -> Currency {
        do {
            return try Currency(code: code)
        } catch {
            throw .invalid("currency", "\"\(code)\" is no currency of ISO 4217 that Tollgate knows, such as USD or EUR")
        }
    }

    private static func billing(_ json: JSONValue?, over old: BillingDetails) -> BillingDetails {
        BillingDetails(
            legalName: json?["legal_name"]?.text ?? old.legalName,
            address: json?["address"]?.elements?.compactMap(\.text) ?? old.address,
            taxID: json?["tax_id"]?.text ?? old.taxID, email: json?["email"]?.text ?? old.email)
    }
}
