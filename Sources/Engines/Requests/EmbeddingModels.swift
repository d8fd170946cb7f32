/// A place in a body that names the model of its path again.
struct RepeatedModel: Hashable, Sendable {
    /// With its quotes.
    let range: Range<Int>
    /// What stands before the model's own name: `models/`, `publishers/google/models/`, or nothing.
    let prefix: String

    func edit(upstreamModel: String) -> ByteEdit {
        var name: [UInt8] = []
        JSONString.append(prefix + upstreamModel, to: &name)
        return ByteEdit(range: range, replacement: name)
    }
}

/// The bodies of Google's embeddings: `model` at their root, and in each of their `requests`, must be that of the path,
/// or the engine would serve another one than is billed. `predict` serves whatever model there is: what asks for
/// something else than embeddings of texts is refused, because nothing of it would be counted.
enum EmbeddingModels {
    static func read(
        _ body: UnsafeRawBufferPointer, path model: String
    ) throws(RequestError) -> (models: [RepeatedModel], instanceCount: Int) {
        var scanner = JSONScanner(body)
        var instanceCount = 0
        var found: [RepeatedModel] = []
        var wrong: RequestError?
        func take(_ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner) throws(JSONScanError) -> Bool {
            guard key.equals("model", in: body) else { return false }
            guard kind == .string else {
                wrong = wrong ?? mismatch(model)
                return false
            }
            let text = try scanner.string()
            let name = text.value(in: body)
            guard name.hasSuffix(model), isPrefix(name.dropLast(model.count)) else {
                wrong = wrong ?? mismatch(model)
                return true
            }
            found.append(
                RepeatedModel(
                    range: text.range.lowerBound - 1..<text.range.upperBound + 1,
                    prefix: String(name.dropLast(model.count))))
            return true
        }
        do throws(JSONScanError) {
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("requests", in: body) {
                    try scanner.eachElement { _, scanner throws(JSONScanError) in
                        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                            try take(key, kind, &scanner)
                        }
                        return true
                    }
                    return true
                }
                guard key.equals("instances", in: body) else { return try take(key, kind, &scanner) }
                try scanner.eachElement { _, scanner throws(JSONScanError) in
                    instanceCount += 1
                    try scanner.eachMember { key, _, scanner throws(JSONScanError) in
                        if !texts.contains(where: { key.equals($0, in: body) }) { wrong = wrong ?? noText }
                        return false
                    }
                    return true
                }
                return true
            }
        } catch {
            throw ReadingError.json(error).refusal
        }
        if let wrong { throw wrong }
        return (found, instanceCount)
    }

    /// What an instance of an embedding model has.
    private static let texts: [StaticString] = ["content", "task_type", "taskType", "title"]

    private static func isPrefix(_ text: Substring) -> Bool {
        text.isEmpty || text == "models/" || text.hasSuffix("/models/")
    }

    private static func mismatch(_ model: String) -> RequestError {
        RequestError(
            message:
                "The body names another model than the path. Write 'models/\(model.prefix(200))', or leave it out.",
            parameter: "model", code: "invalid_value")
    }

    private static let noText = RequestError(
        message: "Only embeddings of texts are available through 'predict': an instance has 'content', 'task_type' and "
            + "'title'.", parameter: "instances", code: "invalid_value")
}
