import Accounts
import Billing
import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import Storage

/// Plans and their published versions.
enum PlanEndpoints {
    private static let slug = Schema.text("The plan's slug, such as `pay-as-you-go`.")

    private static let summary = Shape<PlanSummary>(
        "PlanSummary", "A plan in a list.",
        [
            .init("plan", slug) { .string($0.plan) },
            .init("title", .text("Its name on invoices.")) { .string($0.title) },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.currencyCode) },
            .init("latest_version", .integer("The newest version's number.", in: 1...Int64.max)) {
                .integer(Int128($0.latestVersion))
            },
            .init("latest_effective_from", .instant("When the newest version takes, or took, effect.")) {
                .string("\($0.latestEffectiveFrom)")
            },
            .init("created_at", .instant()) { .string("\($0.createdAt)") },
        ])

    static let price = Shape<EffectivePrice>(
        "EffectivePrice", "A price as it is billed, multipliers multiplied out.",
        [
            .init("id", .text("Named by records and rollups.")) { .string($0.id) },
            .init("price_key", .text("What models name.")) { .string($0.priceKey) },
            .init("tier", .text()) { .string($0.tier) },
            .init("meter", .text()) { .string($0.meter.rawValue) },
            .init("variant", .text("The conditions under which it counts; empty: none.", lengths: 0...255)) {
                .string($0.variant)
            },
            .init("per_million", .money("For 1 000 000 base units, in the plan's currency.")) {
                .string("\($0.unitPrice)")
            },
        ])

    private static let versionFields: [Shape<PublishedPlanVersion>.Field] = [
        .init("plan", slug) { .string($0.version.planID) },
        .init("version", .integer("Counts from 1.", in: 1...Int64.max)) { .integer(Int128($0.version.version)) },
        .init("title", .text()) { .string($0.version.title) },
        .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.version.currency.code) },
        .init("effective_from", .instant("The first instant that it prices.")) {
            .string("\($0.version.effectiveFrom)")
        },
        .init("tiers", .list(.text(), "The base tier first.")) { .array($0.version.tiers.map { .string($0) }) },
        .init("sha256", .text("Of the document, in hexadecimal.", lengths: 64...64)) { .string($0.sha256) },
        .init("created_at", .instant()) { .string("\($0.createdAt)") },
    ]

    private static let version = Shape<PublishedPlanVersion>(
        "PlanVersion", "A published version. It never changes.", versionFields)

    private static let wholeVersion = Shape<PublishedPlanVersion>(
        "PlanVersionDetails", "A published version with its document and prices.",
        versionFields + [
            .init(
                "document",
                .text(
                    "Its YAML in canonical form, or as it was applied before that was stored.",
                    lengths: 1...BodyRule.documentBytesMax)
            ) {
                .string($0.text)
            },
            .init("prices", .list(price.schema, countMax: 100_000)) { .array($0.version.prices.map(price.json)) },
        ])

    private static let applied: Schema = .object(
        [
            .required(
                "outcome", .choice(["published", "unchanged"], "Unchanged: the same version was there already.")),
            .required("version", version.schema),
        ], named: "PlanApplication")

    private static let plan = Parameter.path("plan", slug)

    static let all: [Endpoint] = [list, apply, show, versionDetails, diff]

    private static let list = Endpoint(
        .get, "/v1/plans", "listPlans", tag: "Plans", "List plans", access: .role(.viewer),
        parameters: Parameter.page, successes: [.json(200, "A page, by slug.", summary.pageSchema)],
        work: .look { call, session in
            let page = try session.plans(limit: call.pageLimit, after: call.queryText("after"))
            return .page(page, as: summary) { $0.plan }
        })

    private static let apply = Endpoint(
        .post, "/v1/plans", "applyPlan", tag: "Plans", "Publish a version of a plan",
        description: "Send the YAML as it is (`application/yaml`) or as `{\"document\": \"…\"}`. Publishing the same "
            + "version with the same content again changes nothing. Any version but the first must take effect at "
            + "least 60 s after the billing time of every account on the plan.",
        access: .role(.billing), body: .document("The plan's YAML.", named: "PlanDocumentInput"),
        successes: [
            .json(200, "The version was there already.", applied), .json(201, "The version is published.", applied),
        ],
        work: .change { call, session in
            let text = try call.body.required("document")
            let (outcome, stored) = try session.publishPlan(try PlanVersion(yaml: text))
            let word = outcome == .published ? "published" : "unchanged"
            return Answer(
                status: outcome == .published ? 201 : 200,
                body: .json(["outcome": .string(word), "version": version.json(stored)]))
        })

    private static let show = Endpoint(
        .get, "/v1/plans/{plan}", "getPlan", tag: "Plans", "Show a plan's versions", access: .role(.viewer),
        parameters: [plan],
        successes: [
            .json(
                200, "The versions, the first one first.",
                .object(
                    [
                        .required("plan", slug), .required("title", .text()),
                        .required("currency", .text(lengths: 3...3)), .required("versions", .list(version.schema)),
                    ], named: "Plan"))
        ],
        work: .look { call, session in
            let versions = try session.planVersions(of: call.pathText("plan"))
            guard let latest = versions.last?.version else {
                throw Problem.notFound("plan \(call.pathText("plan"))")
            }
            return .ok([
                "plan": .string(latest.planID), "title": .string(latest.title),
                "currency": .string(latest.currency.code), "versions": .array(versions.map(version.json)),
            ])
        })

    private static let versionDetails = Endpoint(
        .get, "/v1/plans/{plan}/versions/{version}", "getPlanVersion", tag: "Plans",
        "Show a version with its document and prices", access: .role(.viewer),
        parameters: [plan, .path("version", .integer("Its number.", in: 1...Int64.max))],
        successes: [.json(200, "The version.", wholeVersion.schema)],
        work: .look { call, session in
            .ok(wholeVersion.json(try published(call, number: call.pathText("version"), in: session)))
        })

    private static let diff = Endpoint(
        .get, "/v1/plans/{plan}/diff", "diffPlanVersions", tag: "Plans", "What changed between two versions",
        access: .role(.viewer),
        parameters: [
            plan, .query("from", .integer("The older version.", in: 1...Int64.max), isRequired: true),
            .query("to", .integer("The newer version.", in: 1...Int64.max), isRequired: true),
        ], successes: [.json(200, "The changes.", PlanDocumentEndpoints.diffSchema)],
        work: .look { call, session in
            let versions = try ["from", "to"].map { name in
                try published(call, number: "\(call.query[name]?.number ?? 0)", in: session).version
            }
            return .ok(PlanDocumentEndpoints.json(PlanDiff(from: versions[0], to: versions[1])))
        })

    private static func published(
        _ call: Call, number: String, in session: ReadSession
    ) throws -> PublishedPlanVersion {
        let plan = call.pathText("plan")
        guard let version = Int32(number), let found = try session.planVersion(Int(version), of: plan) else {
            throw Problem.notFound("version \(number) of plan \(plan)")
        }
        return found
    }
}
