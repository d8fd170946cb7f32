/// Tokens of an answer that the gateway counted itself, or had counted, where the engine said nothing of them.
public struct OwnCounts: Hashable, Sendable {
    /// Of what the model wrote.
    public struct Output: Hashable, Sendable {
        public var visible: Int64
        public var reasoning: Int64

        /// Counts of all that came so far.
        public init(visible: Int64, reasoning: Int64) {
            self.visible = visible
            self.reasoning = reasoning
        }

        /// Both together.
        public var total: Int64 { visible + reasoning }
    }

    /// Of the prompt; nil when nobody counted it.
    public var input: Int64?
    /// Whether `input` is of all that the engine reads: false where a template puts more around it.
    public var isInputWhole = false
    /// Nil when nobody counted it.
    public var output: Output?

    /// Nothing counted.
    public init() {}

    /// The same of an answer that repeats its prompt.
    var withoutEcho: OwnCounts {
        var counts = self
        guard let echoed = input, let visible = output?.visible else { return OwnCounts() }
        counts.output?.visible = max(0, visible - echoed)
        return counts
    }
}
