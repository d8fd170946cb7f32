public import Identity
import Synchronization
public import UsageJournal

/// What stands for an `Idempotency-Key` of one API key: the first 16 bytes of SHA-256 over key id and header value, so
/// that neither a table nor a record holds the client's own text.
public struct IdempotencyDigest: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Of the value that a client sent with this API key.
    public init(keyID: KeyID, value: String) {
        var text = keyID.uuid.bytes
        text += value.utf8
        let words = text.withUnsafeBytes { SHA256Digest(of: $0) }.words
        (high, low) = (words.0, words.1)
    }

    /// As a record keeps it; nil unless there are 16 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The 16 bytes for the record.
    public var bytes: [UInt8] {
        [high, low].flatMap { word in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
        }
    }

    // The digest is uniform already: one word is enough to spread the buckets.
    public func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// The requests of the last 24 hours that carried an `Idempotency-Key`: a second one with the same key is refused and
/// told the first one's record.
///
/// One table a gateway, used by all its event loops. It holds the newest `entriesMax` requests; when more than these
/// came within 24 hours the oldest are forgotten first, and a retry of those would run again. A request that never
/// reached the journal gives its place back. At start the table is filled from the gateway's own journal; gateways do
/// not know each other's, so a load balancer before several should send an API key's requests to one of them.
public final class IdempotencyTable: Sendable {
    /// What came of asking.
    public enum Claim: Hashable, Sendable {
        /// Nobody used the key: it belongs to this request now.
        case taken
        /// This request used it; refuse with 409 and name it.
        case used(by: RequestID)
    }

    /// How long a key is remembered, in milliseconds of real time.
    public static let rememberedMilliseconds: Int64 = 24 * 3_600_000

    /// About 100 bytes each.
    public static let entriesMaxDefault = 250_000

    private struct Entry {
        let digest: IdempotencyDigest
        let request: RequestID
        let acceptedAt: Timestamp
    }

    private struct State {
        /// A ring: `first` is the oldest, and `count` follow one another. Places grow with use, up to the limit.
        var places: [Entry] = []
        var first = 0
        var count = 0
        var requests: [IdempotencyDigest: RequestID] = [:]
    }

    private let entriesMax: Int
    private let state = Mutex(State())

    /// An empty table of at most so many entries.
    public init(entriesMax: Int = IdempotencyTable.entriesMaxDefault) {
        self.entriesMax = max(entriesMax, 1)
    }

    /// A table that remembers what the journal does, oldest first.
    public convenience init(
        remembering history: [IdempotentRequest], entriesMax: Int = IdempotencyTable.entriesMaxDefault
    ) {
        self.init(entriesMax: entriesMax)
        for request in history {
            guard let digest = IdempotencyDigest(bytes: request.digest) else { continue }
            _ = claim(digest, for: request.requestID, now: request.acceptedAt)
        }
    }

    /// How many are remembered, those that no longer count included until their place is needed.
    public var count: Int { state.withLock { $0.count } }

    /// Takes the key for a request, or says whose it is. `now` is real time.
    public func claim(_ digest: IdempotencyDigest, for request: RequestID, now: Timestamp) -> Claim {
        let limit = now.advanced(byMilliseconds: -Self.rememberedMilliseconds)
        return state.withLock { state in
            while state.count > 0, state.places[state.first].acceptedAt <= limit { Self.forgetOldest(&state) }
            if let first = state.requests[digest] { return .used(by: first) }
            if state.count == entriesMax { Self.forgetOldest(&state) }
            Self.append(Entry(digest: digest, request: request, acceptedAt: now), to: &state, entriesMax)
            state.requests[digest] = request
            return .taken
        }
    }

    /// Gives the key back: the request was not accepted, so that nothing ran.
    public func release(_ digest: IdempotencyDigest, of request: RequestID) {
        state.withLock { state in
            // Its place in the ring stays until it is the oldest.
            if state.requests[digest] == request { state.requests[digest] = nil }
        }
    }

    private static func append(_ entry: Entry, to state: inout State, _ entriesMax: Int) {
        if state.count == state.places.count, state.count < entriesMax {
            // Straightened, so that the ring can grow at its end.
            if state.first > 0 {
                state.places = Array(state.places[state.first...] + state.places[..<state.first])
                state.first = 0
            }
            state.places.append(entry)
        } else {
            state.places[(state.first + state.count) % state.places.count] = entry
        }
        state.count += 1
    }

    private static func forgetOldest(_ state: inout State) {
        let oldest = state.places[state.first]
        if state.requests[oldest.digest] == oldest.request { state.requests[oldest.digest] = nil }
        state.first = (state.first + 1) % state.places.count
        state.count -= 1
    }
}
