import Engines
import Identity
import Metering

/// An answer gives the same facts for any way of cutting it, and its attempts can be made out whatever it says.
enum AnswerFuzzing {
    private struct Head: HeaderLookup {
        let type: String
        func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? type : nil }
    }

    private static let kinds = EngineKind.allCases
    private static let shared: [Surface] = [
        .chatCompletions, .completions, .embeddings, .responses, .messages, .imageGenerations, .audioTranscriptions,
        .audioSpeech, .rerank, .countTokens,
    ]
    private static let native: [(EngineKind, String)] = [
        (.tgi, "/generate"), (.tgi, "/generate_stream"), (.triton, "/v2/models/m/generate"),
        (.triton, "/v2/models/m/generate_stream"), (.replicate, "/v1/predictions"),
        (.gemini, "/v1beta/models/m:generateContent"), (.gemini, "/v1beta/models/m:streamGenerateContent"),
        (.bedrock, "/model/m/converse"), (.bedrock, "/model/m/invoke"), (.sageMaker, "/endpoints/e/invocations"),
    ]

    static func read(_ bytes: UnsafeRawBufferPointer, streamed: Bool) {
        guard bytes.count > 2, let (request, backend) = request(bytes[0], streamed: streamed) else { return }
        let pieces = Pieces(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
        let head = Head(type: streamed ? "text/event-stream" : "application/json")
        check(pieces, request, backend, head)
    }

    static func readFrames(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2 else { return }
        let (kind, path): (EngineKind, String) =
            switch bytes[0] % 3 {
            case 0: (.bedrock, "/model/m/converse-stream")
            case 1: (.bedrock, "/model/m/invoke-with-response-stream")
            default: (.sageMaker, "/endpoints/e/invocations-response-stream")
            }
        guard let (request, backend) = nativeRequest(kind, path) else { return }
        let pieces = Pieces(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
        check(pieces, request, backend, Head(type: "application/vnd.amazon.eventstream"))
    }

    private static func check(_ pieces: Pieces, _ request: InferenceRequest, _ backend: Backend, _ head: Head) {
        var whole = Reading(request, backend, head)
        whole.take(pieces.whole)
        whole.finish()
        var parts = Reading(request, backend, head)
        pieces.forEach { parts.take($0) }
        parts.finish()
        precondition(whole.meter.facts == parts.meter.facts, "an answer means something else in pieces")
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(high: 0, low: 0)), backend: "b", upstreamModel: "m", priceKey: "m")
        attempt.termination = .complete
        for isCut in [false, true] {
            let attempts = whole.meter.facts.attempts(
                completing: attempt, request: request, isCut: isCut, priceKey: { _ in nil },
                newID: { AttemptID(UUIDv7(high: 0, low: 1)) })
            precondition(
                attempts.allSatisfy { $0.contradiction != nil || $0.buckets.isPlausible },
                "counts that cannot be true pass for true")
        }
    }

    private static func request(_ choice: UInt8, streamed: Bool) -> (InferenceRequest, Backend)? {
        if choice < 200 {
            let kind = kinds[Int(choice) % kinds.count]
            let surface = shared[Int(choice) / kinds.count % shared.count]
            let body = Array(#"{"model":"m","n":2,"stream":\#(streamed),"messages":[]}"#.utf8)
            let backend = Backend(name: "b", isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil, kind: kind)
            let request = body.withUnsafeBytes { try? InferenceRequest(reading: $0, surface: surface) }
            return request.map { ($0, backend) }
        }
        let (kind, path) = native[Int(choice - 200) % native.count]
        return nativeRequest(kind, path)
    }

    private static func nativeRequest(_ kind: EngineKind, _ path: String) -> (InferenceRequest, Backend)? {
        let backend = Backend(name: "b", isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil, kind: kind)
        guard let call = kind.dialect.nativeCall(method: "POST", path: path[...]) else { return nil }
        let body = Array("{}".utf8)
        let request = body.withUnsafeBytes { try? InferenceRequest(reading: $0, native: call) }
        return request.map { ($0, backend) }
    }
}

/// Reads one answer as the gateway does.
private struct Reading {
    var meter: AnswerMeter
    private var splitter: AnswerSplitter
    private var pending: [UInt8] = []

    init(_ request: InferenceRequest, _ backend: Backend, _ head: some HeaderLookup) {
        meter = AnswerMeter(request: request, backend: backend, status: 200, headers: head)
        splitter = AnswerSplitter(framing: meter.framing)
    }

    mutating func take(_ piece: UnsafeRawBufferPointer) {
        guard meter.framing != .plain else { return meter.read(piece: piece) }
        var start = 0
        while let end = splitter.nextEventEnd(in: piece, from: start) {
            pending += Array(piece[start..<end])
            event()
            start = end
        }
        pending += Array(piece[start...])
    }

    mutating func finish() {
        if !pending.isEmpty { event() }
        meter.finish()
    }

    private mutating func event() {
        let bytes = pending
        pending = []
        bytes.withUnsafeBytes { _ = meter.read(event: $0) }
        if let cut = meter.cutRange { precondition(cut.upperBound <= bytes.count) }
        if let end = meter.usageEnd, meter.framing != .plain { precondition(end <= bytes.count) }
    }
}
