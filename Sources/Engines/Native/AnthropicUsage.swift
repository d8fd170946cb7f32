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
        var counts = UsageDraft(.anthropic)
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try counts.read(key, kind, at: .root, &scanner, bytes) { return true }
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
        usage = counts.settled()
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
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
        var counts = UsageDraft(.anthropic)
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try counts.read(key, kind, at: .root, &scanner, bytes) { return true }
            if key.equals("type", in: bytes) {
                self.kind = AnthropicUsage.Iteration.kind(named: try scanner.name(kind, in: bytes))
            } else if key.equals("model", in: bytes) {
                model = try scanner.name(kind, in: bytes)
            } else {
                return false
            }
            return true
        }
        usage = counts.settled()
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
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
