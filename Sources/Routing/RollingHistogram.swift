/// A distribution of whole numbers over a span of time that moves on in slots: percentiles within one eighth.
///
/// Eight buckets for each power of two; numbers of up to 32 bits. Fixed in size, however much is observed.
public struct RollingHistogram: Hashable, Sendable {
    private static let bucketsPerOctave = 8
    private static let bucketCount = 30 * bucketsPerOctave

    private let slotMilliseconds: Int64
    private let slotCount: Int
    /// Slot after slot.
    private var slots: [UInt32]
    /// The sum of all slots.
    private var total: [UInt32]
    private var newest: Int64 = 0
    /// Observations within the span.
    public private(set) var count: Int64 = 0

    /// `slotCount` slots of `slotMilliseconds`: five of a minute, unless said.
    public init(slotMilliseconds: Int64 = 60_000, slotCount: Int = 5) {
        self.slotMilliseconds = slotMilliseconds
        self.slotCount = slotCount
        slots = Array(repeating: 0, count: slotCount * Self.bucketCount)
        total = Array(repeating: 0, count: Self.bucketCount)
    }

    /// Takes in a number; a negative one counts as zero, one beyond 32 bits as the largest.
    public mutating func observe(_ value: Int64, at now: Int64) {
        advance(to: now)
        let bucket = Self.bucket(of: UInt32(clamping: value))
        slots[Int(newest % Int64(slotCount)) * Self.bucketCount + bucket] &+= 1
        total[bucket] &+= 1
        count += 1
    }

    /// The smallest number that at least `permille` thousandths of the observations do not exceed, to the bucket's
    /// lower end; nil without observations.
    public func percentile(_ permille: Int64) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(1, (count * permille + 999) / 1000)
        var seen: Int64 = 0
        for (bucket, number) in total.enumerated() where number > 0 {
            seen += Int64(number)
            if seen >= rank { return Self.lowerEnd(ofBucket: bucket) }
        }
        return nil
    }

    /// Forgets what is older than the span.
    public mutating func advance(to now: Int64) {
        let number = now / slotMilliseconds
        guard number > newest else { return }
        let passed = min(number - newest, Int64(slotCount))
        for step in 0..<passed { clear(slot: Int((number - step) % Int64(slotCount))) }
        newest = number
    }

    private mutating func clear(slot: Int) {
        let start = slot * Self.bucketCount
        for bucket in 0..<Self.bucketCount where slots[start + bucket] > 0 {
            total[bucket] &-= slots[start + bucket]
            count -= Int64(slots[start + bucket])
            slots[start + bucket] = 0
        }
    }

    static func bucket(of value: UInt32) -> Int {
        guard value >= UInt32(bucketsPerOctave) else { return Int(value) }
        let exponent = 31 - value.leadingZeroBitCount
        return (exponent - 2) * bucketsPerOctave + Int(value >> UInt32(exponent - 3)) - bucketsPerOctave
    }

    static func lowerEnd(ofBucket bucket: Int) -> Int64 {
        guard bucket >= bucketsPerOctave else { return Int64(bucket) }
        let exponent = bucket / bucketsPerOctave + 2
        return Int64(bucketsPerOctave + bucket % bucketsPerOctave) << Int64(exponent - 3)
    }
}
