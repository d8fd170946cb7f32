import Identity
import Metering
import Monetary
import Postgres

/// The columns of request and attempt records, and a record's values in their order.
enum RecordColumns {
    static let request: [BinaryBatch.Column] = [
        .init("account_id", .uuid), .init("accepted_at", .timestamptz), .init("record_id", .uuid),
        .init("tenant_id", .uuid), .init("project_id", .uuid), .init("key_id", .uuid),
        .init("subscription_id", .uuid), .init("surface", .text),
        .init("idempotency_digest", .bytea, standard: .null), .init("operation", .text), .init("model", .text),
        .init("model_requested", .text, standard: .null), .init("notes", .text, standard: .blank),
        .init("tier_requested", .text), .init("tier", .text), .init("is_stream", .boolean),
        .init("outcome", .text), .init("http_status", .integer), .init("reason", .text),
        .init("first_byte_us", .bigint), .init("first_token_us", .bigint), .init("last_token_us", .bigint),
        .init("end_us", .bigint), .init("tags", .jsonb), .init("clock_offset_ms", .bigint),
        .init("journal_id", .uuid), .init("journal_segment", .bigint), .init("journal_offset", .bigint),
    ]

    static func append(
        _ entry: IngestRequest, journal: JournalID, to rows: inout BinaryBatch
    ) throws(PostgresError) {
        let request = entry.request
        rows.id(request.accountID)
        rows.timestamp(milliseconds: request.acceptedAt.milliseconds)
        rows.id(request.id)
        rows.id(request.tenantID)
        rows.id(request.projectID)
        rows.id(request.keyID)
        rows.id(request.subscriptionID)
        rows.text(request.surface.rawValue)
        if request.idempotencyDigest.isEmpty { rows.null() } else { rows.bytes(request.idempotencyDigest) }
        rows.text(request.operation.rawValue)
        rows.text(request.model.storable)
        if request.model == request.modelRequested { rows.null() } else { rows.text(request.modelRequested.storable) }
        rows.text(request.notes.text)
        rows.text(request.tierRequested.storable)
        rows.text(entry.tier.storable)
        rows.boolean(request.isStream)
        rows.text(request.outcome.rawValue)
        rows.integer(request.httpStatus)
        rows.text(request.reason.storable)
        rows.bigint(request.marks.firstByte)
        rows.bigint(request.marks.firstToken)
        rows.bigint(request.marks.lastToken)
        rows.bigint(request.marks.end)
        rows.json(request.tags.isEmpty ? "{}" : TagText.json(of: request.tags))
        rows.bigint(request.clockOffsetMilliseconds)
        rows.id(journal)
        rows.bigint(entry.mark.segment)
        rows.bigint(entry.mark.offset)
        try rows.endRow()
    }

    static let attempt: [BinaryBatch.Column] =
        [
            .init("account_id", .uuid), .init("accepted_at", .timestamptz), .init("record_id", .uuid),
            .init("request_id", .uuid), .init("number", .integer), .init("kind", .text), .init("backend", .text),
            .init("upstream_model", .text), .init("model_served", .text), .init("price_key", .text),
            .init("tier_served", .text, standard: .null), .init("usage_source", .text),
            .init("usage_complete", .boolean),
            .init("contradiction", .text, standard: .null), .init("termination", .text), .init("finish_reason", .text),
            .init("upstream_status", .integer), .init("upstream_id", .text), .init("content_events", .bigint),
            .init("upstream_sent_us", .bigint), .init("first_byte_us", .bigint), .init("first_token_us", .bigint),
            .init("last_token_us", .bigint), .init("end_us", .bigint), .init("is_delivered", .boolean),
            .init("hardware", .text), .init("quantisation", .text), .init("region", .text, standard: .blank),
            .init("engine_cost", .text, standard: .null), .init("is_batch", .boolean, standard: .blank),
            .init("notes", .text, standard: .blank),
            .init("engine_queue_us", .bigint, standard: .null), .init("engine_prefill_us", .bigint, standard: .null),
            .init("engine_decode_us", .bigint, standard: .null),
            .init("engine_first_token_us", .bigint, standard: .null),
            .init("engine_total_us", .bigint, standard: .null), .init("raw_usage", .text), .init("rating", .text),
            .init("plan", .text), .init("plan_version", .integer), .init("tier", .text),
            .init("price_variant", .text, standard: .blank), .init("amount", .numeric),
            .init("currency", .text), .init("journal_id", .uuid), .init("journal_segment", .bigint),
            .init("journal_offset", .bigint),
        ] + Meter.allCases.map { .init(MeterColumns.column(of: $0), .bigint, standard: standard(of: $0)) }

    /// The columns of the first version have no default.
    private static func standard(of meter: Meter) -> BinaryBatch.Column.Standard {
        switch meter {
        case .inputTokens, .cacheReadTokens, .cacheWriteTokens, .cacheWriteHourTokens, .cacheWriteLongTokens,
            .outputTokens, .reasoningTokens:
            .none
        default: .blank
        }
    }

    static func append(
        _ attempt: IngestAttempt, in entry: IngestRequest, journal: JournalID, to rows: inout BinaryBatch
    ) throws(PostgresError) {
        let record = attempt.record
        rows.id(entry.request.accountID)
        rows.timestamp(milliseconds: entry.request.acceptedAt.milliseconds)
        rows.id(record.id)
        rows.id(entry.request.id)
        rows.integer(record.number)
        appendServing(record, to: &rows)
        appendTimes(record, to: &rows)
        rows.text(record.rawUsage.isEmpty ? nil : String(decoding: record.rawUsage, as: UTF8.self).storable)
        rows.text(attempt.rating.rawValue)
        rows.text(attempt.plan)
        if let version = attempt.planVersion { rows.integer(Int32(clamping: version)) } else { rows.null() }
        rows.text(attempt.tier.storable)
        rows.text(attempt.variant)
        rows.numeric(picounits: attempt.amount.picounits)
        rows.text(attempt.amount.currency.code)
        rows.id(journal)
        rows.bigint(entry.mark.segment)
        rows.bigint(entry.mark.offset)
        for meter in Meter.allCases { rows.bigint(record.quantity(of: meter)) }
        try rows.endRow()
    }

    /// Who served it, and how it went.
    private static func appendServing(_ record: AttemptRecord, to rows: inout BinaryBatch) {
        rows.text(record.kind.rawValue)
        rows.text(record.backend.storable)
        rows.text(record.upstreamModel.storable)
        rows.text(record.modelServed.storable)
        rows.text(record.priceKey.storable)
        rows.text(record.tierServed?.storable)
        rows.text(record.usageSource.rawValue)
        rows.boolean(record.usageComplete)
        rows.text(record.contradiction?.storable)
        rows.text(record.termination.rawValue)
        rows.text(record.finishReason?.storable)
        rows.integer(record.upstreamStatus)
        rows.text(record.upstreamID?.storable)
        rows.bigint(record.contentEvents)
    }

    /// When, on what, and by the engine's own account.
    private static func appendTimes(_ record: AttemptRecord, to rows: inout BinaryBatch) {
        rows.bigint(record.marks.upstreamSent)
        rows.bigint(record.marks.firstByte)
        rows.bigint(record.marks.firstToken)
        rows.bigint(record.marks.lastToken)
        rows.bigint(record.marks.end)
        rows.boolean(record.isDelivered)
        rows.text(record.hardware.storable)
        rows.text(record.quantisation.storable)
        rows.text(record.region.storable)
        rows.text(record.engineCost?.storable)
        rows.boolean(record.isBatch)
        rows.text(record.notes.text)
        rows.bigint(record.timings.queue)
        rows.bigint(record.timings.prefill)
        rows.bigint(record.timings.decode)
        rows.bigint(record.timings.firstToken)
        rows.bigint(record.timings.total)
    }
}

extension BinaryBatch {
    fileprivate mutating func id<Kind>(_ value: TypedID<Kind>) {
        uuid(high: value.uuid.high, low: value.uuid.low)
    }
}
