import Metering
import TestSupport

@testable import Engines

/// Reads whole answers of the OpenAI family as the gateway does: by an `AnswerMeter` made for the backend, the form and
/// the head, in pieces.
struct AnswerFixture: Sendable {
    var kind = EngineKind.openAICompatible
    var surface = Surface.chatCompletions
    var isStream = false
    var status = 200
    var contentType: String?
    var headers: [String: String] = [:]
    /// The request's body; nil for the least that the form needs.
    var request: String?
    var counting = BackendSettings.UsageCounting.final
    var upstreamModel: String?
    var tiers: [String] = []

    struct Headers: HeaderLookup {
        var fields: [String: String] = [:]
        func first(_ lowercaseName: String) -> String? { fields[lowercaseName] }
    }

    struct Reading: Equatable {
        var facts = AnswerFacts()
        var kinds: [StreamEvent] = []
        /// What the client sees: the events without what is cut out of them, and without the chunk it did not ask for.
        var shown: [UInt8] = []
        /// The bytes around the last place for members in a usage object.
        var usageEnd: Int?
        var isTerminated = false
    }

    var backend: Backend {
        var settings = BackendSettings()
        settings.counting = counting
        settings.tiers = tiers
        return Backend(
            name: "b", isTLS: false, host: "engine", port: 80, basePath: "", apiKey: nil, kind: kind,
            settings: settings)
    }

    func inferenceRequest() throws -> InferenceRequest {
        let body = request ?? #"{"model":"m","stream":\#(isStream),"input":"hello","messages":[]}"#
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    func read(_ pieces: [[UInt8]]) throws -> Reading {
        let request = try inferenceRequest()
        var fields = headers
        fields["content-type"] = contentType ?? (isStream ? "text/event-stream; charset=utf-8" : "application/json")
        let type = fields["content-type"]?.lowercased() ?? ""
        let meter = AnswerMeter(
            request: request, backend: backend, status: status, headers: Headers(fields: fields),
            upstreamModel: upstreamModel,
            beginning: AnswerFixture.beginning(of: pieces, request, status: status, contentType: type))
        _ = pieces.first { piece in piece.withUnsafeBytes { meter.takeBeginning($0) } }
        var reading = Reading()
        var pending: [UInt8] = []
        func finishEvent() {
            let kind = pending.withUnsafeBytes { meter.read(event: $0) }
            reading.kinds.append(kind)
            if let end = meter.usageEnd { reading.usageEnd = reading.shown.count + end }
            if kind == .usageChunk, !request.wantsUsageChunk {
                pending = []
                return
            }
            if let cut = meter.cutRange { pending.removeSubrange(cut) }
            reading.shown += pending
            pending = []
        }
        var splitter = AnswerSplitter(framing: meter.framing)
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                if meter.framing == .plain { return meter.read(piece: bytes) }
                var start = 0
                while let end = splitter.nextEventEnd(in: bytes, from: start) {
                    pending.append(contentsOf: bytes[start..<end])
                    finishEvent()
                    start = end
                }
                pending.append(contentsOf: bytes[start...])
            }
        }
        if !pending.isEmpty { finishEvent() }
        meter.finish()
        if meter.framing == .plain { reading.usageEnd = meter.usageEnd }
        reading.facts = meter.facts
        reading.isTerminated = meter.facts.isTerminated
        return reading
    }

    /// How the gateway takes an answer to be cut that it has to look at; nil for others.
    static func beginning(
        of pieces: [[UInt8]], _ request: InferenceRequest, status: Int, contentType: String
    ) -> AnswerFraming? {
        guard AnswerBeginning.decides(request, status: status, contentType: contentType) else { return nil }
        var look = AnswerBeginning(contentType: contentType)
        for piece in pieces {
            if let framing = piece.withUnsafeBytes({ look.take($0) }) { return framing }
        }
        return look.framingAtEnd
    }

    func read(_ text: String) throws -> Reading { try read([Array(text.utf8)]) }

    /// The records that an answer comes to.
    func attempts(_ facts: AnswerFacts, isCut: Bool = false) throws -> [AttemptRecord] {
        let base = AttemptRecord.example
        return facts.attempts(
            completing: base, request: try inferenceRequest(), isCut: isCut, priceKey: { "price of \($0)" },
            newID: { base.id })
    }
}
