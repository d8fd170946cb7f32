/// What is known of models by their names, whoever serves them.
public enum KnownModels {
    /// Whether a model never reasons: families of which none does. Of any other an answer that needed no thought says
    /// nothing.
    public static func neverReason(_ name: String) -> Bool {
        let name = name.lowercased()
        return families.contains { name.contains($0) } && !exceptions.contains { name.contains($0) }
    }

    private static let families = [
        "gpt-3.5", "gpt-35", "gpt-4", "davinci", "babbage", "claude-2", "claude-instant", "claude-3-haiku",
        "claude-3-opus", "claude-3-sonnet", "claude-3-5-", "claude-3.5-", "gemini-1", "gemini-2.0", "grok-2",
        "grok-beta", "nova-micro-v1", "nova-lite-v1", "nova-pro-v1", "titan-text", "command-r", "llama-3", "llama3",
        "mixtral", "mistral-7b",
    ]
    private static let exceptions = ["thinking", "reason"]
}
