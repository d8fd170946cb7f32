import Glibc
import Identity
import Metering
import Synchronization

@testable import UsageJournal

/// A small generator that a seed determines (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// The seeds that property tests run over: 200, or as many as `TOLLGATE_SEEDS` says.
var seeds: Range<Int> {
    0..<(getenv("TOLLGATE_SEEDS").flatMap { Int(String(cString: $0)) } ?? 200)
}

extension SeededGenerator {
    mutating func uuid() -> UUIDv7 {
        UUIDv7(
            milliseconds: Int64.random(in: 1_700_000_000_000...1_900_000_000_000, using: &self),
            randomness: (next(), next()))
    }

    mutating func text(atMost most: Int) -> String {
        let letters: [Character] = ["a", "Z", "0", "-", "\"", "\n", "é", "漢", "🦜", "\u{0}"]
        return String(
            (0..<Int.random(in: 0...most, using: &self)).map { _ in letters.randomElement(using: &self) ?? "x" })
    }

    mutating func maybe<Value>(_ make: (inout SeededGenerator) -> Value) -> Value? {
        Bool.random(using: &self) ? make(&self) : nil
    }

    mutating func number() -> Int64 {
        [0, 1, -1, .max, .min, Int64.random(in: -1000...1_000_000, using: &self)].randomElement(using: &self) ?? 0
    }

    mutating func one<Value: CaseIterable>(of type: Value.Type) -> Value? {
        Array(type.allCases).randomElement(using: &self)
    }

    mutating func buckets() -> TokenBuckets {
        TokenBuckets(
            inputUncached: number(), inputAudio: number(), inputImage: number(), inputVideo: number(),
            cacheRead: number(), cacheReadAudio: number(), cacheReadImage: number(), cacheReadVideo: number(),
            cacheWriteFiveMinutes: number(), cacheWriteHour: number(), cacheWriteLong: number(),
            outputVisible: number(), outputAudio: number(), outputImage: number(), outputReasoning: number())
    }

    mutating func units() -> UsageUnits {
        UsageUnits(
            images: number(), audioMilliseconds: number(), characters: number(), searches: number(),
            computeMilliseconds: number())
    }

    mutating func timings() -> EngineTimings {
        EngineTimings(
            queue: maybe { $0.number() }, prefill: maybe { $0.number() }, decode: maybe { $0.number() },
            firstToken: maybe { $0.number() }, total: maybe { $0.number() })
    }

    mutating func marks() -> TimeMarks {
        TimeMarks(
            upstreamSent: maybe { $0.number() }, firstByte: maybe { $0.number() }, firstToken: maybe { $0.number() },
            lastToken: maybe { $0.number() }, end: maybe { $0.number() })
    }

    mutating func attempt(number: Int32) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: AttemptID(uuid()), number: number, backend: text(atMost: 9), upstreamModel: text(atMost: 20),
            priceKey: text(atMost: 20), hardware: text(atMost: 9), quantisation: text(atMost: 9))
        attempt.modelServed = text(atMost: 30)
        attempt.tierServed = maybe { $0.text(atMost: 9) }
        attempt.buckets = buckets()
        attempt.usageSource = one(of: UsageSource.self) ?? .nothing
        attempt.usageComplete = .random(using: &self)
        attempt.contradiction = maybe { $0.text(atMost: 40) }
        attempt.termination = one(of: Termination.self) ?? .complete
        attempt.finishReason = maybe { $0.text(atMost: 9) }
        attempt.upstreamStatus = .random(in: .min ... .max, using: &self)
        attempt.upstreamID = maybe { $0.text(atMost: 40) }
        attempt.contentEvents = self.number()
        attempt.marks = marks()
        attempt.isDelivered = .random(using: &self)
        attempt.kind = one(of: InferenceKind.self) ?? .primary
        attempt.units = units()
        attempt.timings = timings()
        attempt.isBatch = .random(using: &self)
        attempt.region = text(atMost: 12)
        attempt.engineCost = maybe { $0.text(atMost: 12) }
        attempt.notes = RecordNotes(rawValue: .random(in: 0...1000, using: &self))
        attempt.rawUsage = (0..<Int.random(in: 0...300, using: &self)).map { _ in .random(in: 0...255, using: &self) }
        return attempt
    }

    mutating func entry(attempts: ClosedRange<Int> = 0...4) -> UsageEntry {
        let request = RequestRecord(
            id: RequestID(uuid()), accountID: AccountID(uuid()), tenantID: TenantID(uuid()),
            projectID: ProjectID(uuid()), keyID: KeyID(uuid()), subscriptionID: SubscriptionID(uuid()),
            surface: one(of: Surface.self) ?? .messages, modelRequested: text(atMost: 40),
            model: maybe { $0.text(atMost: 20) + "m" },
            idempotencyDigest: maybe { generator in (0..<16).map { _ in .random(in: 0...255, using: &generator) } }
                ?? [],
            tierRequested: text(atMost: 10), isStream: .random(using: &self),
            outcome: one(of: RequestOutcome.self) ?? .success, httpStatus: .random(in: .min ... .max, using: &self),
            reason: text(atMost: 20), marks: marks(),
            tags: (0..<Int.random(in: 0...Tag.countMax / 2, using: &self)).map { _ in
                Tag(name: text(atMost: 9), value: text(atMost: 40))
            },
            clockOffsetMilliseconds: number(), notes: RecordNotes(rawValue: .random(in: 0...1000, using: &self)))
        let count = Int.random(in: attempts, using: &self)
        return UsageEntry(request: request, attempts: (0..<count).map { attempt(number: Int32($0 + 1)) })
    }

    mutating func refusal() -> RefusalCount {
        RefusalCount(
            accountID: maybe { AccountID($0.uuid()) }, keyID: maybe { KeyID($0.uuid()) }, reason: text(atMost: 20),
            minute: Timestamp(milliseconds: number()), count: number())
    }
}

/// A directory of its own that goes away with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        // In memory where the machine has such a place: these tests open journals thousands of times.
        let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/tollgate-journal-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/tollgate-journal"
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        for name in (try? JournalDirectory(path: path).names()) ?? [] where name != "." && name != ".." {
            if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        }
        rmdir(path)
    }
}

/// Reads and writes whole files, to damage them.
enum Bytes {
    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "w") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// Collects from any thread.
final class Collector<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { values.withLock { $0 } }

    func add(_ value: Value) { values.withLock { $0.append(value) } }

    /// Waits until there are `count`, at most ten seconds.
    func wait(for count: Int) -> [Value] {
        for _ in 0..<10_000 where all.count < count { usleep(1000) }
        return all
    }
}

extension Journal {
    /// Closes a request and waits until that is durable.
    func progressAndWait(_ progress: UsageProgress) -> Result<Void, JournalError> {
        let results = Collector<Result<Void, JournalError>>()
        appendProgress(progress) { results.add($0) }
        return results.wait(for: 1).first ?? .failure(.failed("nothing came back within ten seconds"))
    }

    func closeAndWait(_ entry: UsageEntry, _ reservation: CloseReservation) -> Result<Void, JournalError> {
        let results = Collector<Result<Void, JournalError>>()
        appendClose(entry, reservation: reservation) { results.add($0) }
        return results.wait(for: 1).first ?? .failure(.failed("nothing came back within ten seconds"))
    }
}

/// All items of a directory, read cold.
func readAll(_ directory: String, from position: JournalPosition = .start) throws -> [JournalItem] {
    var reader = try JournalReader(directory: directory, from: position)
    var items: [JournalItem] = []
    while case let next = try reader.next(limit: 100), !next.isEmpty { items += next }
    return items
}

extension [JournalItem] {
    var entries: [JournalEntry] {
        compactMap { if case .entry(let entry) = $0.content { entry } else { nil } }
    }

    var closed: [UsageEntry] {
        entries.compactMap { if case .close(let entry) = $0 { entry } else { nil } }
    }

    var quarantined: [QuarantinedRange] {
        compactMap { if case .quarantined(let range) = $0.content { range } else { nil } }
    }
}
