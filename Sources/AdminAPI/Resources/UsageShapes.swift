import Metering

/// What an attempt used, as records show it.
enum UsageShapes {
    static let buckets = Shape<TokenBuckets>(
        "TokenBuckets", "Tokens. The buckets are disjoint: no token is in two, so sums are sums.",
        [
            count("input_uncached", \.inputUncached, "Text, and all whose kind the engine did not say."),
            count("input_audio", \.inputAudio), count("input_image", \.inputImage),
            count("input_video", \.inputVideo),
            count("cache_read", \.cacheRead, "Text, and all whose kind the engine did not say."),
            count("cache_read_audio", \.cacheReadAudio), count("cache_read_image", \.cacheReadImage),
            count("cache_read_video", \.cacheReadVideo),
            count("cache_write_5m", \.cacheWriteFiveMinutes, "For five minutes, or a lifetime not said."),
            count("cache_write_1h", \.cacheWriteHour),
            count("cache_write_long", \.cacheWriteLong, "For twelve hours or longer."),
            count("output_visible", \.outputVisible, "Text, and all whose kind the engine did not say."),
            count("output_audio", \.outputAudio), count("output_image", \.outputImage),
            count("output_reasoning", \.outputReasoning),
        ])

    static let units = Shape<UsageUnits>(
        "UsageUnits", "What it came to beside tokens.",
        [
            count("images", \.images, "Pictures made."),
            count("audio_milliseconds", \.audioMilliseconds, "Sound listened to or made."),
            count("characters", \.characters, "Read out."), count("searches", \.searches),
            count("compute_milliseconds", \.computeMilliseconds, "On the engine's hardware."),
        ])

    static let timings = Shape<EngineTimings>(
        "EngineTimings", "Microseconds by the engine's own clock; null where it did not say.",
        [
            time("queue", \.queue), time("prefill", \.prefill), time("decode", \.decode),
            time("first_token", \.firstToken), time("total", \.total),
        ])

    private static func count<Value>(
        _ name: String, _ path: any KeyPath<Value, Int64> & Sendable, _ text: String = ""
    ) -> Shape<Value>.Field {
        .init(name, text.isEmpty ? .integer() : .integer(text)) { .integer(Int128($0[keyPath: path])) }
    }

    private static func time(
        _ name: String, _ path: any KeyPath<EngineTimings, Int64?> & Sendable
    ) -> Shape<EngineTimings>.Field {
        .init(name, .integer().nullable) { .optional($0[keyPath: path]) }
    }
}
