/// What is fuzzed: one parser each, of bytes that come from outside.
enum Target: String, CaseIterable {
    /// Requests and responses of HTTP/1.
    case http
    /// Bodies of requests, in every form.
    case requests
    /// JSON as all readers scan it.
    case json
    /// Streams of server-sent events, and what is read out of them.
    case events
    /// AWS's binary event streams.
    case frames
    /// Plain answers of every dialect.
    case answers
    /// Sound files, whose length is read.
    case sounds
    /// Records as the journal keeps them.
    case journal

    /// Set once, before the fuzzing begins.
    nonisolated(unsafe) static var chosen = Target.json

    func read(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .http: HTTPFuzzing.read(bytes)
        case .requests: RequestFuzzing.read(bytes)
        case .json: JSONFuzzing.read(bytes)
        case .events: AnswerFuzzing.read(bytes, streamed: true)
        case .frames: AnswerFuzzing.readFrames(bytes)
        case .answers: AnswerFuzzing.read(bytes, streamed: false)
        case .sounds: SoundFuzzing.read(bytes)
        case .journal: JournalFuzzing.read(bytes)
        }
    }
}

/// Cuts an input where its own first bytes say: the same bytes must mean the same however they arrive.
struct Pieces {
    let whole: UnsafeRawBufferPointer
    private let seed: UInt8

    init(_ bytes: UnsafeRawBufferPointer) {
        seed = bytes.first ?? 1
        whole = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
    }

    func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        var state = UInt32(seed) &* 2_654_435_761 | 1
        while start < whole.count {
            state = state &* 1_664_525 &+ 1_013_904_223
            let end = min(whole.count, start + 1 + Int(state >> 27))
            body(UnsafeRawBufferPointer(rebasing: whole[start..<end]))
            start = end
        }
    }
}
