import Identity
import Telemetry

/// Makes the ids of records: the billing time in front, randomness behind. Confined to one event loop.
final class RecordIDs {
    private let clock: BillingClock
    private var random = RandomBits()

    init(clock: BillingClock) { self.clock = clock }

    /// For a request that is accepted now, by a clock that is so far ahead.
    func request(offset: Int64) -> RequestID {
        RequestID(
            UUIDv7(milliseconds: clock.milliseconds(offset: offset), randomness: (random.next(), random.next())))
    }

    /// For an attempt, with the billing time of the request that it belongs to.
    func attempt(of request: RequestID) -> AttemptID {
        AttemptID(
            UUIDv7(milliseconds: request.uuid.timestamp.milliseconds, randomness: (random.next(), random.next())))
    }

    /// 16 random bytes.
    func bytes() -> [UInt8] { withUnsafeBytes(of: (random.next(), random.next())) { Array($0) } }
}
