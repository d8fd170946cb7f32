import Glibc
import Identity
import Synchronization

/// Stamps acceptances with billing time: real time and an account's offset, never stepping back for the same offset.
final class BillingClock: Sendable {
    private let realMilliseconds: @Sendable () -> Int64
    private let lastByOffset = Mutex<[Int64: Int64]>([:])

    /// The most offsets whose last stamp is remembered; accounts with a test clock are few.
    private static let offsetsMax = 4096

    init(realMilliseconds: @escaping @Sendable () -> Int64) { self.realMilliseconds = realMilliseconds }

    /// Real time: what signatures are dated by.
    var realTime: Timestamp { Timestamp(milliseconds: realMilliseconds()) }

    /// The billing time now, in milliseconds since 1970.
    func milliseconds(offset: Int64) -> Int64 {
        let now = realMilliseconds() + offset
        return lastByOffset.withLock { last in
            if last.count >= BillingClock.offsetsMax, last[offset] == nil { last.removeAll() }
            let stamp = max(last[offset] ?? now, now)
            last[offset] = stamp
            return stamp
        }
    }
}

/// Random bits from the system, drawn in bulk: an id needs 74 of them, and a system call for each would be dear.
struct RandomBits {
    private var words: [UInt64] = []

    /// 256 bytes: the most that `getentropy` gives at once.
    private static let wordsDrawn = 32

    mutating func next() -> UInt64 {
        if words.isEmpty { refill() }
        return words.removeLast()
    }

    private mutating func refill() {
        words = [UInt64](repeating: 0, count: RandomBits.wordsDrawn)
        let isFilled = words.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
        if !isFilled {
            // Never seen; the generator below waits for as long as it takes.
            var generator = SystemRandomNumberGenerator()
            for index in words.indices { words[index] = generator.next() }
        }
    }
}
