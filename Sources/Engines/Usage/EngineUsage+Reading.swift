internal import Metering

extension EngineUsage {
    /// Reads a usage object of the OpenAI family, under its names for completions, responses, pictures and sound; the
    /// scanner stands before its brace. `raw` stays empty: the caller knows where the object stood.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        self.init()
        var extra = UsageExtras()
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            guard kind != .null, let field = UsageField.named(key, in: bytes) else {
                try scanner.skip()
                continue
            }
            switch field {
            case .prompt: promptTokens = try count(field, kind, &scanner)
            case .input: extra.input = try count(field, kind, &scanner)
            case .completion: completionTokens = try count(field, kind, &scanner)
            case .output: extra.output = try count(field, kind, &scanner)
            case .total: totalTokens = try count(field, kind, &scanner)
            case .cached: extra.cached = try count(field, kind, &scanner)
            case .cacheHit: extra.cacheHit = try count(field, kind, &scanner)
            case .cacheMiss: extra.cacheMiss = try count(field, kind, &scanner)
            case .reasoning: extra.reasoning = try count(field, kind, &scanner)
            case .inputDetails, .outputDetails:
                try readDetails(isInput: field == .inputDetails, kind, &scanner, bytes)
            case .costDetails: extra.upstreamCost = try UsageExtras.upstreamCost(kind, &scanner, bytes)
            default: try readDecimal(field, kind, &extra, &scanner, bytes)
            }
        }
        settle(extra)
    }

    /// What is given under two names is one count, and never added.
    private mutating func settle(_ extra: UsageExtras) {
        promptTokens = promptTokens ?? extra.input
        completionTokens = completionTokens ?? extra.output
        cachedTokens = cachedTokens ?? extra.cached ?? extra.cacheHit
        reasoningTokens = reasoningTokens ?? extra.reasoning
        if let hit = extra.cacheHit, let miss = extra.cacheMiss {
            let (sum, overflows) = hit.addingReportingOverflow(miss)
            promptTokens = promptTokens ?? sum
            if overflows || promptTokens != sum {
                contradiction =
                    contradiction
                    ?? "prompt_cache_hit_tokens \(hit) and prompt_cache_miss_tokens \(miss) are not prompt_tokens"
            }
        }
        // With a key of our own at the provider behind it, OpenRouter takes nothing and that provider does.
        engineCost =
            switch (extra.cost, extra.upstreamCost) {
            case (let cost?, let upstream?): extra.isOwnKey && cost == "0" ? upstream : cost
            case (let cost, let upstream): cost ?? (extra.isOwnKey ? upstream : nil)
            }
    }

    private mutating func readDetails(
        isInput: Bool, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        guard kind == .object else {
            try scanner.skip()
            return
        }
        var parts = ModalityTokens()
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            guard kind != .null, let field = UsageField.named(key, in: bytes) else {
                try scanner.skip()
                continue
            }
            switch field {
            case .cached: cachedTokens = try count(field, kind, &scanner)
            case .cacheWrite: cacheWriteTokens = try count(field, kind, &scanner)
            case .cacheCreated:
                let created = try count(field, kind, &scanner)
                cacheWriteTokens = cacheWriteTokens ?? created
            case .cacheWriteHour: cacheWriteHourTokens = try count(field, kind, &scanner)
            case .cacheWriteLong: cacheWriteLongTokens = try count(field, kind, &scanner)
            case .reasoning: reasoningTokens = try count(field, kind, &scanner)
            case .text: parts.text = try count(field, kind, &scanner)
            case .audio: parts.audio = try count(field, kind, &scanner)
            case .image: parts.image = try count(field, kind, &scanner)
            case .video: parts.video = try count(field, kind, &scanner)
            case .cachedDetails: cachedParts = try readParts(cachedParts, kind, &scanner, bytes)
            case .multimodal: parts = try readParts(parts, kind, &scanner, bytes)
            case .cacheCreation: try readLifetimes(kind, &scanner, bytes)
            default: try scanner.skip()
            }
        }
        if isInput { inputParts.update(with: parts) } else { outputParts.update(with: parts) }
    }

    private mutating func readParts(
        _ known: ModalityTokens, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> ModalityTokens {
        var parts = known
        guard kind == .object else {
            try scanner.skip()
            return parts
        }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            switch kind == .null ? nil : UsageField.named(key, in: bytes) {
            case .text: parts.text = try count(.text, kind, &scanner)
            case .audio: parts.audio = try count(.audio, kind, &scanner)
            case .image: parts.image = try count(.image, kind, &scanner)
            case .video: parts.video = try count(.video, kind, &scanner)
            default: try scanner.skip()
            }
        }
        return parts
    }

    /// Anthropic's names for how long what was written is kept, as routers pass them on.
    private mutating func readLifetimes(
        _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        guard kind == .object else {
            try scanner.skip()
            return
        }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if kind == .number, UsageField.named(key, in: bytes) == .cacheWriteHour {
                cacheWriteHourTokens = try count(.cacheWriteHour, kind, &scanner)
            } else {
                try scanner.skip()
            }
        }
    }

    private mutating func readDecimal(
        _ field: UsageField, _ kind: JSONKind, _ extra: inout UsageExtras, _ scanner: inout JSONScanner,
        _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        let range = try scanner.skip()
        if field == .isOwnKey { extra.isOwnKey = bytes.equals("true", in: range) }
        guard kind == .number else { return }
        func scaled(_ exponent: Int) -> Int64? { DecimalText.scaled(bytes, range, exponent: exponent) }
        switch field {
        case .queueTime: timings.queue = scaled(6)
        case .promptTime: timings.prefill = scaled(6)
        case .completionTime: timings.decode = scaled(6)
        case .totalTime, .totalLatency: timings.total = scaled(6)
        case .firstTokenSeconds: timings.firstToken = scaled(6)
        case .firstTokenMilliseconds: timings.firstToken = scaled(3)
        case .seconds: units.audioMilliseconds = scaled(3) ?? 0
        case .cost: extra.cost = DecimalText.plain(bytes, range)
        case .costTicks: extra.cost = scaled(0).map { DecimalText.text(digits: $0, exponent: -10) }
        default: break
        }
    }

    /// Reads one count; nil for what is no integer, which it notes.
    private mutating func count(
        _ field: UsageField, _ kind: JSONKind, _ scanner: inout JSONScanner
    ) throws(JSONScanError) -> Int64? {
        if kind == .number {
            if let value = try scanner.number() { return value }
        } else {
            try scanner.skip()
        }
        contradiction = contradiction ?? "\(field.name) is not an integer"
        return nil
    }
}

/// What is settled only when the whole object was read.
private struct UsageExtras {
    var input: Int64?
    var output: Int64?
    var cached: Int64?
    var cacheHit: Int64?
    var cacheMiss: Int64?
    var reasoning: Int64?
    var cost: String?
    var upstreamCost: String?
    var isOwnKey = false

    /// `cost_details.upstream_inference_cost` (OpenRouter).
    static func upstreamCost(
        _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> String? {
        guard kind == .object else {
            try scanner.skip()
            return nil
        }
        var cost: String?
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let isNumber = try scanner.kind() == .number
            let range = try scanner.skip()
            if isNumber, key.equals("upstream_inference_cost", in: bytes) { cost = DecimalText.plain(bytes, range) }
        }
        return cost
    }
}

/// The members of usage objects and of their details that are read; anything else is passed over.
enum UsageField: CaseIterable {
    case prompt, input, completion, output, total, inputDetails, outputDetails
    case cached, cacheHit, cacheMiss, cacheWrite, cacheCreated, cacheCreation, cacheWriteHour, cacheWriteLong
    case reasoning, text, audio, image, video, cachedDetails, multimodal
    case queueTime, promptTime, completionTime, totalTime, totalLatency, firstTokenSeconds, firstTokenMilliseconds
    case seconds, cost, costTicks, costDetails, isOwnKey

    private static let names: [(name: StaticString, field: UsageField)] = [
        ("prompt_tokens", .prompt), ("completion_tokens", .completion), ("total_tokens", .total),
        ("input_tokens", .input), ("output_tokens", .output), ("prompt_tokens_details", .inputDetails),
        ("completion_tokens_details", .outputDetails), ("input_tokens_details", .inputDetails),
        ("output_tokens_details", .outputDetails), ("input_token_details", .inputDetails),
        ("output_token_details", .outputDetails), ("cached_tokens", .cached), ("reasoning_tokens", .reasoning),
        ("audio_tokens", .audio), ("image_tokens", .image), ("text_tokens", .text), ("video_tokens", .video),
        ("audio", .audio), ("image", .image), ("text", .text), ("video", .video),
        ("cached_tokens_details", .cachedDetails), ("multimodal_tokens", .multimodal),
        ("cache_write_tokens", .cacheWrite), ("created_cache_tokens", .cacheCreated),
        ("cache_creation_tokens", .cacheCreated), ("cache_write_1h_tokens", .cacheWriteHour),
        ("cache_write_12h_tokens", .cacheWriteLong), ("cache_creation_token_details", .cacheCreation),
        ("cache_creation", .cacheCreation), ("ephemeral_1h_input_tokens", .cacheWriteHour),
        ("prompt_cache_hit_tokens", .cacheHit), ("prompt_cache_miss_tokens", .cacheMiss),
        ("queue_time", .queueTime), ("prompt_time", .promptTime), ("completion_time", .completionTime),
        ("total_time", .totalTime), ("total_latency", .totalLatency), ("time_to_first_token", .firstTokenSeconds),
        ("ttft_ms", .firstTokenMilliseconds), ("seconds", .seconds), ("cost", .cost),
        ("cost_in_usd_ticks", .costTicks), ("cost_details", .costDetails), ("is_byok", .isOwnKey),
    ]

    static func named(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> UsageField? {
        names.first { key.equals($0.name, in: bytes) }?.field
    }

    /// The name under which completions give it.
    var name: StaticString { UsageField.names.first { $0.field == self }?.name ?? "" }
}
