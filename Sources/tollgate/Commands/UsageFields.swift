import Metering

/// What an attempt used, as `tollgate usage record` prints it: the ordinary counts always, the others where there are
/// any.
enum UsageFields {
    static func fields(of attempt: AttemptRecord) -> [(name: String, value: String)] {
        let buckets = attempt.buckets
        let units = attempt.units
        let ordinary = [
            ("input", buckets.inputUncached), ("cache read", buckets.cacheRead),
            ("cache write", buckets.cacheWriteTotal), ("output", buckets.outputVisible),
            ("reasoning", buckets.outputReasoning),
        ]
        let others = [
            ("input audio", buckets.inputAudio), ("input image", buckets.inputImage),
            ("input video", buckets.inputVideo), ("cache read audio", buckets.cacheReadAudio),
            ("cache read image", buckets.cacheReadImage), ("cache read video", buckets.cacheReadVideo),
            ("output audio", buckets.outputAudio), ("output image", buckets.outputImage), ("images", units.images),
            ("audio milliseconds", units.audioMilliseconds), ("characters", units.characters),
            ("searches", units.searches), ("compute milliseconds", units.computeMilliseconds),
        ]
        let counts = (ordinary + others.filter { $0.1 != 0 }).map { ($0.0, "\($0.1)") }
        let words = [
            ("price", attempt.isBatch ? "batch" : ""), ("region", attempt.region),
            ("engine cost", attempt.engineCost.map { "\($0) USD" } ?? ""),
        ]
        return counts + words.filter { !$0.1.isEmpty }
    }
}
