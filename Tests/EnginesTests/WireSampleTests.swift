import Engines
import Glibc
import Metering
import TestSupport
import Testing

/// Reads answers taken off the wire of real engines, where the folder that holds them stands beside the project.
@Suite struct WireSampleTests {
    /// `shared/wire-samples` in one of the folders above this file.
    static let folder: String? = {
        var parts = #filePath.split(separator: "/").dropLast()
        while !parts.isEmpty {
            let candidate = "/" + parts.joined(separator: "/") + "/shared/wire-samples"
            if access(candidate, R_OK) == 0 { return candidate }
            parts = parts.dropLast()
        }
        return nil
    }()

    @Test func `where everything must run, the samples are there`() {
        guard getenv("CI") != nil else { return }
        #expect(Self.folder != nil, "put shared/wire-samples beside the project")
    }

    static func bytes(_ name: String) -> [UInt8]? {
        guard let folder, let file = fopen("\(folder)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    /// The body of a recorded answer, without its chunks.
    static func body(_ response: [UInt8]) -> [UInt8] {
        guard let head = response.firstRange(of: Array("\r\n\r\n".utf8)) else { return response }
        let headers = String(decoding: response[..<head.lowerBound], as: UTF8.self).lowercased()
        var rest = response[head.upperBound...]
        guard headers.contains("transfer-encoding: chunked") else { return Array(rest) }
        var body: [UInt8] = []
        while let line = rest.firstRange(of: [13, 10]),
            let count = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), count > 0
        {
            body += rest[line.upperBound..<min(line.upperBound + count, rest.endIndex)]
            rest = rest[min(line.upperBound + count + 2, rest.endIndex)...]
        }
        return body
    }

    private static let plain: [(String, Int64, Int64)] = [
        ("recorded-vllm/chat.res", 25, 16), ("recorded-vllm/completions.res", 6, 12),
        ("groq/chat.reasoning.json", 17, 649), ("deepseek/chat.reasoning.json", 18, 345),
    ]

    @Test(.enabled(if: folder != nil), arguments: plain)
    func `recorded plain answers are read`(name: String, input: Int64, output: Int64) throws {
        let body = Self.body(try #require(Self.bytes(name)))
        let facts = Fixture.readPlain([body])
        guard case .counted(let buckets)? = facts.usage?.buckets() else {
            Issue.record("\(name): \(facts)")
            return
        }
        #expect(buckets.inputTotal == input)
        #expect(buckets.outputTotal == output)
        for seed in propertySeeds.prefix(20) {
            var generator = SeededGenerator(seed: seed)
            #expect(Fixture.readPlain(Fixture.pieces(of: body, using: &generator)) == facts, "seed \(seed)")
        }
    }

    private static let streams = [
        "azure/chat.stream.content-filter.sse", "groq/chat.text.stream.sse", "together/chat.stream.sse",
        "vllm/chat.stream.continuous_usage_stats.sse", "vllm/chat.stream.include_usage.sse",
        "tgi/chat.stream.include_usage.sse", "openai/chat.stream.sse", "openai/completions.stream.sse",
        "recorded-vllm/chat-stream-usage.res", "recorded-vllm/chat-stream-continuous-usage.res",
        "recorded-llamacpp/chat-stream-usage.res",
    ]

    @Test(.enabled(if: folder != nil), arguments: streams)
    func `recorded streams have usage, content, an end, and read the same in any pieces`(name: String) throws {
        let body = Self.body(try #require(Self.bytes(name)))
        let whole = Fixture.read([body])
        #expect(whole.facts.isTerminated)
        #expect(whole.facts.contentEvents > 0)
        #expect(whole.facts.finishReason != nil)
        #expect(whole.facts.unreadCount == 0)
        guard case .counted? = whole.facts.usage?.buckets() else {
            Issue.record("\(name): \(whole.facts)")
            return
        }
        for seed in propertySeeds.prefix(20) {
            var generator = SeededGenerator(seed: seed)
            let cut = Fixture.read(Fixture.pieces(of: body, using: &generator))
            #expect(cut.facts == whole.facts, "seed \(seed)")
            #expect(cut.kinds == whole.kinds, "seed \(seed)")
        }
    }
}
