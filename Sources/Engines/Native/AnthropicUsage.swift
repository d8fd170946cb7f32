internal import Metering

/// A usage object of Anthropic's Messages API, and what stands beside its counts.
struct AnthropicUsage: Sendable {
    /// One step inside the answer (`iterations`).
    struct Iteration: Sendable {
        var kind = InferenceKind.primary
        /// Nil for the answer's own model.
        var model: String?
        var usage = EngineUsage()
    }

    private(set) var usage = EngineUsage()
    private(set) var serviceTier: String?
    /// Whether it was served in fast mode (`speed`), which has a price of its own.
    private(set) var isFast = false
    /// Where it was served (`inference_geo`), when that was bound to a place, which has a price of its own.
    private(set) var region: String?
    /// Nil where the object has none.
    private(set) var iterations: [Iteration]?
    /// Just inside the closing brace, counted from the start of `bytes`.
    private(set) var end = 0

    /// The most steps that are read.
    static let iterationsMax = 256

    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var counts = AnthropicCounts()
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try counts.read(key, kind, &scanner, bytes) { return true }
            if key.equals("service_tier", in: bytes) {
                serviceTier = try scanner.name(kind, in: bytes)
            } else if key.equals("speed", in: bytes) {
                isFast = try scanner.name(kind, in: bytes) == "fast"
            } else if key.equals("inference_geo", in: bytes) {
                let place = try scanner.name(kind, in: bytes)
                region = place == "global" || place == "not_available" ? nil : place
            } else if kind == .array, key.equals("iterations", in: bytes) {
                try readIterations(&scanner, bytes)
            } else {
                return false
            }
            return true
        }
        usage = counts.settled(raw: NativeValue.raw(bytes, start..<scanner.offset))
        if iterations?.count == AnthropicUsage.iterationsMax {
            usage.contradiction = usage.contradiction ?? "more than \(AnthropicUsage.iterationsMax) iterations"
        }
        end = scanner.offset - 1
    }

    private mutating func readIterations(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        var found: [Iteration] = []
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .object, found.count < AnthropicUsage.iterationsMax else { return false }
            found.append(try Iteration(scanner: &scanner, bytes: bytes))
            return true
        }
        iterations = found
    }
}

extension AnthropicUsage.Iteration {
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var counts = AnthropicCounts()
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try counts.read(key, kind, &scanner, bytes) { return true }
            if key.equals("type", in: bytes) {
                self.kind = AnthropicUsage.Iteration.kind(named: try scanner.name(kind, in: bytes))
            } else if key.equals("model", in: bytes) {
                model = try scanner.name(kind, in: bytes)
            } else {
                return false
            }
            return true
        }
        usage = counts.settled(raw: NativeValue.raw(bytes, start..<scanner.offset))
    }

    private static func kind(named name: String?) -> InferenceKind {
        switch name {
        case "message", nil: .primary
        case "compaction": .compaction
        case "advisor_message": .advisor
        case "fallback_message": .fallback
        default: .component
        }
    }
}

/// The counts of a usage object or of one of its iterations.
///
/// `input_tokens` excludes what was read from and written to a cache; `output_tokens` includes thinking.
struct AnthropicCounts {
    private var usage = EngineUsage()
    /// What `cache_creation` comes to, of all lifetimes.
    private var writtenByLifetime: Int64?

    /// The counts, once all were read.
    func settled(raw: [UInt8]) -> EngineUsage {
        var settled = usage
        settled.rule = .cacheApart
        settled.raw = raw
        settled.settleCacheWrites(byLifetime: writtenByLifetime)
        return settled
    }

    /// Reads the value of `key` when it is a count.
    mutating func read(
        _ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        if key.equals("input_tokens", in: bytes) {
            usage.promptTokens = try usage.readCount("input_tokens", kind, &scanner)
        } else if key.equals("output_tokens", in: bytes) {
            usage.completionTokens = try usage.readCount("output_tokens", kind, &scanner)
        } else if key.equals("cache_read_input_tokens", in: bytes) {
            usage.cachedTokens = try usage.readCount("cache_read_input_tokens", kind, &scanner)
        } else if key.equals("cache_creation_input_tokens", in: bytes) {
            usage.cacheWriteTokens = try usage.readCount("cache_creation_input_tokens", kind, &scanner)
        } else if kind == .object, key.equals("cache_creation", in: bytes) {
            try readLifetimes(&scanner, bytes)
        } else if kind == .object, key.equals("output_tokens_details", in: bytes) {
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard key.equals("thinking_tokens", in: bytes) else { return false }
                usage.reasoningTokens = try usage.readCount("thinking_tokens", kind, &scanner)
                return true
            }
        } else if kind == .object, key.equals("server_tool_use", in: bytes) {
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard key.equals("web_search_requests", in: bytes) else { return false }
                usage.units.searches = try usage.readCount("web_search_requests", kind, &scanner) ?? 0
                return true
            }
        } else {
            return false
        }
        return true
    }

    /// `ephemeral_5m_input_tokens`, `ephemeral_1h_input_tokens`.
    private mutating func readLifetimes(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard let minutes = AnthropicCounts.minutes(key, bytes) else { return false }
            let count = try usage.readCount("cache_creation", kind, &scanner)
            writtenByLifetime = usage.sum("cache_creation", writtenByLifetime, count)
            usage.addCacheWrite(count, keptMinutes: minutes)
            return true
        }
    }

    /// The lifetime in a name such as `ephemeral_5m_input_tokens`.
    private static func minutes(_ key: JSONText, _ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.hasBytes("ephemeral_", at: key.range.lowerBound) else { return nil }
        let text = bytes[key.range].dropFirst(10).prefix { $0 != UInt8(ascii: "_") }
        return NativeValue.minutes(String(decoding: text, as: UTF8.self))
    }
}

extension EngineUsage {
    /// Takes what was written by lifetime for what was written in all, where that is not said. What is left of it is
    /// kept for five minutes.
    mutating func settleCacheWrites(byLifetime sum: Int64?) {
        guard let sum else { return }
        let written = cacheWriteTokens ?? sum
        cacheWriteTokens = written
        if sum > written {
            contradiction = contradiction ?? "cache writes by lifetime \(sum) exceed all of them \(written)"
        }
    }

    /// Counts what was written to a cache under the lifetime that it has a price for: up to an hour, up to twelve, and
    /// longer. What is kept for less than an hour is what `cacheWriteTokens` leaves.
    mutating func addCacheWrite(_ count: Int64?, keptMinutes minutes: Int64) {
        switch minutes {
        case ..<60: break
        case ..<720: cacheWriteHourTokens = sum("the cache writes", cacheWriteHourTokens, count)
        default: cacheWriteLongTokens = sum("the cache writes", cacheWriteLongTokens, count)
        }
    }
}

extension NativeValue {
    /// `5m`, `1h` and `2d` in minutes; nil for anything else.
    static func minutes(_ text: String) -> Int64? {
        guard let unit = text.last, let value = integer(String(text.dropLast())), value <= 10_000 else { return nil }
        switch unit {
        case "m": return value
        case "h": return value * 60
        case "d": return value * 1440
        default: return nil
        }
    }
}
