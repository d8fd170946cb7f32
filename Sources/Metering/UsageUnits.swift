/// What an answer came to in units other than tokens: whole base units, zero where there were none.
public struct UsageUnits: Hashable, Sendable {
    /// Pictures made.
    public var images: Int64 = 0
    /// Sound listened to or made, in milliseconds.
    public var audioMilliseconds: Int64 = 0
    /// Characters read out.
    public var characters: Int64 = 0
    /// Searches, as engines that rank documents count them.
    public var searches: Int64 = 0
    /// Time on the engine's hardware, in milliseconds (Replicate's `predict_time`).
    public var computeMilliseconds: Int64 = 0

    public init(
        images: Int64 = 0, audioMilliseconds: Int64 = 0, characters: Int64 = 0, searches: Int64 = 0,
        computeMilliseconds: Int64 = 0
    ) {
        self.images = images
        self.audioMilliseconds = audioMilliseconds
        self.characters = characters
        self.searches = searches
        self.computeMilliseconds = computeMilliseconds
    }

    /// Whether there is anything.
    public var isEmpty: Bool { self == UsageUnits() }

    /// The quantity of one meter; zero for those that count tokens.
    public func quantity(of meter: Meter) -> Int64 {
        switch meter {
        case .images: images
        case .audioMilliseconds: audioMilliseconds
        case .characters: characters
        case .searches: searches
        case .computeMilliseconds: computeMilliseconds
        default: 0
        }
    }

    /// Every unit lies between zero and a trillion; anything else contradicts itself and goes to suspense.
    public var isPlausible: Bool {
        [images, audioMilliseconds, characters, searches, computeMilliseconds].allSatisfy {
            (0...TokenBuckets.bucketMax).contains($0)
        }
    }
}

/// How long things took by the engine's own clock, in microseconds; nil where it did not say.
public struct EngineTimings: Hashable, Sendable {
    /// Waiting before work began.
    public var queue: Int64?
    /// Reading the prompt.
    public var prefill: Int64?
    /// Writing the answer.
    public var decode: Int64?
    /// From the start of the engine's work to the first token.
    public var firstToken: Int64?
    /// All of it, as the engine counts it.
    public var total: Int64?

    public init(
        queue: Int64? = nil, prefill: Int64? = nil, decode: Int64? = nil, firstToken: Int64? = nil,
        total: Int64? = nil
    ) {
        self.queue = queue
        self.prefill = prefill
        self.decode = decode
        self.firstToken = firstToken
        self.total = total
    }
}
