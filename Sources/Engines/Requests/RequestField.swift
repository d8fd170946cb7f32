internal import Metering

/// What a member of a request body is to the gateway. What no table names is read for nothing but its length.
struct RequestField: Sendable {
    enum Role: Sendable {
        case model, stream, streamOptions, serviceTier, user, metadata
        /// How long an answer may be, by one of the names for it.
        case outputTokensMax(AnswerLengths.Names)
        /// No answer is shorter: with no limit beside it, or a smaller one, the answer is at least as long.
        case outputTokensMin
        /// How many answers are made.
        case choices
        /// The same where only the best of them is shown (TGI).
        case bestOf
        /// An object whose `type` is the tier (Bedrock).
        case serviceTierObject
        /// Text of the prompt: messages, which must be an array.
        case messages
        /// Text of the prompt: a string, tokens, or a list of either.
        case prompt
        /// The same, and a list of them is as many prompts, each with choices of its own.
        case prompts
        /// Prompts that are tensors, in Base64; beside `prompts` they are more of them.
        case embeddedPrompts
        /// A string that holds an object of JSON, with fields of its own.
        indirect case textOfMembers(RequestTable)
        /// Text of the prompt in whatever form.
        case text
        /// Text of the prompt: documents, which are counted too.
        case documents
        /// What is to be read out; counted in characters too.
        case spoken
        /// `sse` makes the answer a stream.
        case streamFormat
        case responseFormat
        /// An object with fields of its own.
        indirect case nested(RequestTable)
        /// The same where it is an object; anything else is the engine's affair.
        indirect case within(RequestTable)
        /// The same, and the place where TGI and Triton are asked for usage.
        indirect case parameters(RequestTable)
        /// A flag of which it is known where it stands and what it says.
        case usageOption
        /// A picture, sound or file that stands beside the prompt.
        case media(MediaKind)
        /// Whether the engine is to keep the answer, so that it can be fetched again.
        case store
        /// The address of a sound, which is refused: its length is what such a request costs.
        case soundAddress
        /// A sound in Base64, or by its address.
        case sound
        /// Has the engine shorten what it was sent, by work of its own.
        case contextManagement
        /// Writes the prompt by a template of the client's own, which can make anything of it.
        case template
        /// The name of the model, which stands in the path already (Google's embeddings).
        case repeatedModel
        /// Texts to embed, each of which may name the model again; or what `predict` is to embed.
        case embedRequests, embedInstances
        /// Who is to speak: a name, or a sound to speak like.
        case voice
        /// What no engine shows its model: no part of the input.
        case setting
        /// Tools, of which some are sold by the call.
        case tools
        /// The kinds of output asked for.
        case modalities
        /// Turns on a search that is sold by the call.
        case search(SearchSwitch)
    }

    let name: StaticString
    let role: Role

    init(_ name: StaticString, _ role: Role) {
        self.name = name
        self.role = role
    }
}

/// The members that are read of an object.
struct RequestTable: Sendable {
    let fields: [RequestField]
    let names: NameTable

    init(_ fields: [RequestField]) {
        self.fields = fields
        names = NameTable(fields.map(\.name))
        assert(Set(fields.map(\.name.description)).count == fields.count, "a name stands twice in a table")
    }
}
