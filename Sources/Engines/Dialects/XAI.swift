internal import Metering

/// xAI. Its completion tokens leave reasoning out, and it says what an answer costs.
struct XAI: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .responses, .imageGenerations]
}
