/// One API form: which requests it takes, and how it words answers and errors. One file each in `Dialects`.
protocol Dialect: Sendable {
    var operation: Operation { get }
    /// How its requests say who they come from.
    var credentials: CredentialScheme { get }
    /// How its errors are worded.
    var envelope: ErrorEnvelope { get }
    /// Reads a request and checks it as the real thing would.
    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest
    /// What words the answer.
    func template(_ sheet: AnswerSheet) -> any AnswerTemplate
}

/// What an answer says about itself, beside its tokens.
struct AnswerSheet: Sendable {
    let plan: GenerationPlan
    let request: EngineRequest
    /// Sixteen hexadecimal digits.
    let id: String
    /// Milliseconds since 1970.
    let startedMilliseconds: Int
    /// The model as the answer names it.
    let model: String
    /// The tier as the answer names it; nil says nothing.
    let servedTier: String?

    var behavior: Behavior { plan.behavior }
    /// Unix seconds.
    var created: Int { startedMilliseconds / 1000 }
}

/// Words one answer. A dialect makes one per request; it may note what it has said.
protocol AnswerTemplate: Sendable {
    var sheet: AnswerSheet { get }
    /// The last usage that was said, as JSON; nil when none was.
    var usageSaid: String? { get }

    /// The whole of a plain answer.
    mutating func plain() -> PreparedAnswer

    /// How a stream begins and how its pieces become bytes.
    var stream: StreamHead { get }
    /// What comes before a choice's first token.
    mutating func opening(choice: Int) -> [StreamPiece]
    /// Some tokens of a choice.
    mutating func tokens(_ step: TokenStep) -> [StreamPiece]
    /// A choice's finish reason, apart from its tokens.
    mutating func finish(choice: Int) -> [StreamPiece]
    /// What holds the usage of the whole answer.
    mutating func usage() -> [StreamPiece]
    /// What says that the answer is over.
    mutating func terminator() -> [StreamPiece]
    /// An error in place of more tokens.
    mutating func failure(_ error: EngineError) -> [StreamPiece]
}

extension AnswerTemplate {
    var plan: GenerationPlan { sheet.plan }
    var behavior: Behavior { sheet.plan.behavior }

    var stream: StreamHead { StreamHead() }
    mutating func opening(choice: Int) -> [StreamPiece] { [] }
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] { [] }
    mutating func finish(choice: Int) -> [StreamPiece] { [] }
    mutating func usage() -> [StreamPiece] { [] }
    mutating func terminator() -> [StreamPiece] { [] }
    mutating func failure(_ error: EngineError) -> [StreamPiece] { [.event(error.json)] }
}

/// Some tokens of a choice, at the moment they are sent.
struct TokenStep: Sendable {
    let choice: Int
    let positions: Range<Int>
    /// Whether the finish reason rides along.
    let finishes: Bool
    /// Tokens of all choices with these.
    let tokensSoFar: Int
}

/// How a stream begins.
struct StreamHead: Sendable {
    /// How pieces become bytes.
    enum Framing: Sendable, Equatable {
        /// Server-sent events; some write no space after `data:`.
        case serverSentEvents(space: Bool)
        /// `application/vnd.amazon.eventstream`.
        case awsEventStream
        /// Server-sent events inside SageMaker's payload parts, cut anywhere.
        case payloadParts
        /// The elements of a JSON array.
        case jsonArray
        /// As they are.
        case bytes
    }

    var framing = Framing.serverSentEvents(space: true)
    var contentType = "text/event-stream; charset=utf-8"
    var headers: [(name: String, value: String)] = []
}

/// A part of a stream that has a meaning of its own.
enum StreamPiece: Sendable, Equatable {
    /// An event; AWS's frames take the name as `:event-type`, arrays only the data.
    case event(name: String?, id: String?, data: String)
    /// AWS's frame of the message type `exception`.
    case exception(name: String, data: String)
    case bytes([UInt8])

    static func event(_ data: String) -> StreamPiece { .event(name: nil, id: nil, data: data) }
    static func event(_ name: String, _ data: String) -> StreamPiece { .event(name: name, id: nil, data: data) }
}
