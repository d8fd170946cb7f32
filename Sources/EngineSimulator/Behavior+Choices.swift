extension Behavior {
    /// Whose ways the engine has where engines of one dialect differ.
    public enum Flavour: String, Sendable, CaseIterable {
        /// The finish reason rides on the last token, no `usage` key on the chunks before the last.
        case vllm
        /// A chunk of its own for the finish reason, `"usage":null` on all chunks before the last.
        case openai
        /// A first chunk without choices, content filters on every delta.
        case azure
        /// TensorRT-LLM: refuses what it does not know.
        case trtllm
        case tgi
        /// Large Model Inference, a container of SageMaker's: as TGI, but never counts the prompt.
        case lmi
        case llamaCpp = "llama.cpp"
        /// `x_groq` and `usage` on the finish chunk, unasked; times in the usage.
        case groq
        /// Performance in the usage; `created` is a fraction.
        case sambanova
        case tenstorrent
        /// Usage on the last chunk with choices, unasked.
        case together
        /// `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens`.
        case deepseek
        /// Completion tokens without the reasoning ones.
        case xai
        /// `time_info` beside the usage.
        case cerebras
        /// What it cost, in the usage.
        case openrouter
        case nim
        case triton
        case ray = "ray-serve"
        /// Rerankers that count searches.
        case cohere
        /// Google's own names of tiers.
        case vertex
        case gemini
    }

    /// How usage is reported.
    public enum UsageReporting: String, Sendable, CaseIterable {
        /// What was produced.
        case correct
        /// Not at all: no `usage` key, no usage chunk.
        case missing
        /// `"usage":null` where the numbers belong.
        case null
        /// A total that is not the sum of its parts.
        case wrongTotal = "wrong_total"
        /// More cached tokens than prompt tokens.
        case cachedOverPrompt = "cached_over_prompt"
        /// A negative number of completion tokens.
        case negative
        /// More reasoning tokens than completion tokens.
        case reasoningOverCompletion = "reasoning_over_completion"
        /// All counts zero.
        case zero
        /// Numbers as JSON strings.
        case quoted
        /// Numbers with a fraction.
        case fractional
        /// Numbers beyond what 64 bits hold.
        case huge
    }

    /// How an answer ends once every token was produced.
    public enum Ending: String, Sendable, CaseIterable {
        /// To the last byte.
        case complete
        /// Cut after the finish reason, before usage and `[DONE]`.
        case cutBeforeUsage = "cut_before_usage"
        /// Cut after usage, before `[DONE]`.
        case cutBeforeDone = "cut_before_done"
        /// Cut after `[DONE]`, before the last (empty) chunk of the transfer coding.
        case cutBeforeEnd = "cut_before_end"
    }

    /// What a plain answer's `content-length` says of the body that follows.
    public enum AnnouncedLength: String, Sendable, CaseIterable {
        case right
        /// Ten bytes more than come before the connection is closed.
        case long
        /// Ten bytes fewer; the rest follows all the same.
        case short
    }

    /// How an error tells after how long to come again.
    public enum RetryHint: String, Sendable, CaseIterable {
        /// `retry-after` in seconds.
        case header
        /// `retry-after` as an HTTP date.
        case date
        /// `retry-after-ms`, as Azure's provisioned deployments send it.
        case milliseconds
        /// `x-ratelimit-reset-requests` and `-tokens`, as OpenAI and Groq write durations.
        case reset
        /// Google's `RetryInfo` in the body.
        case body
        /// A sentence in the message, as Groq writes it.
        case message
    }

    /// Which of an answer's several inferences are there beside the first.
    public enum InnerInferences: String, Sendable, CaseIterable {
        case none
        /// Anthropic: a second model that the first one asked.
        case advisor
        /// Anthropic: the conversation was summarised first.
        case compaction
        /// Anthropic: the first model declined and another answered.
        case fallback
        /// Groq: the models of a compound system.
        case components
    }

    /// Which names for the length and the number of answers the engine goes by.
    public enum LengthReading: String, Sendable, CaseIterable {
        /// Those of the dialect alone, checked strictly.
        case dialect
        case vllm
        case sglang
        case llamaCpp = "llama.cpp"
        case ollama
        case deepSeek = "deepseek"
        case tgi
        case lmi
        case gemini
        /// All names that any engine knows, the largest meaning of each.
        case any
    }

    /// What the usage of a transcription counts.
    public enum TranscriptionUsage: String, Sendable, CaseIterable {
        case tokens
        case duration
    }
}
