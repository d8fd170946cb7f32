internal import Synchronization

/// A count that only grows.
public final class Counter: Sendable {
    private let count = Atomic<Int64>(0)

    init() {}

    /// Adds `amount`, which must not be negative.
    public func increment(by amount: Int64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    /// The count so far.
    public var value: Int64 { count.load(ordering: .relaxed) }
}

/// A level that rises and falls.
public final class Gauge: Sendable {
    private let level = Atomic<Int64>(0)

    init() {}

    /// Raises the level (lowers it, when negative).
    public func add(_ amount: Int64) { level.wrappingAdd(amount, ordering: .relaxed) }

    /// Sets the level.
    public func set(_ value: Int64) { level.store(value, ordering: .relaxed) }

    /// The level now.
    public var value: Int64 { level.load(ordering: .relaxed) }
}

/// How observations spread over fixed buckets.
///
/// Observations are integers of a small unit (tokens, microseconds); `scale` says how many of it make one of the
/// exported unit, so that recording needs no floating point.
public final class Histogram: Sendable {
    /// Upper bounds in the small unit, ascending; the last bucket is open.
    let bounds: [Int64]
    let scale: Int64
    private let counts: AtomicCounts
    private let sum = Atomic<Int64>(0)

    init(bounds: [Int64], scale: Int64) {
        self.bounds = bounds
        self.scale = scale
        counts = AtomicCounts(count: bounds.count + 1)
    }

    /// Records one observation.
    public func observe(_ value: Int64) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        counts.increment(low)
        sum.wrappingAdd(value, ordering: .relaxed)
    }

    /// Observations in each bucket, not cumulated, and their sum.
    var snapshot: (counts: [Int64], sum: Int64) { (counts.values, sum.load(ordering: .relaxed)) }
}

/// A fixed row of atomic counts.
private final class AtomicCounts: @unchecked Sendable {
    // Only ever touched through atomic operations; the memory lives as long as this object.
    private let storage: UnsafeMutablePointer<Atomic<Int64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        storage = .allocate(capacity: count)
        for index in 0..<count { (storage + index).initialize(to: Atomic(0)) }
    }

    deinit {
        storage.deinitialize(count: count)
        storage.deallocate()
    }

    func increment(_ index: Int) { storage[index].wrappingAdd(1, ordering: .relaxed) }

    var values: [Int64] { (0..<count).map { storage[$0].load(ordering: .relaxed) } }
}
