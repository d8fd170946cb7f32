import Metering
import TestSupport

@testable import Engines

/// Reads whole answers of native dialects as the gateway does: cut as their framing asks, then event by event.
enum NativeFixture {
    struct Headers: HeaderLookup {
        var fields: [String: String] = [:]
        func first(_ lowercaseName: String) -> String? { fields[lowercaseName] }
    }

    struct Answer {
        let surface: Surface
        var isStream = false
        var contentType = "application/json"
        var headers: [String: String] = [:]
        var status = 200
        var operationIsCut = false
        var features: RequestedFeatures = []
    }

    static let eventStream = "text/event-stream; charset=utf-8"
    static let amazonEventStream = "application/vnd.amazon.eventstream"

    static func request(_ surface: Surface, isStream: Bool = false, choiceCount: Int64 = 1) -> InferenceRequest {
        var request = InferenceRequest(surface: surface)
        request.isStream = isStream
        request.choiceCount = choiceCount
        request.input.textBytes = 40
        return request
    }

    static let backend = Backend(
        name: "b", isTLS: false, host: "h", port: 80, basePath: "", apiKey: nil, kind: .openAICompatible)

    static func read(
        _ pieces: [[UInt8]], _ answer: Answer
    ) -> (facts: AnswerFacts, kinds: [StreamEvent], events: [[UInt8]]) {
        var request = request(answer.surface, isStream: answer.isStream)
        request.features = answer.features
        let meter = AnswerMeter(
            request: request, backend: backend, status: answer.status,
            headers: Headers(fields: answer.headers.merging(["content-type": answer.contentType]) { $1 }),
            beginning: AnswerFixture.beginning(
                of: pieces, request, status: answer.status, contentType: answer.contentType.lowercased()))
        var kinds: [StreamEvent] = []
        var events: [[UInt8]] = []
        if meter.framing == .plain {
            for piece in pieces { piece.withUnsafeBytes { meter.read(piece: $0) } }
        } else {
            var splitter = AnswerSplitter(framing: meter.framing)
            var pending: [UInt8] = []
            func finish() {
                kinds.append(pending.withUnsafeBytes { meter.read(event: $0) })
                events.append(pending)
                pending = []
            }
            for piece in pieces {
                piece.withUnsafeBytes { bytes in
                    var start = 0
                    while let end = splitter.nextEventEnd(in: bytes, from: start) {
                        pending.append(contentsOf: bytes[start..<end])
                        finish()
                        start = end
                    }
                    pending.append(contentsOf: bytes[start...])
                }
            }
            if !pending.isEmpty { finish() }
        }
        meter.finish()
        return (meter.facts, kinds, events)
    }

    static func read(_ text: String, _ answer: Answer) -> AnswerFacts { read([Array(text.utf8)], answer).facts }

    /// The records that an answer comes to.
    static func attempts(_ facts: AnswerFacts, _ surface: Surface, isCut: Bool = false) -> [AttemptRecord] {
        let base = AttemptRecord.example
        return facts.attempts(
            completing: base, request: request(surface), isCut: isCut, priceKey: { $0 }, newID: { base.id })
    }
}
