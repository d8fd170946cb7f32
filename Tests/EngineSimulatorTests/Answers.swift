import FoundationEssentials

/// The answers of an OpenAI-compatible engine as far as these tests look, read by another reader than the simulator's.
struct Answer: Decodable {
    struct Choice: Decodable {
        struct Message: Decodable {
            var role: String?
            var content: String?
            var reasoning: String?
        }

        var index: Int
        var message: Message?
        var delta: Message?
        var text: String?
        var finish_reason: String?
    }

    struct Usage: Decodable, Equatable {
        struct Prompt: Decodable, Equatable {
            var cached_tokens: Int?
            var created_cache_tokens: Int?
            var cache_write_tokens: Int?
        }

        struct Completion: Decodable, Equatable {
            var reasoning_tokens: Int?
        }

        var prompt_tokens: Int
        var completion_tokens: Int
        var total_tokens: Int
        var prompt_tokens_details: Prompt?
        var completion_tokens_details: Completion?
    }

    struct Failure: Decodable {
        var message: String
        var code: Int
    }

    var model: String?
    var object: String?
    var choices: [Choice]?
    var usage: Usage?
    var service_tier: String?
    var error: Failure?

    init(_ text: String) throws {
        self = try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
    }
}

/// One line of the book as the control surface serves it.
struct BookLine: Decodable {
    var sequence: Int
    var request_id: String
    var operation: String
    var outcome: String
    var status: Int
    var tier_requested: String?
    var tier_served: String?
    var prompt_tokens: Int
    var cached_tokens: Int
    var completion_tokens_produced: Int
    var completion_tokens_sent: Int
    var usage_reported: Answer.Usage?
}

/// A page of the book.
struct BookPage: Decodable {
    var data: [BookLine]
    var next_after: Int
    var has_more: Bool

    init(_ text: String) throws {
        self = try JSONDecoder().decode(BookPage.self, from: Data(text.utf8))
    }
}

extension RawAnswer {
    /// A stream's events without `[DONE]`, read.
    func chunks() throws -> [Answer] {
        try events.filter { $0 != "[DONE]" }.map { try Answer($0) }
    }

    /// Tokens of a stream that sends one a chunk.
    func tokenCount() throws -> Int {
        try chunks().reduce(0) { count, chunk in
            count + (chunk.choices ?? []).count { ($0.delta?.content ?? $0.delta?.reasoning ?? $0.text ?? "") != "" }
        }
    }
}

/// The vectors of an embeddings answer, from either encoding.
struct Embeddings: Decodable {
    struct Item: Decodable {
        var values: [Float]

        enum CodingKeys: String, CodingKey {
            case embedding
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if let floats = try? container.decode([Float].self, forKey: .embedding) {
                values = floats
                return
            }
            let bytes = Array(try container.decode(Data.self, forKey: .embedding))
            values = stride(from: 0, to: bytes.count, by: 4).map { start in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
            }
        }
    }

    var data: [Item]
    var values: [[Float]] { data.map(\.values) }

    init(_ text: String) throws {
        self = try JSONDecoder().decode(Embeddings.self, from: Data(text.utf8))
    }
}
