/// What a price is for. Each token bucket and each unit of a record has a meter of its own.
///
/// The order of the cases is that in which invoices list meters.
public enum Meter: String, CaseIterable, Hashable, Sendable {
    /// Input that no cache served and that was not written to one: text, and all whose kind the engine did not say.
    case inputTokens = "input_tokens"
    /// Sound among it.
    case inputAudioTokens = "input_audio_tokens"
    /// Pictures among it.
    case inputImageTokens = "input_image_tokens"
    /// Moving pictures among it.
    case inputVideoTokens = "input_video_tokens"
    /// Input that the engine found in its prompt cache: text, and all whose kind the engine did not say.
    case cacheReadTokens = "cache_read_tokens"
    /// Sound found in the cache.
    case cacheReadAudioTokens = "cache_read_audio_tokens"
    /// Pictures found in the cache.
    case cacheReadImageTokens = "cache_read_image_tokens"
    /// Moving pictures found in the cache.
    case cacheReadVideoTokens = "cache_read_video_tokens"
    /// Input that the engine wrote to its prompt cache, for five minutes or a lifetime not said.
    case cacheWriteTokens = "cache_write_tokens"
    /// The same for an hour.
    case cacheWriteHourTokens = "cache_write_1h_tokens"
    /// The same for twelve hours or longer.
    case cacheWriteLongTokens = "cache_write_long_tokens"
    /// Output that the client sees: text, and all whose kind the engine did not say.
    case outputTokens = "output_tokens"
    /// Sound among the output.
    case outputAudioTokens = "output_audio_tokens"
    /// Pictures among the output.
    case outputImageTokens = "output_image_tokens"
    /// Output spent on reasoning.
    case reasoningTokens = "reasoning_tokens"
    /// Pictures made.
    case images
    /// Sound listened to or made.
    case audioMilliseconds = "audio_milliseconds"
    /// Characters read out.
    case characters
    /// Searches, as engines that rank documents count them.
    case searches
    /// Time on the engine's hardware.
    case computeMilliseconds = "compute_milliseconds"
    /// Requests that were answered.
    case requests

    /// What its quantities and prices count.
    public enum Unit: String, CaseIterable, Hashable, Sendable {
        case tokens
        case images
        case milliseconds
        case characters
        case searches
        case requests
    }

    /// The base unit of its quantities; prices are for a million of them.
    public var unit: Unit {
        switch self {
        case .images: .images
        case .audioMilliseconds, .computeMilliseconds: .milliseconds
        case .characters: .characters
        case .searches: .searches
        case .requests: .requests
        default: .tokens
        }
    }

    /// What it counts, in words for invoices: `cached input tokens`.
    public var label: String {
        switch self {
        case .inputTokens: "input tokens"
        case .inputAudioTokens: "audio input tokens"
        case .inputImageTokens: "image input tokens"
        case .inputVideoTokens: "video input tokens"
        case .cacheReadTokens: "cached input tokens"
        case .cacheReadAudioTokens: "cached audio input tokens"
        case .cacheReadImageTokens: "cached image input tokens"
        case .cacheReadVideoTokens: "cached video input tokens"
        case .cacheWriteTokens: "input tokens written to cache"
        case .cacheWriteHourTokens: "input tokens written to cache for an hour"
        case .cacheWriteLongTokens: "input tokens written to cache for 12 hours or longer"
        case .outputTokens: "output tokens"
        case .outputAudioTokens: "audio output tokens"
        case .outputImageTokens: "image output tokens"
        case .reasoningTokens: "reasoning tokens"
        case .images: "images"
        case .audioMilliseconds: "milliseconds of audio"
        case .characters: "characters"
        case .searches: "searches"
        case .computeMilliseconds: "milliseconds of compute time"
        case .requests: "requests"
        }
    }

    /// Whether it counts something other than tokens.
    public var isUnit: Bool {
        switch self {
        case .images, .audioMilliseconds, .characters, .searches, .computeMilliseconds, .requests: true
        default: false
        }
    }

    /// The meter whose price counts where a plan names none for this one. Nil for those that have a price or none:
    /// plain input, plain output and all units.
    public var parent: Meter? {
        switch self {
        case .inputAudioTokens, .inputImageTokens, .inputVideoTokens, .cacheReadTokens, .cacheWriteTokens:
            .inputTokens
        case .cacheReadAudioTokens, .cacheReadImageTokens, .cacheReadVideoTokens: .cacheReadTokens
        case .cacheWriteHourTokens, .cacheWriteLongTokens: .cacheWriteTokens
        case .outputAudioTokens, .outputImageTokens, .reasoningTokens: .outputTokens
        case .inputTokens, .outputTokens, .images, .audioMilliseconds, .characters, .searches, .computeMilliseconds,
            .requests:
            nil
        }
    }

    /// Its place in the order of the cases, from 0.
    public var order: Int { Meter.allCases.firstIndex(of: self) ?? Meter.allCases.count }
}

extension Meter: Comparable {
    public static func < (left: Meter, right: Meter) -> Bool { left.order < right.order }
}
