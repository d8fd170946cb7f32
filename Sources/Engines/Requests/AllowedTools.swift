internal import Metering

/// The tools that a request may ask for: those that the client runs itself and those that plans can sell. Whatever is
/// not in this list is refused, because nobody knows what it costs; a new one is a line.
enum AllowedTools {
    enum Meaning: Sendable {
        /// The client runs it, or it costs nothing but the tokens that usage counts.
        case free
        /// Sold by the call: plans that price it serve it.
        case sold(RequestedFeatures)
        /// A group of tools.
        case group
    }

    /// The forms of requests whose tools have the same names.
    enum Form: Sendable {
        case chat, responses, messages, gemini, converse, invoke

        init(_ surface: Surface) {
            self =
                switch surface {
                case .responses: .responses
                case .messages, .countTokens: .messages
                case .geminiGenerate, .geminiEmbed: .gemini
                case .bedrockConverse: .converse
                case .bedrockInvoke: .invoke
                default: .chat
                }
        }
    }

    /// What the `type` of a tool means; nil where it is not in the list.
    static func meaning(ofType type: JSONText, in body: UnsafeRawBufferPointer, _ form: Form) -> Meaning? {
        // Nearly all are these.
        if type.equals("function", in: body) || type.equals("custom", in: body) { return .free }
        guard type.range.count <= nameBytesMax else { return nil }
        let name = type.value(in: body)
        if free(form).contains(name) { return .free }
        if form == .responses, name == "namespace" { return .group }
        let stem = stem(of: name)
        if form != .gemini, clientTools.contains(stem) { return .free }
        return soldTypes[stem].map { .sold($0) }
    }

    /// What a member of a tool means, where tools are told by their members (Gemini, Converse). Nil where it says
    /// nothing by itself.
    static func meaning(ofMember key: JSONText, in body: UnsafeRawBufferPointer) -> Meaning? {
        members.meaning(of: key, in: body)
    }

    /// Whether it is a search of chats that no answer counts, whatever its version.
    static func isSilentSearch(_ type: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        silentSearches.contains(stem(of: type.value(in: body)))
    }

    private static let silentSearches: Set<String> = ["web_search", "web_search_premium"]

    /// No way to write `type` is longer, however it is escaped.
    static let typeBytesMax = 6 * 4
    /// Longer names are none of the list's, whatever escapes they are written with.
    private static let nameBytesMax = 6 * 64

    /// The name without its date and `_preview`: names with dates behind them are versions of one tool.
    private static func stem(of name: String) -> String {
        var stem = name[...]
        if let end = stem.lastIndex(where: { !$0.isASCII || !"_0123456789".contains($0) }) {
            let rest = stem[stem.index(after: end)...]
            if rest.first == "_", rest.count > 1 { stem = stem[...end] }
        }
        return String(stem.hasSuffix("_preview") ? stem.dropLast(8) : stem)
    }

    private static func free(_ form: Form) -> Set<String> {
        switch form {
        case .responses: ["computer_use_preview", "computer", "apply_patch", "local_shell", "tool_search", "mcp"]
        // What these read and write is in the tokens.
        case .gemini: ["computer_use", "code_execution", "url_context"]
        case .chat, .messages, .converse, .invoke: []
        }
    }

    /// Anthropic's tools that the client runs, and the search among a client's own tools. Their types have dates.
    private static let clientTools: Set<String> = [
        "computer", "bash", "text_editor", "memory", "tool_search_tool_regex", "tool_search_tool_bm25",
    ]

    /// `web_search` is OpenAI's, Anthropic's, xAI's and others', `x_search` and `live_search` xAI's,
    /// `web_search_premium` Mistral's, `browser_search` Groq's, `google_search` that of Google's interactions.
    private static let soldTypes: [String: RequestedFeatures] = [
        "web_search": .webSearch, "web_search_premium": .webSearch, "x_search": .webSearch,
        "live_search": .webSearch, "browser_search": .webSearch, "google_search": .webSearch,
        "openrouter:web_search": .webSearch, "image_generation": .outputPictures,
        // No plan can sell these yet: nothing counts them.
        "file_search": .fileSearch, "collections_search": .fileSearch, "document_search": .fileSearch,
        "attachment_search": .fileSearch, "retrieval": .fileSearch, "document_library": .fileSearch,
        "code_interpreter": .codeInterpreter, "code_execution": .codeInterpreter,
    ]

    private static let members = NamedMeanings([
        [
            "type", "name", "description", "parameters", "strict", "function", "custom", "format", "input_schema",
            "inputSchema", "output_schema", "title", "annotations", "cache_control", "defer_loading",
            "allowed_callers", "input_examples", "eager_input_streaming", "functionDeclarations",
            "function_declarations", "computerUse", "computer_use", "toolSpec", "cachePoint",
            // Google's, whose use is in the tokens.
            "codeExecution", "code_execution", "urlContext", "url_context",
        ]: Meaning.free,
        [
            "google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval",
            "enterprise_web_search", "enterpriseWebSearch",
            // Bedrock's own tools: Nova's grounding.
            "systemTool",
        ]: .sold(.webSearch),
        ["fileSearch", "file_search", "retrieval"]: .sold(.fileSearch),
        ["googleMaps", "google_maps", "connector_id"]: .sold(.otherTool),
    ])

    /// What a plugin of OpenRouter's means; nil where it is not in the list. Its names are matched in any case.
    static func meaning(ofPlugin name: String) -> Meaning? {
        switch name.lowercased() {
        case "web": .sold(.webSearch)
        case "response-healing", "context-compression": .free
        default: nil
        }
    }
}

/// One tool of a request while it is read.
struct RequestedTool {
    private(set) var features: RequestedFeatures = []
    /// The name by which it is refused.
    private(set) var refused: String?
    private var hasType = false
    /// A server of the client's own, to which the engine must be told the way: without one it may mean its own tools.
    private var lacksAddress = false
    private var hasAddress = false
    private var label = RestrictedMembers()
    /// What it asks for that no client may choose.
    private(set) var restricted = RestrictedMembers()
    /// Whether it has what only a function has: then other members are options of it.
    private var isFunction = false
    private let form: AllowedTools.Form
    /// Whether it is a search that no answer counts: a `web_search` of chats (Zhipu, Mistral), which is made for each
    /// answer.
    private(set) var isSilentSearch = false
    /// The model that it names for itself.
    private(set) var model: String?
    /// Whether it names another one, too.
    private(set) var hasSeveralModels = false
    /// The first member that says nothing by itself; in a tool without a type it may be a tool's name.
    private var stranger: JSONText?

    /// The longest name that messages show.
    static let shownBytesMax = 100

    init(_ form: AllowedTools.Form) { self.form = form }

    mutating func take(type: JSONText, in body: UnsafeRawBufferPointer) {
        hasType = true
        if type.equals("mcp", in: body) {
            lacksAddress = true
            features.insert(.remoteTool)
        }
        let meaning = AllowedTools.meaning(ofType: type, in: body, form)
        if case .sold(.webSearch)? = meaning, form == .chat, AllowedTools.isSilentSearch(type, in: body) {
            isSilentSearch = true
        }
        take(meaning, type, body)
    }

    /// The tool's own `web_search` says that it is off.
    mutating func switchOff() { isSilentSearch = false }

    /// A member other than the type, whose value is not null.
    mutating func take(member key: JSONText, in body: UnsafeRawBufferPointer) {
        // To a reader that folds cases it is the type.
        if key.range.count <= AllowedTools.typeBytesMax, key.value(in: body).lowercased() == "type" {
            take(nil, key, body)
        }
        guard let meaning = AllowedTools.meaning(ofMember: key, in: body) else {
            stranger = stranger ?? key
            return
        }
        if form != .gemini, form != .converse, key.equals("name", in: body) || key.equals("function", in: body) {
            isFunction = true
        }
        take(meaning, key, body)
    }

    /// The server has an address.
    mutating func takeAddress() { hasAddress = true }

    /// A label by which an engine would turn on a tool of its own, whatever the address beside it says (vLLM).
    static func isOwnLabel(_ label: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        ownLabels.contains(shown(label, in: body).lowercased())
    }

    mutating func take(restricted members: RestrictedMembers) { label.formUnion(members) }

    private static let ownLabels: Set<String> = [
        "code_interpreter", "container", "python", "browser", "web_search", "web_search_preview",
    ]

    mutating func take(model name: JSONText, in body: UnsafeRawBufferPointer) {
        let name = RequestedTool.shown(name, in: body)
        if let model, model != name { hasSeveralModels = true }
        model = name
    }

    /// A tool that is no object, or whose type is no text.
    mutating func takeUnreadable(_ shown: String) {
        features.insert(.otherTool)
        refused = refused ?? shown
    }

    /// All of it was read.
    mutating func finish(in body: UnsafeRawBufferPointer) {
        if lacksAddress, !hasAddress {
            features.insert(.otherTool)
            refused = refused ?? "mcp without server_url"
        }
        if lacksAddress { restricted = label }
        if !hasType, !isFunction, let stranger { take(nil, stranger, body) }
    }

    private mutating func take(_ meaning: AllowedTools.Meaning?, _ name: JSONText, _ body: UnsafeRawBufferPointer) {
        switch meaning {
        case .free?, .group?: return
        case .sold(let asked)?:
            features.formUnion(asked)
            if asked != .otherTool { return }
        case nil: features.insert(.otherTool)
        }
        refused = refused ?? RequestedTool.shown(name, in: body)
    }

    static func shown(_ name: JSONText, in body: UnsafeRawBufferPointer) -> String {
        guard name.range.count <= 6 * shownBytesMax else {
            return String(decoding: body[name.range].prefix(shownBytesMax), as: UTF8.self)
        }
        return String(name.value(in: body).prefix(shownBytesMax))
    }
}
