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
        let names = names(of: surface)
        do throws(JSONScanError) {
            try scanner.eachMember { key, _, scanner throws(JSONScanError) in
                guard names.contains(where: { key.equals($0, in: body) }) else { return false }
                try walk.read(&scanner, take)
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

    private static func names(of surface: Surface) -> [StaticString] {
        switch surface {
        case .completions: ["prompt"]
        case .embeddings: ["input"]
        case .tgiGenerate: ["inputs"]
        case .tritonGenerate: ["text_input"]
        case .responses: ["input", "instructions"]
        case .geminiGenerate: ["contents", "systemInstruction", "system_instruction"]
        default: ["system", "messages", "prompt", "inputs", "inputText"]
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
                if try scanner.kind() != .number, RequestReader.textFields.contains(where: { key.equals($0, in: body) })
                {
                    try read(&scanner, take)
                } else {
                    try scanner.skip()
                }
            }
        case .bool, .null: try scanner.skip()
        }
    }
}
