/// What a request says of the model's reasoning: whether the answer can come to more than it shows.
public enum ReasoningWish: Hashable, Sendable {
    case unsaid
    /// The model is to reason; whether that is shown is the engine's affair.
    case asked
    /// It is not to be shown.
    case hidden

    /// By a member at the root of a body, whose value the scanner is in front of. Nil for other members, and where the
    /// value says nothing or that there is to be none.
    init?(
        _ key: JSONText, _ scanner: JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        guard let first = key.range.first, Self.firstLetters.contains(body[first]) else { return nil }
        var value = scanner
        let kind = try value.kind()
        func isText(_ words: [StaticString]) throws(JSONScanError) -> Bool {
            guard kind == .string else { return false }
            let text = try value.string()
            return words.contains { text.equals($0, in: body) }
        }
        if key.equals("include_reasoning", in: body) {
            guard kind == .bool else { return nil }
            self = try value.bool() ? .asked : .hidden
        } else if key.equals("reasoning_format", in: body) {
            self = try isText(["hidden"]) ? .hidden : .asked
        } else if key.equals("reasoning_effort", in: body) {
            if kind == .null { return nil }
            if try isText(["none", "minimal"]) { return nil }
            self = .asked
        } else if key.equals("reasoning", in: body) || key.equals("thinking", in: body) {
            guard kind == .object else { return nil }
            self = try Self.isExcluded(&value, body) ? .hidden : .asked
        } else {
            return nil
        }
    }

    private static let firstLetters = Array("rit\\".utf8)

    private static func isExcluded(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        var isExcluded = false
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if key.equals("exclude", in: body), try scanner.kind() == .bool {
                isExcluded = try scanner.bool()
            } else if key.equals("display", in: body), try scanner.kind() == .string {
                isExcluded = try scanner.string().equals("omitted", in: body)
            } else {
                try scanner.skip()
            }
        }
        return isExcluded
    }
}
