import Identity
import Metering
import Monetary
import Postgres

/// The columns of request and attempt records, and a record's values in their order.
enum RecordColumns {
    static let request: [InsertBatch.Column] = [
        .init("account_id", "uuid"), .init("accepted_at", "timestamptz"), .init("record_id", "uuid"),
        .init("tenant_id", "uuid"), .init("project_id", "uuid"), .init("key_id", "uuid"),
        .init("subscription_id", "uuid"), .init("operation", "text"), .init("model", "text"),
        .init("tier_requested", "text"), .init("tier", "text"), .init("is_stream", "boolean"),
        .init("outcome", "text"), .init("http_status", "integer"), .init("reason", "text"),
        .init("first_byte_us", "bigint"), .init("first_token_us", "bigint"), .init("last_token_us", "bigint"),
        .init("end_us", "bigint"), .init("tags", "jsonb"), .init("clock_offset_ms", "bigint"),
        .init("journal_id", "uuid"), .init("journal_segment", "bigint"), .init("journal_offset", "bigint"),
        .init("surface", "text"), .init("idempotency_digest", "bytea"),
    ]

    static func values(of entry: IngestRequest, journal: JournalID) -> [any PostgresBindable] {
        let request = entry.request
        return [
            request.accountID, request.acceptedAt, request.id,
            request.tenantID, request.projectID, request.keyID,
            request.subscriptionID, request.operation.rawValue, request.modelRequested.storable,
            request.tierRequested.storable, entry.tier.storable, request.isStream,
            request.outcome.rawValue, request.httpStatus, request.reason.storable,
            request.marks.firstByte, request.marks.firstToken, request.marks.lastToken,
            request.marks.end, TagText.json(of: request.tags), request.clockOffsetMilliseconds,
            journal, entry.mark.segment, entry.mark.offset,
            request.surface.rawValue, request.idempotencyDigest.isEmpty ? nil : Bytes(request.idempotencyDigest),
        ]
    }

    static let attempt: [InsertBatch.Column] = [
        .init("account_id", "uuid"), .init("accepted_at", "timestamptz"), .init("record_id", "uuid"),
        .init("request_id", "uuid"), .init("number", "integer"), .init("backend", "text"),
        .init("upstream_model", "text"), .init("model_served", "text"), .init("price_key", "text"),
        .init("tier_served", "text"), .init("input_uncached", "bigint"), .init("cache_read", "bigint"),
        .init("cache_write_5m", "bigint"), .init("cache_write_1h", "bigint"), .init("cache_write_long", "bigint"),
        .init("output_visible", "bigint"), .init("output_reasoning", "bigint"), .init("usage_source", "text"),
        .init("usage_complete", "boolean"), .init("contradiction", "text"), .init("termination", "text"),
        .init("finish_reason", "text"), .init("upstream_status", "integer"), .init("upstream_id", "text"),
        .init("content_events", "bigint"), .init("upstream_sent_us", "bigint"), .init("first_byte_us", "bigint"),
        .init("first_token_us", "bigint"), .init("last_token_us", "bigint"), .init("end_us", "bigint"),
        .init("is_delivered", "boolean"), .init("hardware", "text"), .init("quantisation", "text"),
        .init("raw_usage", "text"), .init("rating", "text"), .init("plan", "text"),
        .init("plan_version", "integer"), .init("tier", "text"), .init("amount", "numeric"),
        .init("currency", "text"), .init("journal_id", "uuid"), .init("journal_segment", "bigint"),
        .init("journal_offset", "bigint"), .init("input_audio", "bigint"), .init("input_image", "bigint"),
        .init("input_video", "bigint"), .init("cache_read_audio", "bigint"), .init("cache_read_image", "bigint"),
        .init("cache_read_video", "bigint"), .init("output_audio", "bigint"), .init("output_image", "bigint"),
        .init("images", "bigint"), .init("audio_ms", "bigint"), .init("characters", "bigint"),
        .init("searches", "bigint"), .init("compute_ms", "bigint"), .init("kind", "text"),
        .init("is_batch", "boolean"), .init("region", "text"), .init("engine_cost", "text"),
        .init("engine_queue_us", "bigint"), .init("engine_prefill_us", "bigint"),
        .init("engine_decode_us", "bigint"), .init("engine_first_token_us", "bigint"),
        .init("engine_total_us", "bigint"),
    ]

    static func values(
        of attempt: IngestAttempt, in entry: IngestRequest, journal: JournalID
    ) -> [any PostgresBindable] {
        let record = attempt.record
        let buckets = record.buckets
        let rawUsage = record.rawUsage.isEmpty ? nil : String(decoding: record.rawUsage, as: UTF8.self).storable
        return [
            entry.request.accountID, entry.request.acceptedAt, record.id,
            entry.request.id, record.number, record.backend.storable,
            record.upstreamModel.storable, record.modelServed.storable, record.priceKey.storable,
            record.tierServed?.storable, buckets.inputUncached, buckets.cacheRead,
            buckets.cacheWriteFiveMinutes, buckets.cacheWriteHour, buckets.cacheWriteLong,
            buckets.outputVisible, buckets.outputReasoning, record.usageSource.rawValue,
            record.usageComplete, record.contradiction?.storable, record.termination.rawValue,
            record.finishReason?.storable, record.upstreamStatus, record.upstreamID?.storable,
            record.contentEvents, record.marks.upstreamSent, record.marks.firstByte,
            record.marks.firstToken, record.marks.lastToken, record.marks.end,
            record.isDelivered, record.hardware.storable, record.quantisation.storable,
            rawUsage, attempt.rating.rawValue, attempt.plan,
            attempt.planVersion, attempt.tier.storable, attempt.amount,
            attempt.amount.currency, journal, entry.mark.segment,
            entry.mark.offset, buckets.inputAudio, buckets.inputImage,
            buckets.inputVideo, buckets.cacheReadAudio, buckets.cacheReadImage,
            buckets.cacheReadVideo, buckets.outputAudio, buckets.outputImage,
            record.units.images, record.units.audioMilliseconds, record.units.characters,
            record.units.searches, record.units.computeMilliseconds, record.kind.rawValue,
            record.isBatch, record.region.storable, record.engineCost?.storable,
            record.timings.queue, record.timings.prefill,
            record.timings.decode, record.timings.firstToken,
            record.timings.total,
        ]
    }
}
