import Accounts
import Identity
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct JournalRetirementTests {
    private let journal: JournalID = StorageFixture.id(20)

    /// A journal that was registered at one instant and gave its last sign of life at another.
    private func made(registered: String, heartbeat: String?) async throws -> StorageFixture {
        let made = try await StorageFixture.make()
        let (journal, registered) = (journal, try #require(Timestamp(registered)))
        let beat = try heartbeat.map { try #require(Timestamp($0)) }
        try await made.database.write { tx in
            _ = try JournalStorage.register(journal, gateway: "g1", epoch: 1, now: registered, in: tx)
            guard let beat else { return }
            var batch = IngestBatch(
                journalID: journal, epoch: 1, from: JournalPosition(segment: 0, offset: 0),
                to: JournalPosition(segment: 1, offset: 100))
            batch.heartbeat = (beat, 0)
            _ = try IngestStorage.store(batch, in: tx)
        }
        return made
    }

    @Test(arguments: [
        ("2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z", "2026-11-03T12:00:00Z"),
        ("2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z", "2026-11-03T12:00:59.999Z"),
        ("2026-11-01T00:00:00Z", nil, "2026-11-01T00:00:30Z"),
        // Started again, and silent until now.
        ("2026-11-04T00:00:00Z", "2026-11-03T12:00:00Z", "2026-11-04T00:00:10Z"),
        // A gateway whose clock is ahead.
        ("2026-11-01T00:00:00Z", "2026-11-03T12:00:30Z", "2026-11-03T12:00:00Z"),
    ])
    func `the journal of a gateway that lives is not retired`(
        registered: String, heartbeat: String?, now: String
    ) async throws {
        let made = try await made(registered: registered, heartbeat: heartbeat)
        let (journal, now) = (journal, try #require(Timestamp(now)))
        await #expect {
            try await made.database.write { try JournalStorage.retire(journal, reason: "lost", now: now, in: $0) }
        } throws: {
            "\($0)".contains("gateway g1 is alive")
        }
        #expect(try await made.database.read { try JournalStorage.require(journal, in: $0).retiredAt } == nil)
    }

    @Test(arguments: [(1, true), (59, true), (60, false), (3600, false)])
    func `one that works off a backlog is alive, however old its heartbeats are`(
        seconds: Int64, isAlive: Bool
    ) async throws {
        let made = try await made(registered: "2026-11-01T00:00:00Z", heartbeat: "2026-11-03T12:00:00Z")
        let (journal, stored) = (journal, try #require(Timestamp("2026-11-07T09:00:00Z")))
        try await made.database.write { tx in
            var batch = IngestBatch(
                journalID: journal, epoch: 1, from: JournalPosition(segment: 1, offset: 100),
                to: JournalPosition(segment: 1, offset: 200))
            batch.heartbeat = (try #require(Timestamp("2026-11-03T12:00:10Z")), 0)
            batch.storedAt = stored
            _ = try IngestStorage.store(batch, in: tx)
        }
        let now = stored.advanced(byMilliseconds: seconds * 1000)
        let retire = { @Sendable in
            try await made.database.write { try JournalStorage.retire(journal, reason: "lost", now: now, in: $0) }
        }
        if isAlive {
            await #expect(throws: StorageError.self) { try await retire() }
        } else {
            try await retire()
        }
    }

    @Test(arguments: [(1, true), (59, true), (60, false), (3600, false)])
    func `one whose gateway says that it lives is not retired, though nothing is ingested`(
        seconds: Int64, isAlive: Bool
    ) async throws {
        let made = try await made(registered: "2026-11-01T00:00:00Z", heartbeat: nil)
        let (journal, said) = (journal, try #require(Timestamp("2026-11-07T09:00:00Z")))
        try await made.database.write { tx in
            _ = try JournalStorage.announce(
                journal, gateway: "g1", epoch: 1, by: UUIDv7(high: 1, low: 1), isFirst: true, now: said, in: tx)
        }
        let now = said.advanced(byMilliseconds: seconds * 1000)
        let retire = { @Sendable in
            try await made.database.write { try JournalStorage.retire(journal, reason: "lost", now: now, in: $0) }
        }
        if isAlive {
            await #expect(throws: StorageError.self) { try await retire() }
        } else {
            try await retire()
        }
    }

    @Test func `of two gateways on copies of one directory the one that began first learns of it`() async throws {
        let made = try await made(registered: "2026-11-01T00:00:00Z", heartbeat: nil)
        let (journal, now) = (journal, try #require(Timestamp("2026-11-07T09:00:00Z")))
        let announce = { @Sendable (process: UInt64, isFirst: Bool) in
            try await made.database.write { tx in
                _ = try JournalStorage.announce(
                    journal, gateway: "g\(process)", epoch: 1, by: UUIDv7(high: 1, low: process), isFirst: isFirst,
                    now: now, in: tx)
            }
        }
        try await announce(1, true)
        try await announce(1, false)
        try await announce(2, true)
        await #expect {
            try await announce(1, false)
        } throws: {
            "\($0)".contains("works on a copy of the directory")
        }
        try await announce(2, false)
    }

    @Test(arguments: ["2026-11-03T12:01:00Z", "2026-11-03T12:05:00Z", "2027-01-01T00:00:00Z"])
    func `a silent one is`(now: String) async throws {
        let made = try await made(registered: "2026-11-01T00:00:00Z", heartbeat: "2026-11-03T12:00:00Z")
        let (journal, now) = (journal, try #require(Timestamp(now)))
        try await made.database.write { try JournalStorage.retire(journal, reason: "lost", now: now, in: $0) }
        #expect(try await made.database.read { try JournalStorage.require(journal, in: $0).retiredAt } == now)
    }

    @Test(arguments: ["", " ", "\n\t"])
    func `a reason says something`(reason: String) async throws {
        let made = try await made(registered: "2026-11-01T00:00:00Z", heartbeat: nil)
        let (journal, now) = (journal, try #require(Timestamp("2027-01-01T00:00:00Z")))
        await #expect(throws: StorageError.self) {
            try await made.database.write { try JournalStorage.retire(journal, reason: reason, now: now, in: $0) }
        }
    }

    @Test func `the last admin key revokes neither itself nor, with others, all of them at once`() async throws {
        let made = try await StorageFixture.make()
        let keys = (1...3).map { number in
            AdminKey(
                id: StorageFixture.id(UInt64(number) + 40), name: "k\(number)", role: number == 3 ? .billing : .admin,
                secretDigest: Secret(text: "tga_\(number)").digest, secretHint: "tga_", createdAt: StorageFixture.now)
        }
        try await made.database.write { tx in for key in keys { try AdminKeyStorage.insert(key, in: tx) } }
        @Sendable func revoke(_ number: Int) async -> Bool {
            do {
                try await made.database.write {
                    try AdminKeyStorage.revoke(keys[number].id, now: StorageFixture.now, in: $0)
                }
                return true
            } catch {
                return false
            }
        }
        async let first = revoke(0)
        async let second = revoke(1)
        let done = await [first, second]
        #expect(done.filter(\.self).count == 1, "one of two goes, whoever comes first")
        #expect(await !revoke(done[0] ? 1 : 0))
        #expect(await revoke(2), "the others are no admins")
    }
}
