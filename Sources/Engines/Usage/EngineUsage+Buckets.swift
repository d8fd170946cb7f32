internal import Metering

extension EngineUsage {
    /// The counts taken apart into disjoint buckets, or what is wrong with them.
    public func buckets() -> UsageBuckets {
        if let contradiction { return .contradiction(contradiction) }
        let limit = TokenBuckets.bucketMax
        guard counts.allSatisfy({ (0...limit).contains($0 ?? 0) }) else {
            return .contradiction("a count is negative or larger than \(limit)")
        }
        var buckets = TokenBuckets()
        if let problem = takeInput(into: &buckets) ?? takeOutput(into: &buckets) { return .contradiction(problem) }
        return .counted(buckets)
    }

    private var counts: [Int64?] {
        [
            promptTokens, completionTokens, totalTokens, cachedTokens, cacheWriteTokens, cacheWriteHourTokens,
            cacheWriteLongTokens, reasoningTokens, toolPromptTokens, inputParts.text, inputParts.audio,
            inputParts.image, inputParts.video, cachedParts.text, cachedParts.audio, cachedParts.image,
            cachedParts.video, outputParts.text, outputParts.audio, outputParts.image, outputParts.video,
        ]
    }

    // MARK: Input

    /// Fills the input side; returns what is wrong.
    ///
    /// Kinds that the engine does not name are text. What a cache served is text first: only what exceeds the text is
    /// taken from the other kinds, where the engine does not say itself.
    private func takeInput(into buckets: inout TokenBuckets) -> String? {
        let cached = cachedTokens ?? 0
        let written = max(cacheWriteTokens ?? 0, (cacheWriteHourTokens ?? 0) + (cacheWriteLongTokens ?? 0))
        var whole = (promptTokens ?? 0) + (toolPromptTokens ?? 0)
        if rule == .cacheApart { whole += cached + written }
        guard cached + written <= whole else {
            return "cached_tokens \(cached) and cache_write_tokens \(written) exceed prompt_tokens \(whole)"
        }
        buckets.cacheWriteHour = cacheWriteHourTokens ?? 0
        buckets.cacheWriteLong = cacheWriteLongTokens ?? 0
        buckets.cacheWriteFiveMinutes = written - buckets.cacheWriteHour - buckets.cacheWriteLong

        let video = inputParts.video ?? 0
        let image = inputParts.image ?? 0
        let audio = inputParts.audio ?? 0
        guard video + image + audio <= whole else {
            return "input by kind (\(audio) audio, \(image) image, \(video) video) exceeds \(whole)"
        }
        guard (cachedParts.video ?? 0) <= video, (cachedParts.image ?? 0) <= image,
            (cachedParts.audio ?? 0) <= audio
        else { return "more of a kind was cached than was given" }
        buckets.cacheReadVideo = cachedParts.video ?? 0
        buckets.cacheReadImage = cachedParts.image ?? 0
        buckets.cacheReadAudio = cachedParts.audio ?? 0
        let cachedByKind = buckets.cacheReadVideo + buckets.cacheReadImage + buckets.cacheReadAudio
        guard cachedByKind <= cached else { return "cached by kind \(cachedByKind) exceeds cached_tokens \(cached)" }
        buckets.cacheRead = cached - cachedByKind

        buckets.inputVideo = video - buckets.cacheReadVideo
        buckets.inputImage = image - buckets.cacheReadImage
        buckets.inputAudio = audio - buckets.cacheReadAudio
        let text = whole - video - image - audio
        var excess = max(0, buckets.cacheRead + written - text)
        func move(_ from: inout Int64, _ to: inout Int64, isKnown: Bool) {
            // What was written to a cache has no kind, so only reads change their bucket.
            guard !isKnown else { return }
            let part = min(excess, from)
            from -= part
            excess -= part
            let read = min(part, buckets.cacheRead)
            buckets.cacheRead -= read
            to += read
        }
        var (inputVideo, inputImage, inputAudio) = (buckets.inputVideo, buckets.inputImage, buckets.inputAudio)
        var (readVideo, readImage, readAudio) = (buckets.cacheReadVideo, buckets.cacheReadImage, buckets.cacheReadAudio)
        move(&inputVideo, &readVideo, isKnown: cachedParts.video != nil)
        move(&inputImage, &readImage, isKnown: cachedParts.image != nil)
        move(&inputAudio, &readAudio, isKnown: cachedParts.audio != nil)
        (buckets.inputVideo, buckets.inputImage, buckets.inputAudio) = (inputVideo, inputImage, inputAudio)
        (buckets.cacheReadVideo, buckets.cacheReadImage, buckets.cacheReadAudio) = (readVideo, readImage, readAudio)
        buckets.inputUncached = whole - (buckets.inputTotal - buckets.inputUncached)
        guard excess == 0, buckets.inputUncached >= 0 else { return "input by kind and by cache cannot both be true" }
        return nil
    }

    // MARK: Output

    /// Fills the output side; returns what is wrong.
    private func takeOutput(into buckets: inout TokenBuckets) -> String? {
        let completion = completionTokens ?? 0
        var reasoning = reasoningTokens ?? 0
        let isReasoningInside: Bool
        switch rule {
        case .inclusive:
            let input = promptTokens ?? 0
            if let total = totalTokens, promptTokens != nil, total != input + completion {
                guard reasoning > 0, total == input + completion + reasoning else {
                    return "total_tokens \(total) is not prompt_tokens \(input) and completion_tokens \(completion)"
                }
                isReasoningInside = false
            } else {
                isReasoningInside = true
            }
        case .cacheApart:
            // Thinking is an approximation there, the output is not.
            reasoning = min(reasoning, completion)
            isReasoningInside = true
        case .reasoningApart:
            let visible = (promptTokens ?? 0) + completion + (toolPromptTokens ?? 0)
            isReasoningInside = totalTokens == visible && reasoning <= completion
            if let total = totalTokens, !isReasoningInside, total != visible + reasoning {
                return "the total \(total) is not the sum of its parts \(visible + reasoning)"
            }
        }
        let inside = isReasoningInside ? reasoning : 0
        buckets.outputReasoning = reasoning
        buckets.outputAudio = outputParts.audio ?? 0
        // There is no bucket for moving pictures made; they are pictures.
        buckets.outputImage = (outputParts.image ?? 0) + (outputParts.video ?? 0)
        buckets.outputVisible = completion - inside - buckets.outputAudio - buckets.outputImage
        guard inside <= completion else { return "reasoning_tokens \(inside) exceed completion_tokens \(completion)" }
        guard buckets.outputVisible >= 0 else {
            return "output by kind (\(buckets.outputAudio) audio, \(buckets.outputImage) image, \(inside) reasoning) "
                + "exceeds completion_tokens \(completion)"
        }
        return nil
    }
}
