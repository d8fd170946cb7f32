import Metering

/// The numbers that stand for cases on disk. They are written down rather than counted, so that a case that moves in
/// its enum keeps its number; a new case takes a new number and, because old readers do not know it, a new version.
protocol CodedCase: CaseIterable {
    var code: UInt8 { get }
}

extension CodedCase {
    init?(code: UInt8) {
        guard let value = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = value
    }
}

extension Surface: CodedCase {
    var code: UInt8 {
        switch self {
        case .chatCompletions: 1
        case .completions: 2
        case .embeddings: 3
        case .responses: 4
        case .imageGenerations: 5
        case .audioTranscriptions: 6
        case .audioSpeech: 7
        case .rerank: 8
        case .messages: 9
        case .countTokens: 10
        case .tgiGenerate: 11
        case .tritonGenerate: 12
        case .replicatePredictions: 13
        case .geminiGenerate: 14
        case .bedrockConverse: 15
        case .bedrockInvoke: 16
        case .sageMakerInvocations: 17
        case .files: 18
        case .batches: 19
        case .geminiEmbed: 20
        }
    }
}

extension InferenceKind: CodedCase {
    var code: UInt8 {
        switch self {
        case .primary: 1
        case .fallback: 2
        case .compaction: 3
        case .advisor: 4
        case .component: 5
        case .batchItem: 6
        }
    }
}

extension UsageSource: CodedCase {
    var code: UInt8 {
        switch self {
        case .engine: 1
        case .counted: 2
        case .estimated: 3
        case .nothing: 4
        }
    }
}

extension Termination: CodedCase {
    var code: UInt8 {
        switch self {
        case .complete: 1
        case .clientAbort: 2
        case .upstreamError: 3
        case .timeout: 4
        case .limitReached: 5
        case .gatewayLost: 6
        }
    }
}

extension RequestOutcome: CodedCase {
    var code: UInt8 {
        switch self {
        case .success: 1
        case .clientError: 2
        case .clientAbort: 3
        case .providerError: 4
        case .gatewayLost: 5
        }
    }
}
