public import Metering

/// The text of a request's prompt, for somebody who counts it.
public enum PromptText {
    /// What stands in a prompt.
    public enum Piece {
        /// A text of its own.
        case text(String)
        /// Tokens that the client gave as numbers.
        case tokens(Int64)
    }

    /// Shows each text of the prompt. Returns whether that is all that the engine reads: false where a template puts
    /// more around it, or where something stands in it that is no text.
    public static func read(
        _ body: UnsafeRawBufferPointer, of surface: Surface, _ take: (Piece) -> Void
    ) -> Bool {
        var scanner = JSONScanner(body)
        var walk = PromptWalk(body: body)
        let table = RequestField.table(for: surface)
        do throws(JSONScanError) {
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard case .name(let index) = table.names.match(key, in: body) else {
                    // A model is shown tools, schemas and whatever else as JSON, if it is shown them.
                    guard kind == .array || kind == .object, !isRaw(surface) else { return false }
                    try walk.readAsItStands(&scanner, take)
                    return true
                }
                switch table.fields[index].role {
                case .messages, .prompt, .prompts, .text, .spoken: try walk.read(&scanner, take)
                default: return false
                }
                return true
            }
        } catch {
            return false
        }
        return isRaw(surface) && walk.isAllText
    }

    /// Whether the prompt goes to the model as it stands.
    static func isRaw(_ surface: Surface) -> Bool {
        switch surface {
        case .completions, .embeddings, .tgiGenerate, .tritonGenerate: true
        default: false
        }
    }
}

/// Walks the values that hold a prompt.
private struct PromptWalk {
    let body: UnsafeRawBufferPointer
    var isAllText = true

    mutating func read(
        _ scanner: inout JSONScanner, _ take: (PromptText.Piece) -> Void
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string: take(.text(try scanner.string().value(in: body)))
        case .number:
            _ = try scanner.number()
            take(.tokens(1))
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try read(&scanner, take) }
        case .object:
            isAllText = false
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                try readMember(key, &scanner, take)
            }
        case .bool, .null: try scanner.skip()
        }
    }

    private mutating func readMember(
        _ key: JSONText, _ scanner: inout JSONScanner, _ take: (PromptText.Piece) -> Void
    ) throws(JSONScanError) {
        let kind = try scanner.kind()
        if kind != .number, InputReader.isText(key, in: body) {
            return try read(&scanner, take)
        }
        let isOther =
            InputReader.mediaNames.match(key, in: body) != .none || PromptWalk.labels.match(key, in: body) != .none
        switch kind {
        case .string where !isOther: take(.text(try scanner.string().value(in: body)))
        case .array where !isOther, .object where !isOther: try readAsItStands(&scanner, take)
        default: try scanner.skip()
        }
    }

    /// Members of messages and their parts that say what these are; a template has marks of its own for them.
    private static let labels = NameTable(["type", "role", "id", "tool_call_id", "call_id", "tool_use_id"])

    /// Calls and schemas, as the JSON that they are.
    mutating func readAsItStands(
        _ scanner: inout JSONScanner, _ take: (PromptText.Piece) -> Void
    ) throws(JSONScanError) {
        isAllText = false
        let range = try scanner.skip()
        let isEscaped = body.part(range).contains(UInt8(ascii: "\\"))
        take(.text(JSONText(range: range, isEscaped: isEscaped).value(in: body)))
    }
}
