public import Metering

/// What the gateway reads out of a request body: enough to admit, route, bill and mend it, and no text of the prompt.
public struct InferenceRequest: Sendable {
    public let surface: Surface
    /// The model as the client wrote it.
    public internal(set) var model = ""
    public internal(set) var isStream = false
    /// Whether the client asked for the usage chunk (`stream_options.include_usage`).
    public internal(set) var wantsUsageChunk = false
    /// Whether the client asked for a count in each chunk (`stream_options.continuous_usage_stats`).
    public internal(set) var wantsContinuousUsage = false
    /// The smaller of `max_tokens` and `max_completion_tokens`; nil when neither is given.
    public internal(set) var outputTokensMax: Int64?
    /// How many choices the answer will have: `n` for each prompt.
    public internal(set) var choiceCount: Int64 = 1
    /// `service_tier` as the client wrote it; nil when it named none.
    public internal(set) var serviceTier: String?
    /// From `user` and the text values of `metadata`; not yet checked against the bounds of tags.
    public internal(set) var tags: [Tag] = []
    /// Bytes of UTF-8 of all text in the prompt, plus `UsageEstimate.bytesPerToken` for each token given as a number.
    public internal(set) var promptTextBytes: Int64 = 0

    /// The call of a system's own API that this is; nil for the surfaces that all systems share.
    public internal(set) var native: NativeCall?
    /// What the answer will come to beside tokens, as far as the request alone decides: characters to read out.
    public internal(set) var units = UsageUnits()
    /// The form of a transcription that has no room for usage (`text`, `srt`, `vtt`), else nil.
    public internal(set) var responseFormat: String?

    /// Where the model's name stands in the body, and how; empty where the path names it.
    var modelRange = 0..<0
    /// Whether the name stands there as it is (a part of a form), or as a JSON string with its quotes.
    var isModelPlain = false
    /// Where members may be written into nested objects that ask for usage (`parameters` of TGI and Triton).
    var parameters = UsageParameters.absent
    /// The offset just inside the outermost brace.
    var insideStart = 0
    var streamOptions = StreamOptions.absent

    init(surface: Surface) { self.surface = surface }

    /// What is asked for.
    public var operation: Operation { surface.operation }

    /// What a request has of the options by which TGI and Triton report usage.
    enum UsageParameters: Hashable, Sendable {
        case absent
        /// Written as `null`.
        case null(Range<Int>)
        /// An object; the offset just inside its brace.
        case object(insideStart: Int, isEmpty: Bool)
    }

    /// Where `include_usage` has to be written.
    enum StreamOptions: Sendable {
        case absent
        /// Written as `null`.
        case null(Range<Int>)
        /// An object without the field; the offset just inside its brace.
        case object(insideStart: Int, isEmpty: Bool)
        /// The field's value is not `true`.
        case refused(Range<Int>)
        /// The field's value is `true`.
        case included
    }
}

/// Why a request body is refused: becomes a 400 in the client's own dialect.
public struct RequestError: Error, Hashable, Sendable {
    /// Says what is wrong and what to do.
    public let message: String
    /// The field at fault; nil when it is the body as a whole.
    public let parameter: String?
    /// A stable code, such as `invalid_json`.
    public let code: String

    /// A refusal.
    public init(message: String, parameter: String? = nil, code: String) {
        self.message = message
        self.parameter = parameter
        self.code = code
    }
}

/// A change to a body that leaves all its other bytes as they are.
public struct ByteEdit: Hashable, Sendable {
    /// The bytes to leave out; empty to insert.
    public let range: Range<Int>
    public let replacement: [UInt8]
}

extension InferenceRequest {
    /// The edits, in order and apart from one another, that make the body what the engine should get: its own model
    /// name and, for streams, `include_usage`.
    public func edits(upstreamModel: String) -> [ByteEdit] {
        var edits: [ByteEdit] = []
        if upstreamModel != model {
            var name: [UInt8] = []
            JSONString.append(upstreamModel, to: &name)
            edits.append(ByteEdit(range: modelRange, replacement: name))
        }
        if isStream, let edit = usageEdit { edits.append(edit) }
        return edits.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    private var usageEdit: ByteEdit? {
        switch streamOptions {
        case .included: nil
        case .absent:
            ByteEdit(
                range: insideStart..<insideStart, replacement: Array(#""stream_options":{"include_usage":true},"#.utf8)
            )
        case .null(let range): ByteEdit(range: range, replacement: Array(#"{"include_usage":true}"#.utf8))
        case .refused(let range): ByteEdit(range: range, replacement: Array("true".utf8))
        case .object(let start, let isEmpty):
            ByteEdit(range: start..<start, replacement: Array((#""include_usage":true"# + (isEmpty ? "" : ",")).utf8))
        }
    }
}
