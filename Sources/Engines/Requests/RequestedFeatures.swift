/// What a request asks for beside text: kinds of input and output, and the tools that engines sell by the call. Read in
/// the pass that reads the rest of the body.
public struct RequestedFeatures: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let inputPictures = RequestedFeatures(rawValue: 1 << 0)
    public static let inputSound = RequestedFeatures(rawValue: 1 << 1)
    public static let inputVideo = RequestedFeatures(rawValue: 1 << 2)
    public static let outputSound = RequestedFeatures(rawValue: 1 << 3)
    public static let outputPictures = RequestedFeatures(rawValue: 1 << 4)
    /// Searches of the web, of maps or of a network's posts: each search is billed.
    public static let webSearch = RequestedFeatures(rawValue: 1 << 5)
    /// Searches of files that the engine keeps.
    public static let fileSearch = RequestedFeatures(rawValue: 1 << 6)
    /// Code that the engine runs in containers of its own.
    public static let codeInterpreter = RequestedFeatures(rawValue: 1 << 7)

    /// Each of them alone, with its name in messages and the field that asks for it.
    public static let all: [(feature: RequestedFeatures, name: String, parameter: String)] = [
        (.inputPictures, "pictures as input", "messages"), (.inputSound, "sound as input", "messages"),
        (.inputVideo, "video as input", "messages"), (.outputSound, "sound as output", "modalities"),
        (.outputPictures, "pictures as output", "modalities"), (.webSearch, "web search", "tools"),
        (.fileSearch, "file search", "tools"), (.codeInterpreter, "the code interpreter", "tools"),
    ]
}

extension RequestedFeatures {
    /// What the `type` of a part of a message means (OpenAI, Anthropic, vLLM).
    init(partType type: JSONText, in body: UnsafeRawBufferPointer) {
        self = RequestedFeatures.partTypes.first { type.equals($0.name, in: body) }?.features ?? []
    }

    /// What a picture, sound or video in a prompt is.
    init(input kind: MediaKind?) {
        self =
            switch kind {
            case .picture: .inputPictures
            case .sound: .inputSound
            case .video: .inputVideo
            case .file, .unknown, nil: []
            }
    }

    /// What one of `modalities` (OpenAI, OpenRouter) or `responseModalities` (Gemini) means.
    init(modality: JSONText, in body: UnsafeRawBufferPointer) {
        self = RequestedFeatures.modalities.first { modality.equals($0.name, in: body) }?.features ?? []
    }

    /// What the `type` of a tool means: names with dates behind them are versions of one tool. Functions, and tools
    /// that cost tokens alone, mean nothing.
    init(toolType type: JSONText, in body: UnsafeRawBufferPointer) {
        let tool = RequestedFeatures.toolTypes.first { type.hasPrefix($0.name, in: body) }
        self = tool?.features ?? []
    }

    /// What a member of a tool means, where tools are told by their members (Gemini).
    init(toolMember key: JSONText, in body: UnsafeRawBufferPointer) {
        self = RequestedFeatures.toolMembers.first { key.equals($0.name, in: body) }?.features ?? []
    }

    private typealias Names = [(name: StaticString, features: RequestedFeatures)]

    private static let partTypes: Names = [
        ("image_url", .inputPictures), ("input_image", .inputPictures), ("image", .inputPictures),
        ("input_audio", .inputSound), ("audio_url", .inputSound), ("audio", .inputSound),
        ("video_url", .inputVideo), ("input_video", .inputVideo), ("video", .inputVideo),
    ]

    private static let modalities: Names = [
        ("audio", .outputSound), ("AUDIO", .outputSound), ("image", .outputPictures), ("IMAGE", .outputPictures),
    ]

    /// `web_search` is OpenAI's, Anthropic's and xAI's, `x_search` and `collections_search` xAI's.
    private static let toolTypes: Names = [
        ("web_search", .webSearch), ("x_search", .webSearch), ("file_search", .fileSearch),
        ("collections_search", .fileSearch), ("code_interpreter", .codeInterpreter),
        ("code_execution", .codeInterpreter), ("browser_search", .webSearch), ("image_generation", .outputPictures),
        ("openrouter:web_search", .webSearch),
    ]

    /// Gemini's code execution, its reading of pages and its file search cost tokens alone.
    private static let toolMembers: Names = [
        ("google_search", .webSearch), ("googleSearch", .webSearch), ("google_search_retrieval", .webSearch),
        ("googleSearchRetrieval", .webSearch), ("google_maps", .webSearch), ("googleMaps", .webSearch),
        ("enterprise_web_search", .webSearch), ("enterpriseWebSearch", .webSearch),
        // Bedrock's own tools: Nova's grounding.
        ("systemTool", .webSearch),
    ]
}

// MARK: - Reading

extension RequestedFeatures {
    /// A list of kinds of output.
    static func readModalities(
        _ scanner: inout JSONScanner, in body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> RequestedFeatures {
        guard try scanner.kind() == .array else {
            try scanner.skip()
            return []
        }
        var features: RequestedFeatures = []
        try scanner.beginArray()
        while try scanner.nextElement() {
            if try scanner.kind() == .string {
                features.formUnion(RequestedFeatures(modality: try scanner.string(), in: body))
            } else {
                try scanner.skip()
            }
        }
        return features
    }

    /// An object whose presence turns the search on: `web_search_options` (OpenAI), `search_parameters` (xAI, unless
    /// its mode is `off`), and the plugin `web` (OpenRouter).
    static func readSearch(
        _ scanner: inout JSONScanner, in body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> RequestedFeatures {
        switch try scanner.kind() {
        case .object: return try isSwitchedOff(&scanner, in: body) ? [] : .webSearch
        case .array:
            var features: RequestedFeatures = []
            try scanner.beginArray()
            while try scanner.nextElement() {
                guard try scanner.kind() == .object else {
                    try scanner.skip()
                    continue
                }
                try scanner.beginObject()
                while let key = try scanner.nextKey() {
                    guard try scanner.kind() == .string, key.equals("id", in: body) else {
                        try scanner.skip()
                        continue
                    }
                    if try scanner.string().equals("web", in: body) { features.insert(.webSearch) }
                }
            }
            return features
        default:
            try scanner.skip()
            return []
        }
    }

    private static func isSwitchedOff(
        _ scanner: inout JSONScanner, in body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        // Given twice, engines may read either: off is what all say.
        var isOff: Bool?
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            guard try scanner.kind() == .string, key.equals("mode", in: body) else {
                try scanner.skip()
                continue
            }
            let says = try scanner.string().equals("off", in: body)
            isOff = says && isOff ?? true
        }
        return isOff ?? false
    }
}

extension JSONText {
    /// Whether the text, as it is written, begins so. An escaped one is unescaped first.
    fileprivate func hasPrefix(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
        if isEscaped { return value(in: bytes).utf8.starts(with: name.description.utf8) }
        guard range.count >= name.utf8CodeUnitCount else { return false }
        let prefix = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return bytes[range.lowerBound..<range.lowerBound + prefix.count].elementsEqual(prefix)
    }
}
