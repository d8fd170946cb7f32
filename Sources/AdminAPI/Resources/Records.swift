import Accounts
import Billing
import Identity
import Metering
import Monetary
import Storage

/// Single requests with their attempts.
enum RecordEndpoints {
    private static let marks = Shape<TimeMarks>(
        "TimeMarks", "Microseconds since the request was accepted; null where it did not happen.",
        [
            .init("upstream_sent", .integer().nullable) { .optional($0.upstreamSent) },
            .init("first_byte", .integer().nullable) { .optional($0.firstByte) },
            .init("first_token", .integer().nullable) { .optional($0.firstToken) },
            .init("last_token", .integer().nullable) { .optional($0.lastToken) },
            .init("end", .integer().nullable) { .optional($0.end) },
        ])

    private static func notes<Value>(
        _ notes: @escaping @Sendable (Value) -> RecordNotes
    ) -> Shape<Value>.Field {
        .init("notes", .list(.text(), "What else is to be known, such as `tags_dropped`.")) {
            .array(notes($0).names.map { .string($0) })
        }
    }

    private static let attempt = Shape<StoredAttempt>(
        "Attempt", "One upstream try: usage, and with it money.",
        [
            .init("id", .id(AttemptID.self)) { .string("\($0.record.id)") },
            .init("number", .integer("1 for the first try.")) { .integer(Int128($0.record.number)) },
            .init("backend", .text(lengths: 0...255)) { .string($0.record.backend) },
            .init("upstream_model", .text("What the backend calls the model.", lengths: 0...10_000)) {
                .string($0.record.upstreamModel)
            },
            .init("model_served", .text("What the engine says it was.", lengths: 0...10_000)) {
                .string($0.record.modelServed)
            },
            .init("price_key", .text(lengths: 0...255)) { .string($0.record.priceKey) },
            .init("tier_served", .text("What the engine says; null when it is silent.").nullable) {
                .optional($0.record.tierServed)
            },
            .init("tier_billed", .text()) { .string($0.tier) },
            .init("price_variant", .text("The conditions of its prices; empty where none held.", lengths: 0...255)) {
                .string($0.variant)
            },
            .init("kind", .choice(InferenceKind.self)) { .string($0.record.kind.rawValue) },
            .init("batch", .boolean("Whether it is billed at the price of batches.")) { .boolean($0.record.isBatch) },
            .init("usage", UsageShapes.buckets.schema) { UsageShapes.buckets.json($0.record.buckets) },
            .init("units", UsageShapes.units.schema) { UsageShapes.units.json($0.record.units) },
            .init("usage_source", .choice(UsageSource.self)) { .string($0.record.usageSource.rawValue) },
            .init("usage_complete", .boolean("False where part of it was estimated or never came.")) {
                .boolean($0.record.usageComplete)
            },
            .init("contradiction", .text("How the usage contradicts itself.", lengths: 0...10_000).nullable) {
                .optional($0.record.contradiction)
            },
            .init("termination", .choice(Termination.self)) { .string($0.record.termination.rawValue) },
            .init("finish_reason", .text().nullable) { .optional($0.record.finishReason) },
            .init("upstream_status", .integer("0 when there was no answer.")) {
                .integer(Int128($0.record.upstreamStatus))
            },
            .init("upstream_id", .text().nullable) { .optional($0.record.upstreamID) },
            .init("content_events", .integer("Events with content that came from the engine.")) {
                .integer(Int128($0.record.contentEvents))
            },
            .init("marks", marks.schema) { marks.json($0.record.marks) },
            .init("engine_timings", UsageShapes.timings.schema) { UsageShapes.timings.json($0.record.timings) },
            .init("engine_cost", .text("What the engine says it costs the seller, in US dollars.").nullable) {
                .optional($0.record.engineCost)
            },
            .init("delivered", .boolean("Whether the client got this attempt's answer.")) {
                .boolean($0.record.isDelivered)
            },
            .init("hardware", .text(lengths: 0...255)) { .string($0.record.hardware) },
            .init("quantisation", .text(lengths: 0...255)) { .string($0.record.quantisation) },
            .init("region", .text("Where the backend stands.", lengths: 0...255)) { .string($0.record.region) },
            notes { $0.record.notes },
            .init("rating", .choice(RatingState.self)) { .string($0.rating.rawValue) },
            .init("plan", .text().nullable) { .optional($0.plan) },
            .init("plan_version", .integer().nullable) { .optional($0.planVersion) },
            .init("amount", .money("Exact: billed where rating is `rated`; else what was waived, or zero.")) {
                .string("\($0.amount)")
            },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.amount.currency.code) },
        ])

    private static let shape = Shape<StoredRequest>(
        "RequestRecord", "One authenticated request, whatever became of it.",
        [
            .init("id", .id(RequestID.self)) { .string("\($0.request.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.request.accountID)") },
            .init("tenant", .id(TenantID.self)) { .string("\($0.request.tenantID)") },
            .init("project", .id(ProjectID.self)) { .string("\($0.request.projectID)") },
            .init("key", .id(KeyID.self)) { .string("\($0.request.keyID)") },
            .init("subscription", .id(SubscriptionID.self)) { .string("\($0.request.subscriptionID)") },
            .init("accepted_at", .instant("Billing time.")) { .string("\($0.request.acceptedAt)") },
            .init("surface", .choice(Surface.self)) { .string($0.request.surface.rawValue) },
            .init("operation", .choice(Operation.self)) { .string($0.request.operation.rawValue) },
            .init("model", .text("Its own name: what limits, prices and invoices go by.", lengths: 0...10_000)) {
                .string($0.request.model)
            },
            .init("model_requested", .text("As the client wrote it.", lengths: 0...10_000)) {
                .string($0.request.modelRequested)
            },
            .init("tier_requested", .text()) { .string($0.request.tierRequested) },
            .init("tier", .text("Served, else requested: what promises and prices go by.")) { .string($0.tier) },
            .init("stream", .boolean()) { .boolean($0.request.isStream) },
            .init("outcome", .choice(RequestOutcome.self)) { .string($0.request.outcome.rawValue) },
            .init("http_status", .integer("499 when the client left before there was one.")) {
                .integer(Int128($0.request.httpStatus))
            },
            .init("reason", .text("A stable code for what went wrong; empty on success.", lengths: 0...255)) {
                .string($0.request.reason)
            },
            .init("marks", marks.schema) { marks.json($0.request.marks) },
            .init("tags", .map(.text(lengths: 0...256))) { record in
                .object(record.request.tags.map { .init(name: $0.name, value: .string($0.value)) })
            },
            notes { $0.request.notes },
            .init("clock_offset_ms", .integer("Of the account's test clock at acceptance.")) {
                .integer(Int128($0.request.clockOffsetMilliseconds))
            },
            .init("journal", .text("The journal that it came from, and the end of its entry.")) {
                .string("\($0.journalID)@\($0.mark)")
            },
            .init("attempts", .list(attempt.schema, "By number.")) { .array($0.attempts.map(attempt.json)) },
        ])

    static let all: [Endpoint] = [list]

    private static let list = Endpoint(
        .get, "/v1/usage/records", "listUsageRecords", tag: "Usage", "Single requests with their attempts",
        description: "In the order of acceptance. A request that was not ingested yet is not in here.",
        access: .role(.viewer),
        parameters: [.query("request_id", .id(RequestID.self, "Only this one."))] + UsageEndpoints.filters + [
            .query("outcome", .choice(RequestOutcome.self)),
            .query("from", .instant("Billing time, inside.")),
            .query("to", .instant("Billing time, no longer inside.")), .tags,
        ] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            if let id: RequestID = call.queryID("request_id") {
                let found = try session.usageRecord(id).map { [$0] } ?? []
                return .page(found.map(shape.json), hasMore: false, next: nil)
            }
            let page = try session.usageRecords(filter(call), try call.page(RequestID.self))
            return .page(page, as: shape) { "\($0.request.id)" }
        })

    private static func filter(_ call: Call) -> RecordFilter {
        var filter = RecordFilter()
        filter.account = call.queryID("account")
        filter.tenant = call.queryID("tenant")
        filter.project = call.queryID("project")
        filter.key = call.queryID("key")
        filter.mode = call.mode(isNamed: filter.isNamed)
        filter.model = call.queryText("model")
        filter.outcome = call.queryChoice("outcome")
        filter.from = call.queryInstant("from")
        filter.to = call.queryInstant("to")
        filter.tags = call.tags
        return filter
    }
}
