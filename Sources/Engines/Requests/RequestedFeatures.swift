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
    /// Tools and plugins of which nobody knows what they cost.
    public static let otherTool = RequestedFeatures(rawValue: 1 << 8)

    /// Tools of the client's own that the engine calls: they cost the tokens that the model reads of them.
    public static let remoteTool = RequestedFeatures(rawValue: 1 << 9)

    /// Each of them alone, with its name in messages and the field that asks for it.
    public static let all: [(feature: RequestedFeatures, name: String, parameter: String)] = [
        (.inputPictures, "pictures as input", "messages"), (.inputSound, "sound as input", "messages"),
        (.inputVideo, "video as input", "messages"), (.outputSound, "sound as output", "modalities"),
        (.outputPictures, "pictures as output", "modalities"), (.webSearch, "web search", "tools"),
        (.fileSearch, "file search", "tools"), (.codeInterpreter, "the code interpreter", "tools"),
        (.otherTool, "other tools of the engine's", "tools"),
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

    private typealias Names = [(name: StaticString, features: RequestedFeatures)]

    private static let partTypes: Names = [
        ("image_url", .inputPictures), ("input_image", .inputPictures), ("image", .inputPictures),
        ("input_audio", .inputSound), ("audio_url", .inputSound), ("audio", .inputSound),
        ("video_url", .inputVideo), ("input_video", .inputVideo), ("video", .inputVideo),
    ]

    private static let modalities: Names = [
        ("audio", .outputSound), ("AUDIO", .outputSound), ("image", .outputPictures), ("IMAGE", .outputPictures),
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
}
