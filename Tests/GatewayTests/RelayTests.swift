import Engines
import Metering
import NIOCore
import TestSupport
import Testing

@testable import Gateway

@Suite struct RelayTests {
    private struct Passed: Equatable {
        var output = ""
        var held = ""
        var facts = AnswerFacts()
    }

    private struct StreamHead: HeaderLookup {
        func first(_ name: String) -> String? { name == "content-type" ? "text/event-stream" : nil }
    }

    /// A meter for a chat stream.
    private static var meter: AnswerMeter {
        let body = Array(TestGateway.streamed.utf8)
        let request = body.withUnsafeBytes { try? InferenceRequest(reading: $0, surface: .chatCompletions) }
        guard let request else { preconditionFailure("the sample request cannot be read") }
        let backend = Backend(name: "test", isTLS: false, host: "127.0.0.1", port: 1, basePath: "", apiKey: nil)
        return AnswerMeter(request: request, backend: backend, status: 200, headers: StreamHead())
    }

    private func pass(
        _ pieces: [[UInt8]], keepsUsageChunk: Bool = false, heldEventBytes: Int = 1000, readEventBytes: Int = 10_000
    ) -> Passed {
        let relay = StreamRelay(
            meter: Self.meter, keepsUsageChunk: keepsUsageChunk, heldEventBytes: heldEventBytes,
            readEventBytes: readEventBytes)
        var output = ByteBuffer()
        var held = ByteBuffer()
        for piece in pieces { _ = relay.take(ByteBuffer(bytes: piece), output: &output, held: &held) }
        _ = relay.finish(output: &output, held: &held)
        return Passed(output: String(buffer: output), held: String(buffer: held), facts: relay.facts)
    }

    private func pieces(_ text: String, seed: UInt64) -> [[UInt8]] {
        var generator = SeededGenerator(seed: seed)
        var rest = Array(text.utf8)[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let count = min(
                rest.count, Int.random(in: 1...([2, 30, 500].randomElement(using: &generator) ?? 1), using: &generator))
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    @Test func `any pieces pass the same bytes, hold the same end and give the same facts`() {
        for lineEnd in ["\n", "\r\n", "\r"] {
            let big = Answers.event(delta: #"{"content":"\#(String(repeating: "ü", count: 900))"}"#)
            let events = (Answers.streamEvents(tokens: 5).dropLast() + [big, "data: [DONE]\n\n", ": bye\n\n"])
                .map { $0.replacing("\n", with: lineEnd) }
            let usage = Answers.usageEvent.replacing("\n", with: lineEnd)
            let whole = pass([Array(events.joined().utf8)])
            #expect(whole.output == events.dropLast(2).filter { $0 != usage }.joined())
            #expect(whole.held == events.suffix(2).joined())
            #expect(whole.facts.contentEvents == 6)
            for seed in propertySeeds { #expect(pass(pieces(events.joined(), seed: seed)) == whole, "seed \(seed)") }
        }
    }

    @Test func `a terminator without its empty line is still held`() {
        let passed = pass([Array((Answers.streamEvents()[1] + "data: [DONE]\n").utf8)])
        #expect(passed.output == Answers.streamEvents()[1])
        #expect(passed.held == "data: [DONE]\n")
        #expect(passed.facts.isTerminated)
    }

    @Test func `an event too long to hold flows and is still read`() {
        let big = Answers.event(delta: #"{"content":"\#(String(repeating: "x", count: 5000))"}"#)
        let relay = StreamRelay(
            meter: Self.meter, keepsUsageChunk: false, heldEventBytes: 1000, readEventBytes: 10_000)
        var output = ByteBuffer()
        var held = ByteBuffer()
        _ = relay.take(ByteBuffer(string: String(big.prefix(3000))), output: &output, held: &held)
        #expect(output.readableBytes == 3000)
        _ = relay.take(ByteBuffer(string: String(big.dropFirst(3000))), output: &output, held: &held)
        #expect(String(buffer: output) == big)
        #expect(relay.facts.contentEvents == 1)
    }

    @Test func `an event too long to keep is read while it flows, and what follows as ever`() {
        let huge = Answers.event(delta: #"{"content":"\#(String(repeating: "x", count: 50_000))"}"#)
        let text = huge + Answers.streamEvents().joined()
        for seed in propertySeeds.prefix(20) {
            let passed = pass(pieces(text, seed: seed))
            #expect(passed.output + passed.held == text.replacing(Answers.usageEvent, with: ""))
            #expect(passed.facts.unreadCount == 0)
            #expect(passed.facts.contentEvents == 4)
            #expect(passed.facts.usage?.completionTokens == 3)
        }
    }
}
