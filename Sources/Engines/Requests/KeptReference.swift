internal import Metering

/// A place in a request that names something which an engine keeps: a file, an earlier response, a cached prompt, a
/// container. The account there is everybody's, so such a name passes only where the gateway gave it to this project.
public struct KeptReference: Hashable, Sendable {
    /// What is named.
    public enum Kind: String, Hashable, Sendable {
        case file, response, interaction, container
        /// What the gateway gives nobody an id of: conversations, cached prompts, vector stores.
        case other
    }

    public let kind: Kind
    /// The member that names it.
    public let field: String
    /// As the client wrote it.
    public let id: String
    /// Where it stands in the body, its quotes included.
    let range: Range<Int>
}

extension InferenceRequest {
    /// Has the engine see its own id where the client wrote the one that it knows.
    public mutating func open(_ reference: KeptReference, as id: String) {
        openedReferences.append(ByteEdit(range: reference.range, replacement: JSONString.bytes(of: id)))
    }

    /// Whether it is one of Google's interactions, which its engine keeps.
    public var isInteraction: Bool { native?.prefix.hasSuffix("/interactions") == true }

    /// The call with an engine's own id in its path.
    public mutating func openPath(as id: String) { native?.keptID = id }

    /// Looks through the body for names of what an engine keeps, and for work that is to go on after the answer.
    mutating func readReferences(in body: UnsafeRawBufferPointer) throws(ReadingError) {
        guard KeptReferenceReader.looksThrough(surface) else { return }
        var reader = KeptReferenceReader(body: body, surface: surface)
        do {
            try reader.read()
        } catch let error as JSONScanError {
            throw .json(error)
        } catch let error as ReadingError {
            throw error
        } catch {
            throw .refused(RequestError(message: "The body cannot be read.", code: "invalid_json"))
        }
        references = reader.references
        isBackground = reader.isBackground
    }
}

/// Finds the members, at any depth, by which engines are told to use what they keep.
///
/// What a client defines itself (schemas, the arguments of calls, metadata) is passed over: no engine looks there, and
/// a tool may well have an argument `file_id`.
struct KeptReferenceReader {
    private enum Role {
        /// The string, or each string of the list, is an id.
        case id(KeptReference.Kind)
        /// An address, which may be of an engine's own store.
        case address
        /// The client's own affair.
        case opaque
    }

    private let body: UnsafeRawBufferPointer
    private let surface: Surface
    private var scanner: JSONScanner
    private(set) var references: [KeptReference] = []
    private(set) var isBackground = false
    private var hasBackground = false

    /// The most ids that one request may name.
    private static let referencesMax = 256
    /// No name in the table is longer, however it is escaped.
    private static let nameBytesMax = 6 * 32

    init(body: UnsafeRawBufferPointer, surface: Surface) {
        self.body = body
        self.surface = surface
        scanner = JSONScanner(body)
    }

    /// The forms whose engines keep anything that a body can name.
    static func looksThrough(_ surface: Surface) -> Bool {
        switch surface {
        case .chatCompletions, .completions, .responses, .messages, .countTokens, .geminiGenerate, .geminiEmbed,
            .bedrockConverse, .bedrockInvoke, .imageGenerations, .audioSpeech, .audioTranscriptions:
            true
        default: false
        }
    }

    mutating func read() throws {
        guard try scanner.kind() == .object else { return }
        try readObject(in: "", depth: 0)
    }

    // MARK: Objects

    /// `parent` is the member that the object is, or is an element of.
    private mutating func readObject(in parent: String, depth: Int) throws {
        var id: (text: String, range: Range<Int>)?
        var type: String?
        var hasOtherMembers = false
        var content: Set<String> = []
        let isItem = surface == .responses && depth <= 2 && parent == "input"
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let name = name(of: key)
            let kind = try scanner.kind()
            switch name {
            case "id" where kind == .string: id = try text()
            case "type" where kind == .string: type = try text().text
            case "background" where depth == 0, "deferred" where depth == 0: try readLater(name, kind)
            default:
                hasOtherMembers = true
                if isItem, isFilled(kind) { content.insert(name) }
                try readValue(of: name, kind, in: parent, depth: depth)
            }
        }
        guard let id else { return }
        // A response's input may name an earlier item and nothing else of it; its type may be left out or null.
        let isReference =
            type == "item_reference"
            || (parent == "input" && type == nil && (!hasOtherMembers || isItem && Self.standsForKept("", content)))
            || isItem && type.map { Self.standsForKept($0, content) } ?? false
        if isReference || Self.namedByID.contains(parent) {
            try note(.other, isReference ? "input" : parent + ".id", id.text, id.range)
        }
    }

    /// Whether there is anything in a value.
    private func isFilled(_ kind: JSONKind) -> Bool {
        var value = scanner
        switch kind {
        case .null: return false
        case .string: return (try? value.string())?.range.isEmpty == false
        case .array: return (try? value.beginArray()) != nil && (try? value.nextElement()) == true
        case .object, .number, .bool: return true
        }
    }

    /// Whether an item of a response's input that has an id has nothing else of what it means, so that the engine takes
    /// that from what it keeps under the id.
    private static func standsForKept(_ type: String, _ content: Set<String>) -> Bool {
        switch type {
        case "image_generation_call": !content.contains("result")
        case "reasoning": content.isDisjoint(with: ["encrypted_content", "content"])
        case "compaction", "compaction_summary": !content.contains("encrypted_content")
        default: content.isDisjoint(with: meanings)
        }
    }

    /// Members in which an item says itself what it is.
    private static let meanings: Set<String> = [
        "content", "output", "outputs", "arguments", "input", "result", "results", "queries", "action", "actions",
        "code",
        "summary", "encrypted_content", "tools", "operation", "error", "approve", "text", "name",
    ]
    private static let namedByID: Set<String> = [
        "conversation", "container", "prompt", "audio", "cached_content", "voice",
    ]

    private mutating func readValue(of name: String, _ kind: JSONKind, in parent: String, depth: Int) throws {
        switch role(of: name, in: parent, depth: depth) {
        // Beside what a function gave back stand media of the request's own (Gemini).
        case .opaque where kind == .object && (name == "functionresponse" || name == "function_response"):
            try readParts(depth: depth)
        case .opaque: try scanner.skip()
        case .id(let what) where kind == .string: try note(what, name, try text())
        case .id(let what) where kind == .array:
            try scanner.beginArray()
            while try scanner.nextElement() {
                if try scanner.kind() == .string { try note(what, name, try text()) } else { try scanner.skip() }
            }
        case .address where kind == .string:
            let address = try text()
            if Self.isKept(address.text) || parent == "s3location" { try note(.other, name, address) }
        case .id, .address, nil: try readAny(kind, in: name, depth: depth)
        }
    }

    private mutating func readParts(depth: Int) throws {
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let name = name(of: key)
            if name == "parts" { try readAny(scanner.kind(), in: name, depth: depth + 1) } else { try scanner.skip() }
        }
    }

    private mutating func readAny(_ kind: JSONKind, in name: String, depth: Int) throws {
        switch kind {
        case .object: try readObject(in: name, depth: depth + 1)
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try readAny(scanner.kind(), in: name, depth: depth + 1) }
        case .string, .number, .bool, .null: try scanner.skip()
        }
    }

    /// `background` (OpenAI, Google) and `deferred` (xAI): whatever an engine might take for true counts only as the
    /// boolean, and only once.
    private mutating func readLater(_ name: String, _ kind: JSONKind) throws {
        guard surface == .responses || surface == .geminiGenerate || surface == .chatCompletions else {
            try scanner.skip()
            return
        }
        if kind == .null { return try scanner.null() }
        guard !hasBackground else { throw ReadingError.givenTwice(name) }
        guard kind == .bool else { throw ReadingError.wrongType(name, "a boolean") }
        hasBackground = true
        guard try scanner.bool() else { return }
        isBackground = true
    }

    // MARK: Names

    /// The name in lower case, as a decoder that folds cases would find it; empty for one that cannot be in the table.
    private func name(of key: JSONText) -> String {
        guard key.range.count <= Self.nameBytesMax else { return "" }
        guard key.isEscaped || body[key.range].contains(where: { $0 >= 0x80 || (65...90).contains($0) }) else {
            return String(decoding: body[key.range], as: UTF8.self)
        }
        // The long s and the Kelvin sign fold to letters of ASCII, too.
        return String(
            key.value(in: body).unicodeScalars.map { scalar -> Character in
                switch scalar.value {
                case 0x17F: "s"
                case 0x212A: "k"
                default: Character(scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar)
                }
            })
    }

    private func role(of name: String, in parent: String, depth: Int) -> Role? {
        switch name {
        // By far the most.
        case "content", "role", "text": nil
        case "previous_response_id": .id(.response)
        case "previous_interaction_id", "previousinteractionid": .id(.interaction)
        case "file_id", "file_ids": .id(.file)
        // Of the code interpreter: of the tool, and of a call that is handed in again.
        case "container", "container_id": .id(.container)
        case "vector_store_id", "vector_store_ids", "conversation", "cached_content", "cachedcontent",
            "filesearchstorenames", "file_search_store_names", "ragcorpus", "rag_corpus", "ragcorpora", "rag_corpora",
            "datastore":
            .id(.other)
        case "skill_id": .id(.other)
        case "fileuri", "file_uri", "uri": .address
        case "parameters", "schema", "json_schema", "jsonschema", "input_schema", "inputschema", "function",
            "functions", "functiondeclarations", "function_declarations", "functioncall", "function_call",
            "functionresponse", "function_response", "args", "arguments", "metadata", "labels", "requestmetadata",
            "json", "responseschema", "response_schema", "response_format", "logit_bias":
            .opaque
        // The arguments of a call of a tool.
        case "input" where depth > 0 && (surface != .responses && surface != .geminiGenerate): .opaque
        default: nil
        }
    }

    /// Whether an address leads into a store that the gateway's own credentials open: Google's files, buckets. Anything
    /// on the open web is fetched as anybody may fetch it.
    static func isKept(_ address: String) -> Bool {
        let lower = address.lowercased()
        if lower.hasPrefix("data:") { return false }
        guard let scheme = ["https://", "http://"].first(where: { lower.hasPrefix($0) }) else { return true }
        let rest = lower.dropFirst(scheme.utf8.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@"), !authority.contains("\\"), !authority.contains("%") else { return true }
        var host = authority.prefix { $0 != ":" }
        while host.last == "." { host = host.dropLast() }
        return host.isEmpty || host == "googleapis.com" || host.hasSuffix(".googleapis.com")
            || host.hasSuffix(".cloud.google.com")
    }

    // MARK: Values

    private mutating func text() throws(JSONScanError) -> (text: String, range: Range<Int>) {
        let text = try scanner.string()
        // Longer than any id is as good as no id: it opens for nobody.
        let shown = text.range.count <= 4096 ? text.value(in: body) : String(repeating: "?", count: 600)
        return (shown, text.range.lowerBound - 1..<text.range.upperBound + 1)
    }

    private mutating func note(
        _ kind: KeptReference.Kind, _ field: String, _ id: (text: String, range: Range<Int>)
    ) throws(ReadingError) {
        try note(kind, field, id.text, id.range)
    }

    private mutating func note(
        _ kind: KeptReference.Kind, _ field: String, _ id: String, _ range: Range<Int>
    ) throws(ReadingError) {
        guard references.count < Self.referencesMax else {
            throw .refused(
                RequestError(
                    message: "The request names more than \(Self.referencesMax) files or other kept objects. Name "
                        + "fewer.", parameter: field, code: "too_many_references"))
        }
        references.append(KeptReference(kind: kind, field: field, id: id, range: range))
    }
}
