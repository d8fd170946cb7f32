public import Metering

/// What the gateway reads out of a request body: enough to admit, route, bill and mend it, and no text of the prompt.
public struct InferenceRequest: Sendable {
    public let surface: Surface
    /// The model as the client wrote it, in the body or in the path; empty where the backend alone decides.
    public internal(set) var model = ""
    public internal(set) var isStream = false
    /// Whether the client asked for the usage chunk (`stream_options.include_usage`).
    public internal(set) var wantsUsageChunk = false
    /// Whether the client asked for a count in each chunk (`stream_options.continuous_usage_stats`).
    public internal(set) var wantsContinuousUsage = false
    /// What it says about its answer's length.
    var lengths = AnswerLengths()
    /// How many choices the answer has at most: the largest of `n`, `best_of` and their like, for each prompt.
    public internal(set) var choiceCount: Int64 = 1
    /// Of how many sequences TGI shows the best.
    var bestOf: Int64 = 1
    /// How many prompts the body holds; more than one only where a list of them is allowed.
    var promptCount: Int64 = 1
    /// The tier as the client wrote it; nil when it named none.
    public internal(set) var serviceTier: String?
    /// From `user` and the text values of `metadata`; not yet checked against the bounds of tags.
    public internal(set) var tags: [Tag] = []
    /// Whether there are more of them than are kept.
    public internal(set) var hasMoreTags = false
    /// What all that an engine may show its model comes to.
    public internal(set) var input = InputMeasure()
    /// The call of a system's own API that this is; nil for the surfaces that all systems share.
    public internal(set) var native: NativeCall?
    /// What the body says of how much the answer will come to beside tokens.
    var bodyMeasures = RequestMeasures()
    /// What is asked for beside text.
    public internal(set) var features: RequestedFeatures = []
    /// A tool or plugin among them that is in no list of allowed ones (`.otherTool`).
    public internal(set) var otherTool: String?
    /// `response_format` of transcriptions and pictures: `text`, `srt` and `vtt` have no room for usage.
    public internal(set) var responseFormat: String?

    /// Whether the engine is to shorten what it was sent: what that costs is in its usage alone.
    public internal(set) var managesContext = false
    /// The model that a tool of it is to make pictures with.
    public internal(set) var pictureModel: String?
    /// Whether it writes its prompt by a template of its own.
    public internal(set) var choosesTemplate = false
    /// Whether the plan sells what pictures cost in tokens alone.
    public var countsPicturesInTokens = false
    /// Whether it names an address on the web, which the engine is to fetch something from.
    public internal(set) var namesAddress = false
    /// A text in the place of a picture or sound that an engine with files beside it may take for a path.
    var possiblePath: String?
    /// Members that the gateway lets no client set, wherever some engine knows them.
    var restrictedMembers = RestrictedMembers()

    /// Whether the work goes on after the answer, which is only a receipt (`background`, xAI's `deferred`).
    public internal(set) var isBackground = false
    /// Whether the engine may keep the answer, so that it can be fetched by its id: unless `store` says no.
    public internal(set) var isKept = true
    /// What the body names of what engines keep.
    public internal(set) var references: [KeptReference] = []
    /// What it says of the model's reasoning.
    public internal(set) var reasoning = ReasoningWish.unsaid
    /// Whether the engine runs tools for it, whose results the model reads out of sight.
    public var runsTools: Bool {
        !features.isDisjoint(with: [.webSearch, .fileSearch, .codeInterpreter, .otherTool, .remoteTool])
    }
    /// Whether the model reads what is not in the body: earlier responses, files, caches.
    public var readsKeptText: Bool { !references.isEmpty }
    /// The engine's own ids in their places.
    var openedReferences: [ByteEdit] = []
    /// The most tags of a body that are kept: nobody takes more.
    static let tagsMax = 64

    /// Where the model's name stands in the body; empty where it is not there.
    var modelRange = 0..<0
    /// Where the body itself is to be changed.
    var body = Body.json(insideStart: 0, isEmpty: false)
    /// Where a body names again the model of its path.
    var repeatedModels: [RepeatedModel] = []
    /// The texts that `predict` is to embed, each of which has its count in the answer.
    var instanceCount = 0
    var streamOptions = StreamOptions.absent
    var usageOptions = UsageOptions()
    /// Whether the body has `inputs`, which only TGI's dialect knows.
    var hasInputs = false
    /// Whether the body has `messages` or a `prompt`, which are the completions'.
    var hasMessages = false
    /// Whether the body itself asks for a stream, whatever the path says.
    var asksForStream = false

    init(surface: Surface) { self.surface = surface }

    /// Whether the answer repeats the prompt before what the model writes.
    var isEchoed: Bool { surface == .completions && usageOptions.flags["echo"]?.isTrue == true }

    /// Whether its words to stop at are so long that the engine holds text back which may become one.
    var holdsTextBack: Bool {
        ["stop", "stop_sequences", "stopSequences"].contains {
            usageOptions.flags[$0].map { $0.range.count > InferenceRequest.stopBytesMax } ?? false
        }
    }
    private static let stopBytesMax = 64

    /// What is asked for.
    public var operation: Operation { surface.operation }

    /// What the answer will come to beside tokens, as far as the request alone decides.
    public var measures: RequestMeasures {
        var measures = bodyMeasures
        if operation == .imageGeneration { measures.images = choiceCount }
        return measures
    }

    /// What the body is made of.
    enum Body: Sendable {
        /// A JSON object: the offset just inside its brace, and whether it has no members.
        case json(insideStart: Int, isEmpty: Bool)
        /// A form, whose parts stand between lines of `--` and the boundary.
        case form(boundary: String)
        /// Nothing was read.
        case none
    }

    /// Where `include_usage` has to be written.
    enum StreamOptions: Sendable {
        case absent
        /// Written as `null`.
        case null(Range<Int>)
        /// An object; the offset just inside its brace, and its two fields as far as they are there.
        case object(insideStart: Int, isEmpty: Bool, usage: Flag?, continuous: Flag?)
    }

    /// A boolean in the body.
    struct Flag: Sendable {
        let range: Range<Int>
        let isTrue: Bool
    }

    /// The options by which TGI and Triton are asked for usage, wherever they stand.
    struct UsageOptions: Sendable {
        /// Just inside the brace of `parameters`; nil when there is no such object.
        var parametersStart: Int?
        var areParametersEmpty = false
        /// `"parameters": null`.
        var nullParameters: Range<Int>?
        var flags: [String: Flag] = [:]
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
