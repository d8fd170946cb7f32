import Accounts
import Billing
import PlanLanguage
import Pricing

/// What can be said about a plan document without publishing it.
enum PlanDocumentEndpoints {
    private static let finding = Shape<PlanFinding>(
        "PlanFinding", "Something that is wrong, or looks wrong, in a plan document.",
        [
            .init("severity", .choice(["error", "warning"], "A plan with warnings can be published.")) {
                .string($0.severity.rawValue)
            },
            .init("path", .text("The place in the document; empty for all of it.", lengths: 0...10_000)) {
                .string($0.path)
            },
            .init("line", .integer("From 1; null for what stands nowhere.", in: 1...Int64.max).nullable) {
                .optional($0.line)
            },
            .init("message", .text("What is wrong and what to do.", lengths: 0...100_000)) { .string($0.message) },
        ])

    private static let change = Shape<PlanChange>(
        "PlanChange", "One difference between two versions.",
        [
            .init("kind", .choice(PlanChange.Kind.self)) { .string($0.kind.rawValue) },
            .init("subject", .text("Such as `sim-small/standard/input_tokens`.", lengths: 0...10_000)) {
                .string($0.subject)
            },
            .init("before", .text("Null where the newer version adds it.", lengths: 0...10_000).nullable) {
                .optional($0.before)
            },
            .init("after", .text("Null where it is gone.", lengths: 0...10_000).nullable) { .optional($0.after) },
            .init("percent", .text("By how much an amount changes.").nullable) { .optional($0.percent) },
        ])

    static let diffSchema: Schema = .object(
        [
            .required("plan", .text()),
            .required("from", .integer("The older version; 0 where there is none.")),
            .required("to", .integer("The newer version.")),
            .required("effective_from", .instant("Of the newer version.")),
            .required("changes", .list(change.schema, countMax: 1_000_000)),
        ], named: "PlanDiff")

    static func json(_ diff: PlanDiff) -> JSONValue {
        [
            "plan": .string(diff.newer.planID), "from": .integer(Int128(diff.older.version)),
            "to": .integer(Int128(diff.newer.version)), "effective_from": .string("\(diff.newer.effectiveFrom)"),
            "changes": .array(diff.changes.map(change.json)),
        ]
    }

    static let all: [Endpoint] = [lint, diff, schema]

    private static let schema = Endpoint(
        .get, "/v1/plan_schema", "getPlanSchema", tag: "Plans", "The JSON Schema of plan documents",
        description: "Draft 2020-12, for editors. It knows keys, shapes and words; what the values mean together only "
            + "the lint knows.",
        access: .role(.viewer), successes: [.json(200, "The schema.", .anyObject("A JSON Schema."))],
        work: .look { _, _ in Answer(status: 200, body: .jsonText(PlanSchema.json)) })

    private static let lint = Endpoint(
        .post, "/v1/plan_lints", "lintPlan", tag: "Plans", "Check a plan document without publishing it",
        access: .role(.viewer), body: .document("The plan's YAML.", named: "PlanDocumentInput"),
        successes: [
            .json(
                200, "What there is to say.",
                .object(
                    [
                        .required("publishable", .boolean("Whether nothing stands in the way.")),
                        .required("findings", .list(finding.schema)),
                    ], named: "PlanLint"))
        ],
        work: .look { call, session in
            let lint = try session.lintPlan(try call.body.required("document"))
            return .ok([
                "publishable": .boolean(lint.isPublishable), "findings": .array(lint.findings.map(finding.json)),
            ])
        })

    private static let diff = Endpoint(
        .post, "/v1/plan_diffs", "diffPlanDocument", tag: "Plans", "What a plan document would change",
        description: "Compared with the newest published version of another number.", access: .role(.viewer),
        body: .document("The plan's YAML.", named: "PlanDocumentInput"),
        successes: [.json(200, "The changes.", diffSchema)], problems: [404],
        work: .look { call, session in
            let new = try PlanVersion(yaml: try call.body.required("document"))
            guard let diff = try session.diffPlan(new) else {
                throw Problem.notFound("published version of plan \(new.planID) to compare with")
            }
            return .ok(json(diff))
        })
}
