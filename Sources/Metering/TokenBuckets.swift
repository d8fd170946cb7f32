/// Tokens in disjoint buckets: no token is in two, so sums are sums (OpenTelemetry GenAI's totals are derived).
///
/// Engines disagree about what "input" and "output" include; a dialect in `Engines` takes their counts apart.
public struct TokenBuckets: Hashable, Sendable {
    /// Input neither read from nor written to a cache: text, and all whose kind the engine did not say.
    public var inputUncached: Int64 = 0
    /// Sound among the input that no cache served.
    public var inputAudio: Int64 = 0
    /// Pictures among the input that no cache served.
    public var inputImage: Int64 = 0
    /// Moving pictures among the input that no cache served.
    public var inputVideo: Int64 = 0
    /// Input read from a cache: text, and all whose kind the engine did not say.
    public var cacheRead: Int64 = 0
    /// Sound read from a cache.
    public var cacheReadAudio: Int64 = 0
    /// Pictures read from a cache.
    public var cacheReadImage: Int64 = 0
    /// Moving pictures read from a cache.
    public var cacheReadVideo: Int64 = 0
    /// Input written to a cache for five minutes, or for a lifetime not said.
    public var cacheWriteFiveMinutes: Int64 = 0
    /// Input written to a cache for an hour.
    public var cacheWriteHour: Int64 = 0
    /// Input written to a cache for twelve hours or longer.
    public var cacheWriteLong: Int64 = 0
    /// Output that the client sees: text, and all whose kind the engine did not say.
    public var outputVisible: Int64 = 0
    /// Sound among the output.
    public var outputAudio: Int64 = 0
    /// Pictures among the output.
    public var outputImage: Int64 = 0
    /// Output spent on reasoning.
    public var outputReasoning: Int64 = 0

    public init() {}

    public init(
        inputUncached: Int64 = 0, inputAudio: Int64 = 0, inputImage: Int64 = 0, inputVideo: Int64 = 0,
        cacheRead: Int64 = 0, cacheReadAudio: Int64 = 0, cacheReadImage: Int64 = 0, cacheReadVideo: Int64 = 0,
        cacheWriteFiveMinutes: Int64 = 0, cacheWriteHour: Int64 = 0, cacheWriteLong: Int64 = 0,
        outputVisible: Int64 = 0, outputAudio: Int64 = 0, outputImage: Int64 = 0, outputReasoning: Int64 = 0
    ) {
        self.inputAudio = inputAudio
        self.inputImage = inputImage
        self.inputVideo = inputVideo
        self.cacheReadAudio = cacheReadAudio
        self.cacheReadImage = cacheReadImage
        self.cacheReadVideo = cacheReadVideo
        self.outputAudio = outputAudio
        self.outputImage = outputImage
        self.inputUncached = inputUncached
        self.cacheRead = cacheRead
        self.cacheWriteFiveMinutes = cacheWriteFiveMinutes
        self.cacheWriteHour = cacheWriteHour
        self.cacheWriteLong = cacheWriteLong
        self.outputVisible = outputVisible
        self.outputReasoning = outputReasoning
    }

    /// The quantity of one meter; zero for those that do not count tokens.
    public func quantity(of meter: Meter) -> Int64 {
        switch meter {
        case .inputTokens: inputUncached
        case .inputAudioTokens: inputAudio
        case .inputImageTokens: inputImage
        case .inputVideoTokens: inputVideo
        case .cacheReadTokens: cacheRead
        case .cacheReadAudioTokens: cacheReadAudio
        case .cacheReadImageTokens: cacheReadImage
        case .cacheReadVideoTokens: cacheReadVideo
        case .cacheWriteTokens: cacheWriteFiveMinutes
        case .cacheWriteHourTokens: cacheWriteHour
        case .cacheWriteLongTokens: cacheWriteLong
        case .outputTokens: outputVisible
        case .outputAudioTokens: outputAudio
        case .outputImageTokens: outputImage
        case .reasoningTokens: outputReasoning
        case .images, .audioMilliseconds, .characters, .searches, .computeMilliseconds, .requests: 0
        }
    }

    /// All input written to a cache, whatever for how long. Saturates instead of overflowing.
    public var cacheWriteTotal: Int64 { saturatingSum(cacheWriteFiveMinutes, cacheWriteHour, cacheWriteLong) }

    /// All input, cached or not (OpenTelemetry's `gen_ai.usage.input_tokens`).
    public var inputTotal: Int64 {
        saturatingSum(
            inputUncached, inputAudio, inputImage, inputVideo, cacheRead, cacheReadAudio, cacheReadImage,
            cacheReadVideo, cacheWriteFiveMinutes, cacheWriteHour, cacheWriteLong)
    }

    /// All output (OpenTelemetry's `gen_ai.usage.output_tokens`).
    public var outputTotal: Int64 {
        saturatingSum(outputVisible, outputAudio, outputImage, outputReasoning)
    }

    /// Every bucket lies between zero and a trillion; anything else contradicts itself and goes to suspense.
    public var isPlausible: Bool {
        let all: [15 of Int64] = [
            inputUncached, inputAudio, inputImage, inputVideo, cacheRead, cacheReadAudio, cacheReadImage,
            cacheReadVideo, cacheWriteFiveMinutes, cacheWriteHour, cacheWriteLong, outputVisible, outputAudio,
            outputImage, outputReasoning,
        ]
        for index in all.indices where !(0...TokenBuckets.bucketMax).contains(all[index]) { return false }
        return true
    }

    /// The most tokens that one bucket of one record can hold.
    public static let bucketMax: Int64 = 1_000_000_000_000
}

private func saturatingSum(_ values: Int64...) -> Int64 {
    values.reduce(0) { total, value in
        let (sum, overflow) = total.addingReportingOverflow(value)
        guard overflow else { return sum }
        return value < 0 ? .min : .max
    }
}
