/// A place in a body that names the model of its path again.
struct RepeatedModel: Hashable, Sendable {
    /// With its quotes.
    let range: Range<Int>
    /// What stands before the model's own name: `models/`, `publishers/google/models/`, or nothing.
    let prefix: String

    /// Nil where the text names another model.
    init?(_ text: JSONText, in body: UnsafeRawBufferPointer, path model: String) {
        let name = text.value(in: body)
        guard name.hasSuffix(model) else { return nil }
        prefix = String(name.dropLast(model.count))
        guard prefix.isEmpty || prefix == "models/" || prefix.hasSuffix("/models/") else { return nil }
        range = text.range.lowerBound - 1..<text.range.upperBound + 1
    }

    func edit(upstreamModel: String) -> ByteEdit {
        var name: [UInt8] = []
        JSONString.append(prefix + upstreamModel, to: &name)
        return ByteEdit(range: range, replacement: name)
    }
}

/// Members that one form alone has: what is kept, sound by its address, and the bodies of Google's embeddings, in which
/// `model` at their root, and in each of their `requests`, must be that of the path, or the engine would serve another
/// one than is billed.
extension RequestReader {
    mutating func readSpecial(
        _ field: RequestField, _ kind: JSONKind, into request: inout InferenceRequest
    ) throws {
        switch field.role {
        case .store:
            // Whatever some reader may take for true keeps it.
            if kind == .bool { request.isKept = try scanner.bool() } else { try scanner.skip() }
        case .documents where kind == .object:
            // Parts of one message, each of them a document (vLLM).
            var ahead = scanner
            request.bodyMeasures.documents += try countParts(&ahead)
            try input.readPrompt(&scanner)
        case .documents:
            guard kind == .array else { throw ReadingError.wrongType(field.name.description, "an array") }
            try scanner.beginArray()
            while try scanner.nextElement() {
                try input.readPrompt(&scanner)
                request.bodyMeasures.documents += 1
            }
        case .soundAddress: throw ReadingError.soundAddress(field.name.description)
        case .sound:
            var ahead = scanner
            if kind == .string, case .web = MediaAddress(try ahead.string(), in: body) {
                throw ReadingError.soundAddress(field.name.description)
            }
            try input.readMedia(.sound, &scanner)
        case .repeatedModel: try readRepeatedModel(kind, into: &request)
        case .embedRequests: try readEmbedRequests(into: &request)
        case .embedInstances: try readEmbedInstances(into: &request)
        default: assertionFailure("no special member: \(field.name)")
        }
    }

    /// Members of which any form passes, and some mean something.
    mutating func readLoosely(
        _ field: RequestField, _ key: JSONText, _ kind: JSONKind, into request: inout InferenceRequest
    ) throws {
        switch field.role {
        case .within(let table) where kind == .object:
            try scanner.beginObject()
            try readMembers(table, of: field.name.description, into: &request)
        case .voice:
            var value = scanner
            if kind == .string { input.take(unknown: try value.string(), named: key) }
            try scanner.skip()
        default: try input.readOther(key, &scanner)
        }
    }

    private func countParts(_ scanner: inout JSONScanner) throws -> Int64 {
        var count: Int64 = 0
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            guard key.equals("content", in: body), try scanner.kind() == .array else {
                try scanner.skip()
                continue
            }
            try scanner.beginArray()
            while try scanner.nextElement() {
                count += 1
                try scanner.skip()
            }
        }
        return max(1, count)
    }

    private mutating func readRepeatedModel(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        let path = request.native?.model ?? ""
        guard kind == .string, let repeated = RepeatedModel(try scanner.string(), in: body, path: path) else {
            throw ReadingError.refused(
                RequestError(
                    message:
                        "The body names another model than the path. Write 'models/\(path.prefix(200))', or leave it "
                        + "out.", parameter: "model", code: "invalid_value"))
        }
        request.repeatedModels.append(repeated)
    }

    private mutating func readEmbedRequests(into request: inout InferenceRequest) throws {
        try eachObject { reader, key throws in
            let kind = try reader.scanner.kind()
            guard key.equals("model", in: reader.body) else { return false }
            try reader.readRepeatedModel(kind, into: &request)
            return true
        }
    }

    /// `predict` serves whatever model there is: what asks for something else than embeddings of texts is refused,
    /// because nothing of it would be counted.
    private mutating func readEmbedInstances(into request: inout InferenceRequest) throws {
        try eachObject(begins: { request.instanceCount += 1 }) { reader, key throws in
            guard Self.instanceMembers.place(of: key, in: reader.body) == nil else { return false }
            throw ReadingError.refused(
                RequestError(
                    message: "Only embeddings of texts are available through 'predict': an instance has 'content', "
                        + "'task_type' and 'title'.", parameter: "instances", code: "invalid_value"))
        }
    }

    private static let instanceMembers = NameIndex(["content", "task_type", "taskType", "title"])

    /// Reads a list of objects as the text that it is. `read` is shown the members, and says whether it took the value.
    private mutating func eachObject(
        begins: () -> Void = {}, _ read: (inout RequestReader, JSONText) throws -> Bool
    ) throws {
        input.takeText(2)
        var isFirst = true
        try scanner.beginArray()
        while try scanner.nextElement() {
            if !isFirst { input.takeText(1) }
            isFirst = false
            begins()
            input.takeText(2)
            var isFirstMember = true
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                if !isFirstMember { input.takeText(1) }
                isFirstMember = false
                if try read(&self, key) { continue }
                input.takeName(key)
                try input.readMember(key, &scanner, .content, isPrompt: true)
            }
        }
    }
}
