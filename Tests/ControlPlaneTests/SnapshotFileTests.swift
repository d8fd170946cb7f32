import Foundation
import Identity
import Logging
import Storage
import TestSupport
import Testing

@testable import Accounts
@testable import SnapshotSync

/// The snapshot's file without a database.
struct SnapshotFileTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func withFile(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/tollgate-snapshot-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory + "/snapshot")
    }

    private static func part(keys: ClosedRange<UInt64>) -> SnapshotPart {
        var part = SnapshotPart()
        for number in keys {
            let tenant = TenantReference(accountID: Fixture.id(number / 4), tenantID: Fixture.id(number / 2))
            part.clocks.append(
                SuppliedClock(tenant: tenant, clock: TestClock(alwaysAheadByMilliseconds: Int64(number % 3))))
            part.keys.append(
                SuppliedKey(
                    id: Fixture.id(number), accountID: tenant.accountID, tenantID: tenant.tenantID,
                    projectID: Fixture.id(1), secretDigest: digest(number),
                    expiresAt: number % 5 == 0 ? Fixture.now.advanced(byMilliseconds: 10) : nil))
            if number % 2 == 0 {
                part.subscriptions.append(
                    SuppliedSubscription(
                        id: Fixture.id(number), tenant: tenant, plan: "plan-\(number % 7)",
                        startsAt: Timestamp(milliseconds: 0), endsAt: nil))
            }
        }
        return part
    }

    private static func digest(_ number: UInt64) -> SHA256Digest { SHA256Digest(of: "key \(number)") }

    /// A file of a load of so many keys, two removed and two added by difference, and a sign of life.
    private static func write(_ path: String, keys: UInt64 = 200) async -> SnapshotState {
        var state = SnapshotState(now: Fixture.now)
        state.apply(part(keys: 1...keys), now: Fixture.now)
        state.reach(ChangeMark(number: 5))
        let writer = SnapshotFileWriter(path: path, logger: logger)
        writer.write(state, now: Fixture.now)
        var change = part(keys: keys + 1...keys + 2)
        change.removedKeys = [digest(17)]
        change.goneKeys = [Fixture.id(18)]
        state.apply(change, now: Fixture.now)
        state.reach(ChangeMark(number: 6))
        writer.append(change, change: 6, now: Fixture.now.advanced(byMilliseconds: 1))
        writer.touch(now: Fixture.now.advanced(byMilliseconds: 2))
        await writer.flush()
        return state
    }

    @Test func `a file gives back what was written, with what was appended, to its owner only`() async throws {
        try await Self.withFile { path in
            let state = await Self.write(path, keys: 9000)
            let (read, writtenAt) = try SnapshotFile(path: path).read(now: Fixture.now)
            #expect(read.mark.number == 6 && writtenAt == Fixture.now.advanced(byMilliseconds: 2))
            #expect(read.keys.count == 9000 && state.keys.count == 9000)
            for number in 1...9002 as ClosedRange<UInt64> {
                let digest = Self.digest(number)
                #expect(
                    read.keys.grant(forSecretDigest: digest, at: Fixture.now)
                        == state.keys.grant(forSecretDigest: digest, at: Fixture.now), "key \(number)")
            }
            #expect([17, 18].allSatisfy { read.keys.grant(forSecretDigest: Self.digest($0), at: Fixture.now) == nil })
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func `a damaged file is refused wherever the damage is`() async throws {
        try await Self.withFile { path in
            _ = await Self.write(path)
            let whole = try #require(FileManager.default.contents(atPath: path))
            var random = SeededGenerator(seed: 3)
            let places = (0..<300).map { _ in Int.random(in: 0..<whole.count, using: &random) }
            for place in places {
                var damaged = whole
                damaged[place] ^= UInt8.random(in: 1...255, using: &random)
                try damaged.write(to: URL(fileURLWithPath: path))
                do {
                    let read = try SnapshotFile(path: path).read(now: Fixture.now)
                    // Only a frame at the end may be missing, never what was loaded.
                    #expect(read.state.mark.number >= 5 && read.state.keys.count == 200, "byte \(place)")
                } catch is SnapshotFileError {
                    continue
                }
            }
        }
    }

    @Test func `a file cut at any place is refused, or is as it was before its last frames`() async throws {
        try await Self.withFile { path in
            _ = await Self.write(path)
            let whole = try #require(FileManager.default.contents(atPath: path))
            for end in stride(from: whole.count - 1, to: whole.count - 700, by: -13) {
                try whole.prefix(end).write(to: URL(fileURLWithPath: path))
                do {
                    let read = try SnapshotFile(path: path).read(now: Fixture.now)
                    #expect(read.state.keys.count == 200)
                    #expect(read.state.mark.number == 5 || read.state.mark.number == 6)
                } catch SnapshotFileError.corrupt {
                    continue
                }
            }
            try (whole + Data(count: 300)).write(to: URL(fileURLWithPath: path))
            #expect(try SnapshotFile(path: path).read(now: Fixture.now).state.mark.number == 6)
            try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: path))
            #expect(throws: SnapshotFileError.self) { try SnapshotFile(path: path).read(now: Fixture.now) }
            #expect(throws: SnapshotFileError.missing(path: path + "x")) {
                try SnapshotFile(path: path + "x").read(now: Fixture.now)
            }
        }
    }

    @Test func `what seals ids is encrypted in the file, or not in it`() async throws {
        let secret = Array("0123456789abcdef0123456789abcdef".utf8)
        let keyring = try SecretKeyring(String(repeating: "11", count: 32))
        let other = try SecretKeyring(String(repeating: "22", count: 32))
        var part = SnapshotPart()
        part.sealingSecret = secret
        func read(_ bytes: [UInt8], _ keyring: SecretKeyring?) throws -> [UInt8]? {
            try bytes.withUnsafeBytes { try SnapshotPartCoding.part(of: $0, openedBy: keyring) }.sealingSecret
        }
        let sealed = try SnapshotPartCoding.bytes(of: part, sealedBy: keyring)
        let text = String(decoding: sealed, as: UTF8.self)
        #expect(!text.contains(Hexadecimal.text(of: secret)) && !text.contains("0123456789abcdef"))
        #expect(try read(sealed, keyring) == secret)
        #expect(try read(sealed, other) == nil && read(sealed, nil) == nil)
        let bare = try SnapshotPartCoding.bytes(of: part)
        #expect(!String(decoding: bare, as: UTF8.self).contains(Hexadecimal.text(of: secret)))
        #expect(try read(bare, keyring) == nil)
        // A copy of an older gateway has it in clear.
        let old = text.replacing(
            #/"sealedSecret":"[^"]*"/#, with: #""sealingSecret":"\#(Hexadecimal.text(of: secret))""#)
        #expect(try read(Array(old.utf8), nil) == secret)
    }
}
