/// What llama.cpp calls an error of the server's (500, 501) although the request made it: what its model does not do,
/// and what its model's template or grammar does not take.
enum LlamaCppRefusals {
    private static let kinds: Set<EngineKind> = [.llamaCpp, .openAICompatible]
    private static let statuses: Set<Int> = [0, 400, 500, 501]

    static let rules = [
        RefusalRule(
            meaning: .notServed, kinds: kinds, statuses: statuses,
            words: [
                "image input is not supported", "audio input is not supported", "video input is not supported",
                "multimodal input is not supported", "requires --jinja", "this server does not support",
                "does not support tools", "tool calling is not supported",
            ]),
        RefusalRule(
            meaning: .clientMistake, kinds: kinds, statuses: statuses,
            words: [
                "roles must alternate", "roles are supported", "role not supported", "role is not supported",
                "failed to initialize samplers", "failed to parse grammar", "failed to parse input at pos",
                "failed to parse messages", "failed to parse tools", "json schema conversion failed",
                "error applying chat template", "template raised", "raise_exception",
            ]),
    ]
}
