import Testing

@testable import Engines

@Suite struct KnownModelsTests {
    @Test(arguments: [
        "gpt-4o-2024-08-06", "gpt-4.1", "openai/gpt-4o-mini", "gpt-35-turbo", "claude-3-5-sonnet-20241022",
        "anthropic.claude-3-haiku-20240307-v1:0", "gemini-2.0-flash", "meta-llama/Llama-3.3-70B-Instruct",
    ])
    func `families that never reason are known by name`(name: String) {
        #expect(KnownModels.neverReason(name))
    }

    @Test(arguments: [
        "gpt-5", "o3-mini", "gpt-oss-120b", "claude-sonnet-4-5", "claude-3-7-sonnet", "gemini-2.5-flash",
        "gemini-2.0-flash-thinking-exp", "grok-4", "nova-2-lite-v1:0", "my-deployment", "",
    ])
    func `any other may`(name: String) {
        #expect(!KnownModels.neverReason(name))
    }
}
