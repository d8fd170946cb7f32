public import Identity

/// Whose answers are alike: those that one key gets of one model.
public struct AnswerKey: Hashable, Sendable {
    public let key: KeyID
    /// The model's canonical name.
    public let model: String

    public init(key: KeyID, model: String) {
        self.key = key
        self.model = model
    }
}

/// How long the answers were that keys got lately, so that a request which names no limit of its own reserves what is
/// likely instead of the model's longest answer.
///
/// Bounded: at most `keysMax` keys and models, 2 KiB each. What was not added to for longest is forgotten first, half
/// of all at a time, so that no request pays for keeping an order.
public struct AnswerHistory: Sendable {
    private struct Lengths: Sendable {
        private var recent: [UInt32] = []
        private var sorted: [UInt32] = []
        private var oldest = 0

        mutating func add(_ length: UInt32) {
            if recent.count < AnswerHistory.lengthsMax {
                recent.append(length)
            } else {
                sorted.remove(at: Lengths.place(of: recent[oldest], in: sorted))
                recent[oldest] = length
                oldest = (oldest + 1) % AnswerHistory.lengthsMax
            }
            sorted.insert(length, at: Lengths.place(of: length, in: sorted))
            assert(sorted.count == recent.count)
        }

        /// The 95th percentile, by nearest rank.
        var likely: UInt32 { sorted[(sorted.count * 95 + 99) / 100 - 1] }

        /// Where the first length stands that is not smaller.
        private static func place(of length: UInt32, in sorted: [UInt32]) -> Int {
            var low = 0
            var high = sorted.count
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle] < length { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private var young: [AnswerKey: Lengths] = [:]
    private var old: [AnswerKey: Lengths] = [:]
    private let keysMax: Int

    /// Answers of one key and model that are looked at.
    public static let lengthsMax = 256
    /// The least that is reserved for an answer, in tokens; all that is reserved while nothing is known.
    public static let reserveMin: Int64 = 256
    /// Keys and models that are remembered at one gateway: 16 MiB.
    public static let keysMaxDefault = 8_192

    public init(keysMax: Int = AnswerHistory.keysMaxDefault) { self.keysMax = max(keysMax, 2) }

    /// Keys and models that something is known of.
    public var count: Int { young.count + old.count }

    /// An answer has ended.
    public mutating func note(_ tokens: Int64, of key: AnswerKey) {
        let length = UInt32(clamping: tokens)
        if young[key]?.add(length) != nil { return }
        if young.count >= keysMax / 2 {
            old = young
            young = [:]
        }
        var lengths = old.removeValue(forKey: key) ?? Lengths()
        lengths.add(length)
        young[key] = lengths
        assert(count <= keysMax)
    }

    /// What to reserve for an answer of which nobody said how long it may become: the 95th percentile of the last 256,
    /// at least 256 tokens, at most the model's own limit.
    public func reserve(for key: AnswerKey, most: Int64) -> Int64 {
        let likely = (young[key] ?? old[key]).map { Int64($0.likely) } ?? 0
        return min(max(likely, AnswerHistory.reserveMin), most)
    }
}
