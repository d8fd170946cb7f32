public import Identity
import Metering
import Monetary
public import Postgres

/// Single records: requests with their attempts.
public enum RecordStorage {
    /// The request of that id, or nil.
    public static func find(_ id: RequestID, in tx: Transaction) throws -> StoredRequest? {
        let rows = try tx.query(
            """
            \(select) WHERE record_id = \(id) AND accepted_at = \(id.uuid.timestamp) LIMIT 1
            """)
        return try joined(rows, in: tx).first
    }

    /// A page of requests in the order of acceptance; its cursor is the request's id.
    public static func list(
        _ filter: RecordFilter, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<StoredRequest> {
        let rows = try tx.query(
            """
            \(select) WHERE true \(conditions(filter, page))
            ORDER BY accepted_at, record_id LIMIT \(page.limitAndOne)
            """)
        return Page(try joined(rows, in: tx), page)
    }

    /// Which of these requests are on record, asked for by account and id.
    public static func recorded(
        _ requests: [(account: AccountID, id: RequestID)], in tx: Transaction
    ) throws -> Set<RequestID> {
        let rows = try tx.query(
            """
            SELECT r.record_id FROM unnest(
                \(requests.map(\.account))::uuid[], \(requests.map(\.id.uuid.timestamp))::timestamptz[],
                \(requests.map(\.id))::uuid[]
            ) AS asked(account_id, accepted_at, record_id)
            JOIN request_records r USING (account_id, accepted_at, record_id)
            """)
        return Set(try rows.decodeAll(as: RequestID.self))
    }

    private static func conditions(_ filter: RecordFilter, _ page: PageRequest) -> SQL {
        var sql: SQL = ""
        if let account = filter.account { sql += "AND account_id = \(account) " }
        sql += AccountStorage.rowsOfAccounts(filter.mode)
        if let tenant = filter.tenant { sql += "AND tenant_id = \(tenant) " }
        if let project = filter.project { sql += "AND project_id = \(project) " }
        if let key = filter.key { sql += "AND key_id = \(key) " }
        if let model = filter.model { sql += "AND model = \(model) " }
        if let outcome = filter.outcome { sql += "AND outcome = \(outcome.rawValue) " }
        if let from = filter.from { sql += "AND accepted_at >= \(from) " }
        if let to = filter.to { sql += "AND accepted_at < \(to) " }
        if !filter.tags.isEmpty { sql += "AND tags @> \(TagText.json(of: filter.tags))::jsonb " }
        if let after = page.after {
            sql +=
                "AND accepted_at >= \(after.timestamp) AND (accepted_at, record_id) > (\(after.timestamp), \(after)) "
        }
        return sql
    }

    private static let select: SQL = """
        SELECT account_id, accepted_at, record_id, tenant_id, project_id, key_id, subscription_id, operation, model,
            model_requested, notes,
            tier_requested, tier, is_stream, outcome, http_status, reason, first_byte_us, first_token_us, last_token_us,
            end_us, tags, clock_offset_ms, journal_id, journal_segment, journal_offset, surface, idempotency_digest
        FROM request_records
        """

    /// The requests with their attempts, which one more query reads.
    private static func joined(_ rows: Rows, in tx: Transaction) throws -> [StoredRequest] {
        guard !rows.isEmpty else { return [] }
        let attempts = try tx.query(
            """
            SELECT t.* FROM unnest(
                \(try rows.map { try $0.decode("account_id", as: AccountID.self) })::uuid[],
                \(try rows.map { try $0.decode("accepted_at", as: Timestamp.self) })::timestamptz[],
                \(try rows.map { try $0.decode("record_id", as: RequestID.self) })::uuid[]
            ) AS r(account_id, accepted_at, request_id)
            JOIN attempt_records t USING (account_id, accepted_at, request_id)
            ORDER BY t.number, t.record_id
            """)
        var byRequest: [RequestID: [StoredAttempt]] = [:]
        for row in attempts {
            byRequest[try row.decode("request_id"), default: []].append(try attempt(row))
        }
        return try rows.map { row in
            let request = try request(row)
            return StoredRequest(
                request: request, tier: try row.decode("tier"), journalID: try row.decode("journal_id"),
                mark: JournalPosition(
                    segment: try row.decode("journal_segment"), offset: try row.decode("journal_offset")),
                attempts: byRequest[request.id] ?? [])
        }
    }

    private static func request(_ row: Row) throws -> RequestRecord {
        let model: String = try row.decode("model")
        return RequestRecord(
            id: try row.decode("record_id"), accountID: try row.decode("account_id"),
            tenantID: try row.decode("tenant_id"), projectID: try row.decode("project_id"),
            keyID: try row.decode("key_id"), subscriptionID: try row.decode("subscription_id"),
            surface: try surface(row),
            modelRequested: try row.decode("model_requested", as: String?.self) ?? model, model: model,
            idempotencyDigest: try row.decode("idempotency_digest", as: Bytes?.self)?.array ?? [],
            tierRequested: try row.decode("tier_requested"), isStream: try row.decode("is_stream"),
            outcome: try row.value("outcome"), httpStatus: try row.decode("http_status"),
            reason: try row.decode("reason"),
            marks: TimeMarks(
                firstByte: try row.decode("first_byte_us"), firstToken: try row.decode("first_token_us"),
                lastToken: try row.decode("last_token_us"), end: try row.decode("end_us")),
            tags: try TagText.tags(fromJSON: try row.decode("tags")),
            clockOffsetMilliseconds: try row.decode("clock_offset_ms"), notes: try notes(row))
    }

    private static func notes(_ row: Row) throws -> RecordNotes {
        let text: String = try row.decode("notes")
        guard let notes = RecordNotes(text: text) else {
            throw StorageError.corrupt("a record has notes that are not known: \(text)")
        }
        return notes
    }

    /// Rows from before surfaces were named had one for each operation.
    private static func surface(_ row: Row) throws -> Surface {
        if try row.decode("surface", as: String?.self) != nil { return try row.value("surface") }
        guard let surface = Surface(firstVersionOperation: try row.value("operation")) else {
            throw StorageError.corrupt("a request record says neither its surface nor an operation of that time")
        }
        return surface
    }

    private static func attempt(_ row: Row) throws -> StoredAttempt {
        let currency = try row.decode("currency", as: Currency.self)
        return StoredAttempt(
            record: try record(row), rating: try row.value("rating"), plan: try row.decode("plan"),
            planVersion: try row.decode("plan_version"), tier: try row.decode("tier"),
            variant: try row.decode("price_variant"), amount: try row.money("amount", currency))
    }

    private static func record(_ row: Row) throws -> AttemptRecord {
        var record = AttemptRecord(
            id: try row.decode("record_id"), number: try row.decode("number"), backend: try row.decode("backend"),
            upstreamModel: try row.decode("upstream_model"), priceKey: try row.decode("price_key"),
            hardware: try row.decode("hardware"), quantisation: try row.decode("quantisation"))
        record.modelServed = try row.decode("model_served")
        record.tierServed = try row.decode("tier_served")
        record.buckets = try buckets(row)
        record.units = UsageUnits(
            images: try row.decode("images"), audioMilliseconds: try row.decode("audio_ms"),
            characters: try row.decode("characters"), searches: try row.decode("searches"),
            computeMilliseconds: try row.decode("compute_ms"))
        record.kind = try row.value("kind")
        record.isBatch = try row.decode("is_batch")
        record.region = try row.decode("region")
        record.notes = try notes(row)
        record.engineCost = try row.decode("engine_cost")
        record.timings = EngineTimings(
            queue: try row.decode("engine_queue_us"), prefill: try row.decode("engine_prefill_us"),
            decode: try row.decode("engine_decode_us"), firstToken: try row.decode("engine_first_token_us"),
            total: try row.decode("engine_total_us"))
        record.usageSource = try row.value("usage_source")
        record.usageComplete = try row.decode("usage_complete")
        record.contradiction = try row.decode("contradiction")
        record.termination = try row.value("termination")
        record.finishReason = try row.decode("finish_reason")
        record.upstreamStatus = try row.decode("upstream_status")
        record.upstreamID = try row.decode("upstream_id")
        record.contentEvents = try row.decode("content_events")
        record.marks = TimeMarks(
            upstreamSent: try row.decode("upstream_sent_us"), firstByte: try row.decode("first_byte_us"),
            firstToken: try row.decode("first_token_us"), lastToken: try row.decode("last_token_us"),
            end: try row.decode("end_us"))
        record.isDelivered = try row.decode("is_delivered")
        record.rawUsage = Array(try row.decode("raw_usage", as: String?.self)?.utf8 ?? "".utf8)
        return record
    }

    private static func buckets(_ row: Row) throws -> TokenBuckets {
        TokenBuckets(
            inputUncached: try row.decode("input_uncached"), inputAudio: try row.decode("input_audio"),
            inputImage: try row.decode("input_image"), inputVideo: try row.decode("input_video"),
            cacheRead: try row.decode("cache_read"), cacheReadAudio: try row.decode("cache_read_audio"),
            cacheReadImage: try row.decode("cache_read_image"), cacheReadVideo: try row.decode("cache_read_video"),
            cacheWriteFiveMinutes: try row.decode("cache_write_5m"), cacheWriteHour: try row.decode("cache_write_1h"),
            cacheWriteLong: try row.decode("cache_write_long"), outputVisible: try row.decode("output_visible"),
            outputAudio: try row.decode("output_audio"), outputImage: try row.decode("output_image"),
            outputReasoning: try row.decode("output_reasoning"))
    }
}
