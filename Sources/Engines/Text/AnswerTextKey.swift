/// Which text of an answer a piece of it belongs to: texts that an engine wrote apart (choices, blocks, reasoning,
/// calls) are counted apart.
public struct AnswerTextKey: Hashable, Sendable {
    /// What a text is.
    public enum Kind: Hashable, Sendable {
        case visible
        case reasoning
        /// The name of a tool that is called.
        case callName
        /// What it is called with.
        case callArguments
    }

    public let kind: Kind
    /// The choice, the block or the item of a response that it stands in.
    public let choice: Int64
    /// Which of several inside that: a tool's call, a part of a message.
    public let item: Int64

    /// A text's place.
    public init(kind: Kind = .visible, choice: Int64 = 0, item: Int64 = 0) {
        self.kind = kind
        self.choice = choice
        self.item = item
    }
}
