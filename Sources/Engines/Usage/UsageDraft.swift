internal import Metering

/// What was read of a usage object so far, by the names of its dialect.
struct UsageDraft: Sendable {
    let names: UsageNames
    /// Why the object cannot be believed as it stands.
    private(set) var problem: String?
    private(set) var timings = EngineTimings()
    private(set) var units = UsageUnits()

    private static let countMax = 32
    private var values = [32 of Int64](repeating: UsageDraft.nothing)
    private var ranks = [32 of UInt8](repeating: .max)
    private static let nothing = Int64.min
    /// What other names say of the prompt and of the output.
    private var rivals = NamedRivals()
    private var toolSearches: Int64?
    private var writtenByLifetime: Int64?
    private var hourWrites: Int64?
    private var longWrites: Int64?
    private var cost: String?
    private var upstreamCost: String?
    private var isOwnKey = false
    private var isSearched = false
    private var hasPromptSound = false

    init(_ names: UsageNames) {
        assert(UsageCount.allCases.count <= UsageDraft.countMax)
        self.names = names
    }

    // MARK: Reading

    /// Reads a whole object; the scanner stands before its brace.
    mutating func readObject(
        at place: UsagePlace = .root, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if try !read(key, kind, at: place, &scanner, bytes) { try scanner.skip() }
        }
    }

    /// Reads the value of `key` when the dialect has a name for it there; else leaves it to be moved over.
    mutating func read(
        _ key: JSONText, _ kind: JSONKind, at place: UsagePlace = .root, _ scanner: inout JSONScanner,
        _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        guard kind != .null, let named = names.named(key, at: place, in: bytes) else { return false }
        switch named.meaning {
        case .count(let count):
            guard let value = try integer(named.name, kind, &scanner) else { return true }
            take(count, value, rank: named.rank, at: place)
        case .object(let inner):
            guard kind == .object else { return false }
            try readObject(at: inner, &scanner, bytes)
        case .modalities(let side):
            guard kind == .array else { return false }
            try readModalities(side, &scanner, bytes)
        case .lifetimes:
            guard kind == .object else { return false }
            try readLifetimes(&scanner, bytes)
        case .lifetimeList:
            guard kind == .array else { return false }
            try readLifetimeList(&scanner, bytes)
        case .decimal(.cost) where kind == .object: try readObject(at: .cost, &scanner, bytes)
        case .searched:
            guard kind == .string else { return false }
            if try !scanner.string().range.isEmpty { isSearched = true }
        case .decimal(let decimal):
            let range = try scanner.skip()
            if kind == .number { take(decimal, bytes, range) }
        case .ownKey: isOwnKey = bytes.equals("true", in: try scanner.skip())
        }
        return true
    }

    /// Reads one count; nil for what is no integer, which it notes.
    private mutating func integer(
        _ name: StaticString, _ kind: JSONKind, _ scanner: inout JSONScanner
    ) throws(JSONScanError) -> Int64? {
        if kind == .number {
            if let value = try scanner.number(), value != UsageDraft.nothing { return value }
        } else {
            try scanner.skip()
        }
        note("\(name) is not an integer")
        return nil
    }

    private mutating func note(_ text: @autoclosure () -> String) {
        if problem == nil { problem = text() }
    }

    /// Takes a count under the name of that rank.
    mutating func take(_ count: UsageCount, _ value: Int64, rank: UInt8 = 0, at place: UsagePlace = .root) {
        if place == .toolCalls {
            toolSearches = UsageDraft.sum(toolSearches, value)
            return
        }
        let index = count.rawValue
        let known = values[index]
        if known != UsageDraft.nothing { rivals.note(count, known, value) }
        let isFilledIn = known == 0 && value != 0
        guard known == UsageDraft.nothing || isFilledIn || rank <= ranks[index] && (value != 0 || known == 0) else {
            return
        }
        values[index] = value
        ranks[index] = rank
    }

    /// What does not fit is a count that nobody believes.
    private static func sum(_ left: Int64?, _ right: Int64) -> Int64 {
        let (sum, overflows) = (left ?? 0).addingReportingOverflow(right)
        return overflows ? .max : sum
    }

    private mutating func take(_ decimal: UsageDecimal, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        func scaled(_ exponent: Int) -> Int64? { DecimalText.scaled(bytes, range, exponent: exponent) }
        switch decimal {
        case .queueSeconds: timings.queue = scaled(6)
        case .prefillSeconds: timings.prefill = scaled(6)
        case .decodeSeconds: timings.decode = scaled(6)
        case .totalSeconds: timings.total = scaled(6)
        case .firstTokenSeconds: timings.firstToken = scaled(6)
        case .firstTokenMilliseconds: timings.firstToken = scaled(3)
        case .soundSeconds: units.audioMilliseconds = scaled(3) ?? 0
        case .promptSoundSeconds:
            guard let milliseconds = scaled(3), milliseconds > 0 else { return }
            units.audioMilliseconds = milliseconds
            hasPromptSound = true
        case .computeSeconds:
            // Clocks that were set while it ran have made negative times.
            if let milliseconds = scaled(3) {
                units.computeMilliseconds = milliseconds
            } else {
                units.computeMilliseconds = -1
            }
        case .cost: cost = DecimalText.plain(bytes, range)
        case .costTicks: cost = scaled(0).map { DecimalText.text(digits: $0, exponent: -10) }
        case .upstreamCost: upstreamCost = DecimalText.plain(bytes, range)
        }
    }

    // MARK: Lists

    private mutating func readModalities(
        _ side: UsagePlace, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .object else { return false }
            var modality: String?
            var value: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("modality", in: bytes) {
                    modality = try scanner.name(kind, in: bytes)
                } else if kind != .null, key.equals("tokenCount", in: bytes) || key.equals("tokens", in: bytes) {
                    value = try integer("tokenCount", kind, &scanner)
                } else {
                    return false
                }
                return true
            }
            if let value {
                let index = UsageDraft.count(of: modality, side).rawValue
                values[index] = UsageDraft.sum(values[index] == UsageDraft.nothing ? nil : values[index], value)
            }
            return true
        }
    }

    /// Documents, and what has no name here, are text.
    private static func count(of modality: String?, _ side: UsagePlace) -> UsageCount {
        let name = modality?.lowercased()
        switch side {
        case .cachedDetails:
            switch name {
            case "audio": return .cachedAudio
            case "image": return .cachedImage
            case "video": return .cachedVideo
            default: return .cachedText
            }
        case .outputDetails:
            switch name {
            case "audio": return .outputAudio
            case "image": return .outputImage
            case "video": return .outputVideo
            default: return .outputText
            }
        default:
            switch name {
            case "audio": return .inputAudio
            case "image": return .inputImage
            case "video": return .inputVideo
            default: return .inputText
            }
        }
    }

    private mutating func readLifetimes(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind != .null, let minutes = UsageDraft.minutes(key, bytes) else { return false }
            if let value = try integer("cache_creation", kind, &scanner) { addWrite(value, keptMinutes: minutes) }
            return true
        }
    }

    /// The lifetime in a name such as `ephemeral_5m_input_tokens`.
    private static func minutes(_ key: JSONText, _ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.hasBytes("ephemeral_", at: key.range.lowerBound) else { return nil }
        let text = bytes[key.range].dropFirst(10).prefix { $0 != UInt8(ascii: "_") }
        return NativeValue.minutes(String(decoding: text, as: UTF8.self))
    }

    private mutating func readLifetimeList(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            var minutes: Int64?
            var value: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("ttl", in: bytes) {
                    minutes = NativeValue.minutes(try scanner.name(kind, in: bytes) ?? "")
                } else if kind != .null, key.equals("inputTokens", in: bytes) {
                    value = try integer("cacheDetails", kind, &scanner)
                } else {
                    return false
                }
                return true
            }
            if let value { addWrite(value, keptMinutes: minutes ?? 5) }
            return true
        }
    }

    /// Counts what was written to a cache under the lifetime that it has a price for: up to an hour, up to twelve, and
    /// longer. What is kept for less than an hour is what the whole of it leaves.
    private mutating func addWrite(_ value: Int64, keptMinutes minutes: Int64) {
        guard (0...TokenBuckets.bucketMax).contains(value) else {
            return note("a cache write of \(value) tokens cannot be true")
        }
        writtenByLifetime = UsageDraft.sum(writtenByLifetime, value)
        switch minutes {
        case ..<60: break
        case ..<720: hourWrites = UsageDraft.sum(hourWrites, value)
        default: longWrites = UsageDraft.sum(longWrites, value)
        }
    }

    // MARK: The whole

    private subscript(count: UsageCount) -> Int64? {
        let value = values[count.rawValue]
        return value == UsageDraft.nothing ? nil : value
    }

    /// The counts, once all were read.
    func settled() -> EngineUsage {
        var usage = EngineUsage()
        usage.rule = names.rule
        usage.promptTokens = self[.prompt]
        usage.completionTokens = self[.completion]
        usage.totalTokens = self[.total]
        usage.contradiction = problem
        usage.cachedTokens = self[.cached]
        usage.cacheWriteTokens = self[.cacheWrite]
        if usage.cachedTokens ?? 0 == 0, let apart = self[.cachedApart] {
            usage.cachedTokens = apart
            usage.isCacheNamedApart = apart != 0
        }
        if usage.cacheWriteTokens ?? 0 == 0, let apart = self[.cacheWriteApart] {
            usage.cacheWriteTokens = apart
            if apart != 0 { usage.isCacheNamedApart = true }
        }
        usage.cacheWriteHourTokens = hourWrites ?? self[.cacheWriteHour]
        usage.cacheWriteLongTokens = longWrites ?? self[.cacheWriteLong]
        usage.reasoningTokens = self[.reasoning]
        if usage.reasoningTokens ?? 0 == 0, let beside = self[.reasoningBeside] {
            usage.reasoningTokens = beside
            usage.isReasoningBeside = beside != 0
        }
        usage.toolPromptTokens = self[.toolPrompt]
        usage.inputParts = ModalityTokens(
            text: self[.inputText], audio: self[.inputAudio], image: self[.inputImage], video: self[.inputVideo])
        usage.cachedParts = ModalityTokens(
            text: self[.cachedText], audio: self[.cachedAudio], image: self[.cachedImage], video: self[.cachedVideo])
        usage.outputParts = ModalityTokens(
            text: self[.outputText], audio: self[.outputAudio], image: self[.outputImage], video: self[.outputVideo])
        usage.units = units
        usage.units.searches = toolSearches ?? self[.searchesBeside] ?? self[.searches] ?? (isSearched ? 1 : 0)
        usage.units.images = self[.images] ?? 0
        usage.hasSearchesBeside = self[.searchesBeside] != nil || self[.toolPrompt] != nil
        usage.hasPromptSound = hasPromptSound
        usage.timings = timings
        settleCosts(&usage)
        settleWrites(&usage)
        rivals.settle(&usage)
        settleMisses(&usage)
        return usage
    }

    /// With a key of our own at the provider behind it, a router takes a fee, and that provider its price.
    private func settleCosts(_ usage: inout EngineUsage) {
        usage.engineCost = cost ?? (isOwnKey ? upstreamCost : nil)
        guard let cost, let upstreamCost else { return }
        if isOwnKey {
            usage.engineCost = DecimalText.sum(cost, upstreamCost) ?? cost
        } else {
            usage.upstreamCost = upstreamCost
        }
    }

    /// What was written by lifetime stands for what was written in all, where that is not said.
    private func settleWrites(_ usage: inout EngineUsage) {
        guard let sum = writtenByLifetime else { return }
        let written = usage.cacheWriteTokens.flatMap { $0 == 0 ? nil : $0 } ?? sum
        usage.cacheWriteTokens = written
        if sum > written {
            usage.contradiction =
                usage.contradiction ?? "cache writes by lifetime \(sum) exceed all of them \(written)"
        }
    }

    /// What a cache served and what it did not are the prompt together; where they are not, the smaller one counts.
    private func settleMisses(_ usage: inout EngineUsage) {
        guard let hit = usage.cachedTokens, let miss = self[.cacheMiss] else { return }
        let sum = UsageDraft.sum(hit, miss)
        guard let prompt = usage.promptTokens, prompt != sum else {
            usage.promptTokens = sum
            return
        }
        usage.contradiction =
            usage.contradiction ?? "cache hits \(hit) and misses \(miss) are not the prompt's \(prompt)"
        if hit >= 0, miss >= 0 { usage.promptTokens = min(prompt, sum) }
    }
}
