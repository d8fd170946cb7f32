/// What a member of a usage object counts.
enum UsageCount: Int, CaseIterable {
    case prompt, completion, total
    /// Read from a cache, and beside it what no cache served: together the prompt (DeepSeek).
    case cached, cacheMiss
    /// The same under names by which Anthropic counts beside the prompt, in an object of another dialect.
    case cachedApart, cacheWriteApart
    case cacheWrite, cacheWriteHour, cacheWriteLong
    /// Inside the output's details, or beside the counts themselves.
    case reasoning, reasoningBeside
    /// Prompts of the engine's own tools, and what it cited: input beside the prompt.
    case toolPrompt
    case inputText, inputAudio, inputImage, inputVideo
    case cachedText, cachedAudio, cachedImage, cachedVideo
    case outputText, outputAudio, outputImage, outputVideo
    case searches, searchesBeside, images
}

/// Where in a usage object a member stands.
enum UsagePlace: Int, CaseIterable {
    case root, inputDetails, cachedDetails, outputDetails, toolCalls, cost, costDetails, plugins, searchPlugin
}

/// What a member of a usage object is.
enum UsageMeaning {
    case count(UsageCount)
    /// An object whose members are named in another place.
    case object(UsagePlace)
    /// A list of `{modality, tokenCount}`, by kinds of the input, of what was cached or of the output.
    case modalities(UsagePlace)
    /// Cache writes by how long they are kept: `ephemeral_1h_input_tokens` and its like.
    case lifetimes
    /// The same as a list of `{ttl, inputTokens}`.
    case lifetimeList
    /// A number with a fraction.
    case decimal(UsageDecimal)
    /// A text that stands there where a search was made for the answer, whether searches are counted or not.
    case searched
    /// Whether the key at the provider behind is our own.
    case ownKey
}

/// Numbers that may have a fraction.
enum UsageDecimal {
    case queueSeconds, prefillSeconds, decodeSeconds, totalSeconds, firstTokenSeconds, firstTokenMilliseconds
    case soundSeconds, promptSoundSeconds, computeSeconds
    /// In US dollars; in 10⁻¹⁰ of them; what the provider behind takes.
    case cost, costTicks, upstreamCost
}

/// The names of one dialect's usage: a new one is one line in its table.
///
/// What is given under two names is one count, never a sum. The name that stands first in the table is believed, unless
/// it says zero and another does not: engines fill members that they do not use with zeros.
struct UsageNames: Sendable {
    typealias Entry = (name: StaticString, meaning: UsageMeaning)
    struct Named: Sendable {
        let name: StaticString
        let meaning: UsageMeaning
        /// Its place in the table.
        let rank: UInt8
    }

    let rule: EngineUsage.Rule
    private let places: [NamedMeanings<Named>]

    init(_ rule: EngineUsage.Rule, _ tables: KeyValuePairs<UsagePlace, [Entry]>) {
        self.rule = rule
        var places = Array(repeating: [Named](), count: UsagePlace.allCases.count)
        var rank: UInt8 = 0
        for (place, entries) in tables {
            for entry in entries {
                places[place.rawValue].append(Named(name: entry.name, meaning: entry.meaning, rank: rank))
                rank += 1
            }
        }
        self.places = places.map { NamedMeanings($0.map { ($0.name, $0) }) }
    }

    func named(_ key: JSONText, at place: UsagePlace, in bytes: UnsafeRawBufferPointer) -> Named? {
        places[place.rawValue].meaning(of: key, in: bytes)
    }
}
