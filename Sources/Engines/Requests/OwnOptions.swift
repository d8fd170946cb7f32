public import Metering

/// The members that the gateway adds to requests for its own needs, and how engines refuse them.
public enum OwnOptions {
    /// Whether an engine's refusal is of such a member rather than of anything that the client wrote: the request had
    /// some added, and the error names one, or says without naming any that it takes no more than it knows.
    ///
    /// - Parameters:
    ///   - edits: the edits of the request as it was sent.
    ///   - bare: those without the additions.
    public static func areRefused(
        status: Int, body: UnsafeRawBufferPointer, edits: [ByteEdit], bare: [ByteEdit]
    ) -> Bool {
        guard mayRefuse(status), edits != bare else { return false }
        let text = String(decoding: body.prefix(EngineRefusal.bodyBytesMax), as: UTF8.self).lowercased()
        let added = edits.filter { !bare.contains($0) }.map { String(decoding: $0.replacement, as: UTF8.self) }
        return names.contains { name in text.contains(name) && added.contains { $0.contains(name) } }
            || words.contains { text.contains($0) }
    }

    /// The statuses under which engines refuse members that they do not know.
    public static func mayRefuse(_ status: Int) -> Bool { status == 400 || status == 422 }

    private static let names = [
        "stream_options", "include_usage", "continuous_usage_stats", "stream_include_usage", "details",
        "return_num_input_tokens", "return_num_output_tokens",
    ]

    /// Said of members that are not named.
    private static let words = [
        "extra inputs are not permitted", "extra fields not permitted", "extra_forbidden", "additional properties",
        "additionalproperties", "unknown field", "unknown parameter", "unknown argument", "unknown name",
        "unrecognized", "unexpected field", "unexpected keyword", "unsupported parameter", "unsupported field",
        "invalid field", "not allowed: ",
    ]
}

extension Surface {
    /// Whether streams in this form are asked for usage by members of the body.
    public var hasUsageOptions: Bool {
        switch self {
        case .chatCompletions, .completions, .audioTranscriptions, .tgiGenerate, .tritonGenerate,
            .sageMakerInvocations:
            true
        default: false
        }
    }
}

extension Backend {
    /// The edits of a request to it. `asksForUsage`: whether members may be added that ask for usage.
    public func edits(
        for request: InferenceRequest, upstreamModel: String, asksForUsage: Bool
    ) -> [ByteEdit] {
        asksForUsage && settings.includeUsage != .never
            ? dialect.edits(for: request, upstreamModel: upstreamModel, backend: self)
            : request.edits(upstreamModel: upstreamModel, asking: [])
    }
}
