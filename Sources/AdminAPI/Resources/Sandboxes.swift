import Accounts
import Billing
import Identity
import Storage

extension Parameter {
    /// For lists across accounts.
    static let mode = Parameter.query(
        "mode",
        .choice(
            AccountMode.self,
            "Only of accounts of this mode. When not said: of live accounts, or of the one that is named."
        ))
}

extension Call {
    /// Which accounts a list is about; `isNamed` where the call says which one.
    func mode(isNamed: Bool) -> AccountMode? { .asked(queryChoice("mode"), isNamed: isNamed) }
}

/// Test accounts that share a clock.
enum SandboxEndpoints {
    /// A sandbox as it is now.
    struct View: Sendable {
        let sandbox: Sandbox
        let accounts: [AccountID]
        let now: Timestamp
    }

    static let shape = Shape<View>(
        "Sandbox", "Test accounts that share a clock.",
        [
            .init("id", .id(SandboxID.self)) { .string("\($0.sandbox.id)") },
            .init("name", .text()) { .string($0.sandbox.name) },
            .init("accounts", .list(.id(AccountID.self), countMax: Sandbox.accountsMax)) {
                .array($0.accounts.map { .string("\($0)") })
            },
            .init("billing_time", .instant("Of all its accounts.")) {
                .string("\($0.sandbox.billingTime(at: $0.now))")
            },
            .init("clock_offset_ms", .integer("How far its clock is ahead of real time.")) {
                .integer(Int128($0.sandbox.clock.offsetMilliseconds))
            },
            .init("created_at", .instant()) { .string("\($0.sandbox.createdAt)") },
            .init(
                "deleted_at",
                .instant("When it was deleted, with all of its accounts; null while it is there.").nullable
            ) {
                $0.sandbox.deletedAt.map { .string("\($0)") } ?? .null
            },
        ])

    private static let move = Shape<SandboxMove>(
        "SandboxMove", "One move of a sandbox's clock.",
        [
            .init("number", .integer("Counts from 1.", in: 1...Int64.max)) { .integer(Int128($0.number)) },
            .init("moved_at", .instant("Real time.")) { .string("\($0.movedAt)") },
            .init("from", .instant("Billing time before.")) { .string("\($0.from)") },
            .init("to", .instant("Billing time after.")) { .string("\($0.to)") },
            .init("moved_by", .text("Who.", lengths: 0...1000)) { .string($0.movedBy) },
        ])

    private static let one = Parameter.path("sandbox", .id(SandboxID.self))

    static let all: [Endpoint] = [list, create, get, delete, advanceClock, moves]

    private static let list = Endpoint(
        .get, "/v1/sandboxes", "listSandboxes", tag: "Sandboxes", "List sandboxes",
        description: "A test account that joined none is one of its own.", access: .role(.viewer),
        parameters: Parameter.page, successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            let page = try session.sandboxes(try call.page(SandboxID.self))
            return .page(
                try page.items.map { shape.json(try view($0, call, session)) }, hasMore: page.hasMore,
                next: page.items.last.map { "\($0.id)" })
        })

    private static let create = Endpoint(
        .post, "/v1/sandboxes", "createSandbox", tag: "Sandboxes", "Make a sandbox",
        description: "Test accounts join it when they are opened.", access: .role(.admin),
        body: .json([.required("name", .text())], named: "SandboxInput"),
        successes: [.json(201, "The sandbox.", shape.schema)],
        work: .change { call, session in
            let sandbox = try session.createSandbox(name: try call.body.required("name"))
            return .created(shape.json(try view(sandbox, call, session)))
        })

    private static let get = Endpoint(
        .get, "/v1/sandboxes/{sandbox}", "getSandbox", tag: "Sandboxes", "Show a sandbox", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The sandbox.", shape.schema)],
        work: .look { call, session in
            .ok(shape.json(try view(session.sandbox(try call.id("sandbox")), call, session)))
        })

    private static let delete = Endpoint(
        .post, "/v1/sandboxes/{sandbox}/delete", "deleteSandbox", tag: "Sandboxes", "Delete a sandbox",
        description: "With all of its accounts and what they had: keys, usage, books, documents. Their keys are "
            + "refused from now on; their rows are removed by the jobs, soon after. The audit trail stays. Refused "
            + "(409) where an account has documents of the legal series.",
        access: .role(.admin), parameters: [one],
        successes: [.json(200, "What is left of it.", shape.schema)], problems: [409],
        work: .change { call, session in
            .ok(shape.json(try view(session.deleteSandbox(try call.id("sandbox")), call, session)))
        })

    private static let advanceClock = Endpoint(
        .post, "/v1/sandboxes/{sandbox}/clock", "advanceSandboxClock", tag: "Sandboxes", "Move a sandbox's clock on",
        description: "Billing time of all its accounts jumps to the instant, together. It never goes back.",
        access: .role(.admin), parameters: [one],
        body: .json([.required("to", .instant("Billing time."))], named: "SandboxClockInput"),
        successes: [.json(200, "The sandbox.", shape.schema)],
        work: .change { call, session in
            guard let instant = call.body.instant("to") else { throw Problem.invalid("to", "is missing") }
            let id: SandboxID = try call.id("sandbox")
            return .ok(shape.json(try view(session.advanceClock(of: id, .to(instant)), call, session)))
        })

    private static let moves = Endpoint(
        .get, "/v1/sandboxes/{sandbox}/moves", "listSandboxMoves", tag: "Sandboxes",
        "List the moves of a sandbox's clock", description: "The first one first.", access: .role(.viewer),
        parameters: [one],
        successes: [
            .json(
                200, "All of them.",
                .object(
                    [.required("data", .list(move.schema, countMax: TestClock.movesMax))], named: "SandboxMoves"))
        ],
        work: .look { call, session in
            .ok(["data": .array(try session.clockMoves(of: try call.id("sandbox")).map(move.json))])
        })

    private static func view(_ sandbox: Sandbox, _ call: Call, _ session: ReadSession) throws -> View {
        View(sandbox: sandbox, accounts: try session.accounts(of: sandbox.id), now: call.now)
    }
}
