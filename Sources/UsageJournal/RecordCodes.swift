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

extension Metering.Operation: CodedCase {
    var code: UInt8 {
        switch self {
        case .chat: 1
        case .textCompletion: 2
        case .embeddings: 3
        default: 0
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
