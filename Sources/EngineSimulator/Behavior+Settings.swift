/// A setting that the simulator does not know or cannot take.
public struct SettingError: Error, Equatable, CustomStringConvertible {
    /// What is wrong and what would be right.
    public let description: String
}

extension Behavior {
    /// One named setting: how to print it and how to take it from text.
    struct Setting: Sendable {
        let name: String
        let get: @Sendable (Behavior) -> SettingText
        let set: @Sendable (inout Behavior, String) throws(SettingError) -> Void
    }

    /// A setting's value as JSON would show it.
    enum SettingText: Sendable, Equatable {
        case none
        case number(Int)
        case flag(Bool)
        case text(String)
    }

    /// The largest number any setting takes: a day in milliseconds, far beyond any sensible count.
    static let settingNumberMax = 86_400_000

    /// Every setting, by name. This table is the simulator's whole vocabulary.
    static let settings: [Setting] = [
        number("first_byte_ms", \.firstByteMilliseconds),
        number("prefill_ms", \.prefillMilliseconds),
        number("prefill_us_per_token", \.prefillMicrosecondsPerToken),
        number("decode_us", \.decodeMicroseconds),
        number("tokens_per_chunk", \.tokensPerChunk, atLeast: 1),
        optionalNumber("prompt_tokens", \.promptTokens),
        optionalNumber("completion_tokens", \.completionTokens),
        choice("lengths", \.lengthReading),
        number("cached_tokens", \.cachedTokens),
        number("cache_write_tokens", \.cacheWriteTokens),
        number("cache_write_hour_tokens", \.cacheWriteHourTokens),
        number("prompt_audio_tokens", \.promptAudioTokens),
        number("prompt_image_tokens", \.promptImageTokens),
        number("image_tokens", \.imageTokens),
        optionalNumber("audio_ms", \.audioMilliseconds),
        choice("transcription_usage", \.transcriptionUsage),
        choice("inner", \.innerInferences),
        number("batch_ms", \.batchMilliseconds),
        number("waiting_requests", \.waitingRequests),
        number("cache_percent", \.cachePercent),
        number("reasoning_tokens", \.reasoningTokens),
        text("text", \.text),
        text("finish_reason", \.finishReason),
        text("serve_tier", \.servedTier),
        text("serve_model", \.servedModel),
        choice("flavour", \.flavour),
        choice("usage", \.usage),
        flag("tool_calls", \.callsTools),
        flag("times", \.tellsTimes),
        flag("thoughts_inside", \.countsThoughtsAsCandidates),
        flag("start_twice", \.startsTwice),
        number("padding_bytes", \.paddingBytes),
        flag("comments", \.comments),
        flag("chunked", \.chunkedPlain),
        number("split_bytes", \.splitBytes),
        number("drip_ms", \.dripMilliseconds),
        number("part_bytes", \.partBytes),
        flag("compress", \.compresses),
        number("status", \.errorStatus),
        text("error_message", \.errorMessage),
        text("error_body", \.errorBody),
        optionalNumber("retry_after", \.retryAfterSeconds),
        choice("retry_hint", \.retryHint),
        flag("hang_up", \.hangsUp),
        optionalNumber("fail_after", \.failAfterTokens),
        number("fail_status", \.failStatus, atLeast: 400),
        optionalNumber("cut_after", \.cutAfterTokens),
        flag("cut_inside", \.cutsInside),
        optionalNumber("malformed_after", \.malformedAfterTokens),
        optionalNumber("broken_checksum_after", \.brokenChecksumAfterTokens),
        choice("content_length", \.announcedLength),
        optionalNumber("stall_after", \.stallAfterTokens),
        number("stall_ms", \.stallMilliseconds),
        choice("ending", \.ending),
        flag("finish_abandoned", \.finishesAbandonedPlain),
    ]

    private static let settingsByName = Dictionary(uniqueKeysWithValues: settings.map { ($0.name, $0) })

    /// Takes one setting from text. `decode_ms` is accepted beside `decode_us`, `shape` beside `flavour`.
    public mutating func apply(name: String, value: String) throws(SettingError) {
        if name == "shape" { return try apply(name: "flavour", value: value) }
        if name == "decode_ms" {
            decodeMicroseconds = try Self.parse(value, name: name, atLeast: 0) * 1000
            return
        }
        guard let setting = Self.settingsByName[name] else {
            let known = Self.settings.map(\.name).joined(separator: ", ")
            throw SettingError(description: "unknown setting `\(name)`; known are: \(known)")
        }
        try setting.set(&self, value)
    }

    /// Takes settings from text such as `prefill_ms=20,decode_us=500` (commas, semicolons or spaces between them).
    public mutating func apply(settings text: String) throws(SettingError) {
        for part in text.split(whereSeparator: { $0 == "," || $0 == ";" || $0.isWhitespace }) {
            guard let equals = part.firstIndex(of: "=") else {
                throw SettingError(description: "`\(part)` is no setting: write key=value")
            }
            try apply(name: String(part[..<equals]), value: String(part[part.index(after: equals)...]))
        }
    }

    private static func parse(_ value: String, name: String, atLeast least: Int) throws(SettingError) -> Int {
        guard let number = Int(value), number >= least, number <= settingNumberMax else {
            throw SettingError(
                description: "`\(name)` takes a whole number from \(least) to \(settingNumberMax), not `\(value)`"
            )
        }
        return number
    }

    private static func number(
        _ name: String, _ path: any WritableKeyPath<Behavior, Int> & Sendable, atLeast least: Int = 0
    ) -> Setting {
        Setting(name: name) {
            .number($0[keyPath: path])
        } set: { behavior, value throws(SettingError) in
            behavior[keyPath: path] = try parse(value, name: name, atLeast: least)
        }
    }

    private static func optionalNumber(
        _ name: String, _ path: any WritableKeyPath<Behavior, Int?> & Sendable
    ) -> Setting {
        Setting(name: name) {
            $0[keyPath: path].map(SettingText.number) ?? .none
        } set: { behavior, value throws(SettingError) in
            behavior[keyPath: path] = value == "none" ? nil : try parse(value, name: name, atLeast: 0)
        }
    }

    private static func flag(_ name: String, _ path: any WritableKeyPath<Behavior, Bool> & Sendable) -> Setting {
        Setting(name: name) {
            .flag($0[keyPath: path])
        } set: { behavior, value throws(SettingError) in
            guard let flag = Bool(value) else {
                throw SettingError(description: "`\(name)` takes true or false, not `\(value)`")
            }
            behavior[keyPath: path] = flag
        }
    }

    private static func text(_ name: String, _ path: any WritableKeyPath<Behavior, String?> & Sendable) -> Setting {
        Setting(name: name) {
            $0[keyPath: path].map(SettingText.text) ?? .none
        } set: { behavior, value throws(SettingError) in
            behavior[keyPath: path] = value == "none" ? nil : value
        }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Behavior, Choice> & Sendable
    ) -> Setting {
        Setting(name: name) {
            .text($0[keyPath: path].rawValue)
        } set: { behavior, value throws(SettingError) in
            guard let choice = Choice(rawValue: value) else {
                let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw SettingError(description: "`\(name)` takes one of \(known), not `\(value)`")
            }
            behavior[keyPath: path] = choice
        }
    }
}
