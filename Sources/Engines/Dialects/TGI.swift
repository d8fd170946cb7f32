internal import Metering

/// Text Generation Inference: its own `/generate` and `/generate_stream`, and OpenAI's chat and completions.
///
/// Plain answers tell their counts in headers. A stream's last event has them only when `details` are asked for;
/// `decoder_input_details` is refused on streams and never asked for.
struct TGI: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .tgiGenerate]
    let question: UsageQuestion = [.streamOptions, .details]

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        TGI.routes.call(method: method, path: path.isEmpty ? "/" : path)
    }

    private static let routes = [
        NativeRoute("/generate", .tgiGenerate), NativeRoute("/generate_stream", .tgiGenerate, isStream: true),
        // The form of older clients, which says in the body whether it wants a stream.
        NativeRoute("/", .tgiGenerate),
    ]
}
