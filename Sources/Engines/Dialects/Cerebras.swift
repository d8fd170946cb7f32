internal import Metering

/// Cerebras. Its clock stands beside the usage, in `time_info`.
struct Cerebras: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions]
}
