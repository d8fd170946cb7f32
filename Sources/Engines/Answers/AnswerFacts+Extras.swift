internal import Metering

extension AnswerFacts {
    /// Takes what the head of an answer of the OpenAI family says: how long OpenAI and Azure took, and at Azure that a
    /// reserved deployment was full, so that a standard one served (its answer then costs the standard price).
    mutating func takeHead(of kind: EngineKind, _ headers: some HeaderLookup, upstreamModel: String?) {
        sideUsage = EngineUsage(headers: headers)
        // vLLM's, beside embeddings that are bytes.
        if var metadata = headers.first("metadata"), metadata.utf8.first == UInt8(ascii: "{") {
            metadata.withUTF8 { bytes in
                let document = UnsafeRawBufferPointer(bytes)
                AnswerFacts.members(of: document) { key, kind, range in
                    guard kind == .object, key.equals("usage", in: document) else { return }
                    sideUsage = EngineUsage(object: document.part(range)) ?? sideUsage
                }
            }
        }
        switch kind {
        case .openAI, .azure:
            if let text = headers.first("openai-processing-ms") {
                timings.total = DecimalText.scaled(text, exponent: 3)
            }
        default: return
        }
        guard kind == .azure, let upstreamModel else { return }
        let spilled = headers.first("x-ms-spillover-from-" + upstreamModel.lowercased())
        if let spilled, spilled.lowercased() != "false" { serviceTier = "standard" }
    }

    /// Takes the engine's own clock from vLLM's `metrics`, Cerebras's `time_info` or llama.cpp's `timings`.
    mutating func takeTimings(_ value: UnsafeRawBufferPointer) {
        var newer = EngineTimings()
        AnswerFacts.members(of: value) { key, kind, range in
            guard kind == .number else { return }
            func microseconds(_ exponent: Int) -> Int64? { DecimalText.scaled(value, range, exponent: exponent) }
            if key.equals("queue_time", in: value) {
                newer.queue = microseconds(6)
            } else if key.equals("prompt_time", in: value) {
                newer.prefill = microseconds(6)
            } else if key.equals("completion_time", in: value) {
                newer.decode = microseconds(6)
            } else if key.equals("total_time", in: value) {
                newer.total = microseconds(6)
            } else if key.equals("queue_time_ms", in: value) {
                newer.queue = microseconds(3)
            } else if key.equals("time_to_first_token_ms", in: value) {
                newer.firstToken = microseconds(3)
            } else if key.equals("generation_time_ms", in: value) || key.equals("predicted_ms", in: value) {
                newer.decode = microseconds(3)
            } else if key.equals("prompt_ms", in: value) {
                newer.prefill = microseconds(3)
            }
        }
        timings.update(with: newer)
        takeTimingCounts(value)
    }

    /// Takes what Groq says beside the answer: usage that may stand nowhere else, models, and why it stopped early.
    mutating func takeGroq(_ value: UnsafeRawBufferPointer) {
        AnswerFacts.members(of: value) { key, kind, range in
            if kind == .object, key.equals("usage", in: value), usage == nil {
                takeUsage(value.part(range), keepsNothing: true)
            } else if kind == .object, key.equals("usage_breakdown", in: value) {
                takeBreakdown(value.part(range))
            } else if kind != .null, key.equals("error", in: value) {
                hasError = true
                error = EngineErrorText(error: value.part(range), in: value)
            }
        }
    }

    /// Takes the models of a compound system: `{"models":[{"model":…,"usage":{…}}]}`.
    mutating func takeBreakdown(_ value: UnsafeRawBufferPointer) {
        var parts: [InnerInference] = []
        AnswerFacts.members(of: value) { key, kind, range in
            guard kind == .array, key.equals("models", in: value) else { return }
            AnswerFacts.elements(of: value.part(range)) { element in
                var part = InnerInference(kind: .component, model: nil, usage: EngineUsage())
                AnswerFacts.members(of: element) { key, kind, range in
                    if kind == .string, key.equals("model", in: element) {
                        part.model = AnswerFacts.name(element.part(range))
                    } else if kind == .object, key.equals("usage", in: element) {
                        part.usage = EngineUsage(object: element.part(range)) ?? part.usage
                    }
                }
                if part.usage.promptTokens != nil || part.usage.completionTokens != nil { parts.append(part) }
            }
        }
        if parts.count > AnswerFacts.inferencesMax { hasMoreInferences = true }
        if !parts.isEmpty { components = Array(parts.prefix(AnswerFacts.inferencesMax)) }
    }

    /// Takes what tools inside a response used beside its `usage`: `tool_usage`, an object for each of them. A later
    /// one says all that an earlier one did.
    mutating func takeToolUsage(_ value: UnsafeRawBufferPointer) {
        var found: [EngineUsage] = []
        AnswerFacts.members(of: value) { name, kind, range in
            guard kind == .object else { return }
            let object = value.part(range)
            let tool = name.value(in: value)
            if tool.hasSuffix("search"), tool != "file_search" { takeRequests(of: object) }
            guard var usage = EngineUsage(object: object) else { return }
            if usage.promptTokens == nil, usage.completionTokens == nil { usage.completionTokens = usage.totalTokens }
            guard usage.promptTokens ?? 0 > 0 || usage.completionTokens ?? 0 > 0 else { return }
            if tool.hasPrefix("image"), usage.outputParts == ModalityTokens() {
                usage.outputParts.image = usage.completionTokens
            }
            guard found.count < AnswerFacts.inferencesMax else {
                hasMoreInferences = true
                return
            }
            found.append(usage)
        }
        if !found.isEmpty { toolUsage = found }
    }

    private mutating func takeRequests(of tool: UnsafeRawBufferPointer) {
        AnswerFacts.members(of: tool) { key, _, range in
            guard key.equals("num_requests", in: tool) || key.equals("requests", in: tool),
                let count = AnswerFacts.integer(tool.part(range))
            else { return }
            units.searches = max(units.searches, min(max(0, count), TokenBuckets.bucketMax))
        }
    }

    /// Takes a usage object that stands by itself. One without any count (`keepsNothing` false) is taken too.
    mutating func takeUsage(_ value: UnsafeRawBufferPointer, keepsNothing: Bool = false) {
        guard value.first == UInt8(ascii: "{") else { return }
        guard let newer = EngineUsage(object: value) else {
            unreadCount += 1
            return
        }
        if keepsNothing, newer.promptTokens == nil, newer.completionTokens == nil { return }
        updateUsage(with: newer)
    }

    /// Takes over what a later usage object says.
    mutating func updateUsage(with newer: EngineUsage) {
        if usage == nil { usage = EngineUsage() }
        usage?.update(with: newer)
    }

    /// Takes the counts of llama.cpp's `timings`, which may be all there is.
    private mutating func takeTimingCounts(_ value: UnsafeRawBufferPointer) {
        guard let counts = EngineUsage(object: value, names: .llamaTimings), counts.completionTokens != nil else {
            return
        }
        timedTokens = counts.completionTokens
        if sideUsage == nil { sideUsage = EngineUsage() }
        sideUsage?.update(with: counts)
    }

    // MARK: Walking

    /// Shows each member of an object: its key, kind and where its value stands. What is no object has none.
    static func members(
        of value: UnsafeRawBufferPointer, _ body: (JSONText, JSONKind, Range<Int>) -> Void
    ) {
        do throws(JSONScanError) {
            var scanner = JSONScanner(value)
            guard try scanner.kind() == .object else { return }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                body(key, kind, try scanner.skip())
            }
        } catch {
            // What stands before the fault was shown; these members are never the bill's only source.
            return
        }
    }

    /// Shows each element of an array.
    static func elements(of value: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        do throws(JSONScanError) {
            var scanner = JSONScanner(value)
            guard try scanner.kind() == .array else { return }
            try scanner.beginArray()
            while try scanner.nextElement() { body(value.part(try scanner.skip())) }
        } catch {
            return
        }
    }
}
