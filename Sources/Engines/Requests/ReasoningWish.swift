/// What a request says of the model's reasoning: whether the answer can come to more than it shows.
public enum ReasoningWish: Hashable, Sendable {
    case unsaid
    /// The model is to reason; whether that is shown is the engine's affair.
    case asked
    /// It is not to be shown.
    case hidden

    /// The members of a body whose own members say something of reasoning, beside those that `names` looks into.
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
        guard let wish = try ReasoningWish.read(key, scanner, body, depth: 0) else { return nil }
        self = wish
    }

    // MARK: The list

    private enum Meaning {
        /// True shows it, false hides it.
        case shows
        /// True hides it.
        case hides
        /// How hard the model is to think, in a word.
        case effort
        /// How it is shown; `hidden` says not at all.
        case format
        /// How many tokens it may take.
        case budget
        /// True has the model reason.
        case turnsOn
        /// Google's object.
        case google
        /// An object of other systems.
        case options
        /// An object that holds members such as these.
        case holder
    }

    /// Every name by which some engine is told of reasoning, whatever stands in front of it.
    private static let names = NamedMeanings([
        [
            // Groq, OpenRouter; SGLang; Google; others.
            "include_reasoning", "stream_reasoning", "include_thoughts", "includeThoughts", "show_reasoning",
            "return_reasoning", "show_thinking", "return_thinking", "include_thinking", "expose_reasoning",
        ]: Meaning.shows,
        [
            "exclude_reasoning", "hide_reasoning", "hide_thinking", "exclude_thinking", "exclude_thoughts",
            "reasoning_exclude", "skip_reasoning", "omit_reasoning",
        ]: .hides,
        [
            "reasoning_effort", "reasoningEffort", "thinking_level", "thinkingLevel", "thinking_effort", "effort",
        ]: .effort,
        ["reasoning_format", "reasoningFormat", "thinking_format"]: .format,
        [
            "thinking_budget", "thinkingBudget", "reasoning_budget", "reasoning_max_tokens", "max_thinking_tokens",
            "thinking_token_budget",
        ]: .budget,
        ["enable_thinking", "enable_reasoning", "use_reasoning", "thinking_mode"]: .turnsOn,
        ["thinkingConfig", "thinking_config"]: .google,
        ["reasoning", "thinking", "output_config", "reasoningConfig", "reasoning_config"]: .options,
        ["extra_body", "google", "chat_template_kwargs", "chat_template_args", "vllm_xargs"]: .holder,
    ])

    /// Nobody nests what is meant deeper: `extra_body.google.thinking_config`.
    private static let depthMax = 3

    // MARK: Reading

    private static func read(
        _ key: JSONText, _ scanner: JSONScanner, _ body: UnsafeRawBufferPointer, depth: Int
    ) throws(JSONScanError) -> ReasoningWish? {
        guard let meaning = names.meaning(of: key, in: body) else { return nil }
        var value = scanner
        switch (meaning, try value.kind()) {
        case (.shows, .bool): return try value.bool() ? .asked : .hidden
        case (.hides, .bool): return try value.bool() ? .hidden : nil
        case (.turnsOn, .bool): return try value.bool() ? .asked : nil
        case (.effort, .string): return try isOff(value.string(), body) ? nil : .asked
        case (.format, .string): return try value.string().equals("hidden", in: body) ? .hidden : .asked
        case (.budget, .number): return try value.number() == 0 ? nil : .asked
        case (.google, .object): return try googleWish(&value, body)
        case (.options, .object): return try wish(&value, body)
        case (.holder, .object) where depth < depthMax: return try wishInside(&value, body, depth: depth)
        default: return nil
        }
    }

    private static func wishInside(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer, depth: Int
    ) throws(JSONScanError) -> ReasoningWish? {
        var wish: ReasoningWish?
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if let found = try read(key, scanner, body, depth: depth + 1), wish != .hidden { wish = found }
            try scanner.skip()
        }
        return wish
    }

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
            switch (names.meaning(of: key, in: body), try scanner.kind()) {
            case (.shows, .bool): isShown = try scanner.bool()
            case (.budget, .number): isOff = try scanner.number() == 0
            default: try scanner.skip()
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
                switch (names.meaning(of: key, in: body), kind) {
                case (.shows, .bool): isExcluded = try !scanner.bool() || isExcluded
                case (.hides, .bool): isExcluded = try scanner.bool() || isExcluded
                default: try scanner.skip()
                }
            }
        }
        if isExcluded { return .hidden }
        return isOff || isEmpty ? nil : .asked
    }
}
