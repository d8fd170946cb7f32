public import Engines
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
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
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

/// A client's key for a retry, together with what it asked for under it.
public struct IdempotencyKey: Hashable, Sendable {
    public let digest: IdempotencyDigest
    /// Nil in records of before 16 more bytes told what was asked: any request matches those.
    public let fingerprint: RequestFingerprint?

    /// A key and what was asked under it.
    public init(digest: IdempotencyDigest, fingerprint: RequestFingerprint?) {
        self.digest = digest
        self.fingerprint = fingerprint
    }

    /// As a record keeps it; nil unless there are 16 or 32 bytes.
    public init?(bytes: [UInt8]) {
        guard let digest = IdempotencyDigest(bytes: bytes.prefix(16)) else { return nil }
        let rest = bytes.dropFirst(16)
        self.init(digest: digest, fingerprint: RequestFingerprint(bytes: rest))
        if fingerprint == nil, !rest.isEmpty { return nil }
    }

    /// The bytes for the record.
    public var bytes: [UInt8] { digest.bytes + (fingerprint?.bytes ?? []) }
}

/// The requests of the last 24 hours that carried an `Idempotency-Key` and are running or spent it.
///
/// A key belongs to a request from its acceptance on. Where the request ended without anything delivered or billed, the
/// key is free again (`UsageEntry.spendsIdempotencyKey`).
///
/// One table a gateway, used by all its event loops. It holds the newest `entriesMax` requests; when more than these
/// came within 24 hours the oldest are forgotten first, and a retry of those would run again. At start the table is
/// filled from the gateway's own journal; gateways do not know each other's, so a load balancer before several should
/// send an API key's requests to one of them.
public final class IdempotencyTable: Sendable {
    /// What came of asking.
    public enum Claim: Hashable, Sendable {
        /// The key was free: it belongs to this request now.
        case taken
        /// This request has it and has not ended.
        case running(RequestID)
        /// This request spent it.
        case spent(by: RequestID)
        /// This request has it, and asked for something else.
        case differs(from: RequestID)
    }

    /// How long a key is remembered, in milliseconds of real time.
    public static let rememberedMilliseconds: Int64 = 24 * 3_600_000

    /// About 150 bytes each.
    public static let entriesMaxDefault = 250_000

    private struct Entry {
        let digest: IdempotencyDigest
        let request: RequestID
        let acceptedAt: Timestamp
    }

    private struct Holder {
        let request: RequestID
        let fingerprint: RequestFingerprint?
        var isRunning: Bool
    }

    private struct State {
        /// A ring: `first` is the oldest, and `count` follow one another. Places grow with use, up to the limit.
        var places: [Entry] = []
        var first = 0
        var count = 0
        var holders: [IdempotencyDigest: Holder] = [:]
    }

    private let entriesMax: Int
    private let state = Mutex(State())

    /// An empty table of at most so many entries.
    public init(entriesMax: Int = IdempotencyTable.entriesMaxDefault) {
        self.entriesMax = max(entriesMax, 1)
    }

    /// A table that remembers the spent keys of a journal, oldest first.
    public convenience init(
        remembering history: [IdempotentRequest], entriesMax: Int = IdempotencyTable.entriesMaxDefault
    ) {
        self.init(entriesMax: entriesMax)
        for request in history {
            guard let key = IdempotencyKey(bytes: request.digest) else { continue }
            _ = claim(key, for: request.requestID, now: request.acceptedAt)
            ended(key.digest, of: request.requestID, isSpent: true)
        }
    }

    /// How many are remembered, those that no longer count included until their place is needed.
    public var count: Int { state.withLock { $0.count } }

    /// Takes the key for a request, or says whose it is. `now` is real time.
    public func claim(_ key: IdempotencyKey, for request: RequestID, now: Timestamp) -> Claim {
        let limit = now.advanced(byMilliseconds: -Self.rememberedMilliseconds)
        return state.withLock { state in
            while state.count > 0, state.places[state.first].acceptedAt <= limit { Self.forgetOldest(&state) }
            if let holder = state.holders[key.digest] {
                if let theirs = holder.fingerprint, let ours = key.fingerprint, theirs != ours {
                    return .differs(from: holder.request)
                }
                return holder.isRunning ? .running(holder.request) : .spent(by: holder.request)
            }
            if state.count == entriesMax { Self.forgetOldest(&state) }
            Self.append(Entry(digest: key.digest, request: request, acceptedAt: now), to: &state, entriesMax)
            assert(state.count <= entriesMax)
            state.holders[key.digest] = Holder(request: request, fingerprint: key.fingerprint, isRunning: true)
            return .taken
        }
    }

    /// The request has ended: its key is spent, or free again.
    public func ended(_ digest: IdempotencyDigest, of request: RequestID, isSpent: Bool) {
        state.withLock { state in
            guard state.holders[digest]?.request == request else { return }
            // The place of a freed key in the ring stays until it is the oldest.
            if isSpent { state.holders[digest]?.isRunning = false } else { state.holders[digest] = nil }
            assert(state.holders.count <= state.count)
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
        if state.holders[oldest.digest]?.request == oldest.request { state.holders[oldest.digest] = nil }
        state.first = (state.first + 1) % state.places.count
        state.count -= 1
    }
}
