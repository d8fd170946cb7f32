/// What a request says of the model's reasoning: whether the answer can come to more than it shows.
public enum ReasoningWish: Hashable, Sendable {
    case unsaid
    /// The model is to reason; whether that is shown is the engine's affair.
    case asked
    /// It is not to be shown.
    case hidden

    /// The members of a body, and of what stands under these in it, that say something of reasoning.
    static let parents: Set<String> = ["", "additionalModelRequestFields", "generationConfig", "generation_config"]

    /// Adds what another member says: hidden stays hidden, whatever comes before or behind it.
    mutating func take(_ other: ReasoningWish) {
        if self != .hidden { self = other }
    }

    /// By a member of a body, or of what a system's own form has for the model, whose value the scanner is in front of.
    /// Nil for other members, and where the value says nothing or that there is to be no reasoning.
    init?(
        _ key: JSONText, _ scanner: JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        guard let first = key.range.first, Self.firstLetters.contains(body[first]) else { return nil }
        var value = scanner
        let kind = try value.kind()
        if kind == .null { return nil }
        if key.equals("include_reasoning", in: body) {
            guard kind == .bool else { return nil }
            self = try value.bool() ? .asked : .hidden
        } else if key.equals("reasoning_format", in: body) {
            guard kind == .string else { return nil }
            self = try value.string().equals("hidden", in: body) ? .hidden : .asked
        } else if key.equals("reasoning_effort", in: body) {
            guard kind == .string, try !Self.isOff(value.string(), body) else { return nil }
            self = .asked
        } else if key.equals("thinkingConfig", in: body) || key.equals("thinking_config", in: body) {
            guard kind == .object, let wish = try Self.googleWish(&value, body) else { return nil }
            self = wish
        } else if key.equals("output_config", in: body) {
            // Anthropic's effort.
            guard kind == .object, let wish = try Self.wish(&value, body) else { return nil }
            self = wish
        } else if key.equals("reasoning", in: body) || key.equals("thinking", in: body)
            || key.equals("reasoningConfig", in: body) || key.equals("reasoning_config", in: body)
        {
            guard kind == .object, let wish = try Self.wish(&value, body) else { return nil }
            self = wish
        } else {
            return nil
        }
    }

    private static let firstLetters = Array("rito\\".utf8)

    private static func isOff(_ text: JSONText, _ body: UnsafeRawBufferPointer) -> Bool {
        ["none", "minimal", "disabled"].contains { (word: StaticString) in text.equals(word, in: body) }
    }

    /// Google's: thoughts are shown where that is asked for, and none are made where the budget is zero.
    private static func googleWish(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> ReasoningWish? {
        var isShown = false
        var isOff = false
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if kind == .bool, key.equals("includeThoughts", in: body) || key.equals("include_thoughts", in: body) {
                isShown = try scanner.bool()
            } else if kind == .number, key.equals("thinkingBudget", in: body) || key.equals("thinking_budget", in: body)
            {
                isOff = try scanner.number() == 0
            } else {
                try scanner.skip()
            }
        }
        return isOff ? nil : isShown ? .asked : .hidden
    }

    private static func wish(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> ReasoningWish? {
        var isExcluded = false
        var isOff = false
        var isEmpty = true
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            isEmpty = false
            let kind = try scanner.kind()
            if kind == .bool, key.equals("exclude", in: body) {
                isExcluded = try scanner.bool() || isExcluded
            } else if kind == .bool, key.equals("enabled", in: body) {
                isOff = try !scanner.bool()
            } else if kind == .string, key.equals("display", in: body) {
                isExcluded = try scanner.string().equals("omitted", in: body) || isExcluded
            } else if kind == .string, key.equals("type", in: body) || key.equals("effort", in: body) {
                isOff = try Self.isOff(scanner.string(), body)
            } else {
                try scanner.skip()
            }
        }
        if isExcluded { return .hidden }
        return isOff || isEmpty ? nil : .asked
    }
}
