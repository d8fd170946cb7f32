import Accounts
import Engines
import Foundation
import Identity
import Limits
import Postgres
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct LimitStorageTests {
    private func rule(
        _ made: StorageFixture, _ number: UInt64 = 50, kind: LimitKind = .requestsPerMinute, value: Int64 = 10,
        model: String? = nil, isShadow: Bool = false
    ) -> LimitRule {
        LimitRule(
            id: StorageFixture.id(number), accountID: made.account.id, scope: .key(made.key.id), model: model,
            kind: kind, value: value, isShadow: isShadow)
    }

    private func request(_ rule: LimitRule, _ wanted: Int64, free: Int64 = 0, spent: Int64 = 0) -> SliceRequest {
        SliceRequest(
            accountID: rule.accountID, limitID: rule.id, spent: spent, spentConfirmed: 0, isFirst: false, free: free,
            reserved: 0, need: min(wanted, 1), wanted: wanted, ahead: 0)
    }

    @Test func `a limit is made, changed, listed and deleted, and gateways learn of each`() async throws {
        let made = try await StorageFixture.make()
        let first = rule(made)
        try await made.database.write { tx in
            try LimitFixture.applyCatalogue(in: tx)
            try LimitStorage.insert(first, now: StorageFixture.now, in: tx)
            try LimitStorage.insert(rule(made, 51, model: "sim-small"), now: StorageFixture.now, in: tx)
            try LimitStorage.insert(rule(made, 52, isShadow: true), now: StorageFixture.now, in: tx)
        }
        await #expect(throws: StorageError.self) {
            try await made.database.write { tx in
                try LimitStorage.insert(rule(made, 53), now: StorageFixture.now, in: tx)
            }
        }
        let mark = try await made.database.read { try ChangeStorage.newest(in: $0) }
        try await made.database.write { tx in
            try LimitStorage.update(first.id, value: 20, isShadow: nil, now: StorageFixture.now, in: tx)
            try LimitStorage.delete(StorageFixture.id(52), in: tx)
        }
        let limits = try await made.database.read { tx in
            try LimitStorage.list(scope: .key(made.key.id), in: tx).items.map(\.rule)
        }
        #expect(limits.map(\.value) == [20, 10])
        #expect(limits.map(\.model) == [nil, "sim-small"])
        let part = try await made.database.read { try SnapshotStorage.difference(since: mark, in: $0)?.part }
        #expect(part?.limits == [limits[0]])
        #expect(part?.removedLimits == [StorageFixture.id(52)])
    }

    @Test func `a limit on an alias is one on its model, and one on no model is refused`() async throws {
        let made = try await StorageFixture.make()
        try await made.database.write { tx in
            try LimitFixture.applyCatalogue(in: tx)
            try LimitStorage.insert(rule(made, 50, model: "latest"), now: StorageFixture.now, in: tx)
        }
        let models = { try await made.database.read { try LimitStorage.list(in: $0).items.map(\.rule.model) } }
        #expect(try await models() == ["sim-small"])
        for name in ["sim-smal", "", "SIM-SMALL", "*"] {
            await #expect(throws: StorageError.self, "\(name)") {
                try await made.database.write { tx in
                    try LimitStorage.insert(rule(made, 51, model: name), now: StorageFixture.now, in: tx)
                }
            }
        }
        await #expect(throws: StorageError.self) {
            try await made.database.write { tx in
                try LimitStorage.insert(rule(made, 52, model: "sim-small"), now: StorageFixture.now, in: tx)
            }
        }
        #expect(try await models() == ["sim-small"])
    }

    @Test func `a model that gets another name and keeps the old one as an alias keeps its limits`() async throws {
        let made = try await StorageFixture.make()
        try await made.database.write { tx in
            try LimitFixture.applyCatalogue(in: tx)
            try LimitStorage.insert(rule(made, 50, model: "sim-small"), now: StorageFixture.now, in: tx)
        }
        let mark = try await made.database.read { try ChangeStorage.newest(in: $0) }
        try await made.database.write { try LimitFixture.applyCatalogue("sim-tiny", aliases: ["sim-small"], in: $0) }
        let part = try await made.database.read { try SnapshotStorage.difference(since: mark, in: $0)?.part }
        #expect(part?.limits.map(\.model) == ["sim-tiny"])
    }

    @Test(arguments: [[10, 20, 30], [30, 20, 10], [20, 20, 20], [0, 1_000_000_000_000, 5]])
    func `of limits that become one the strictest moves, and the others stay in sight`(values: [Int64]) async throws {
        let made = try await StorageFixture.make()
        let names = ["one", "two", "three"]
        try await made.database.write { tx in
            try LimitFixture.applyCatalogue(names: names, in: tx)
            for (index, name) in names.enumerated() {
                let first = rule(made, UInt64(50 + index), value: values[index], model: name)
                try LimitStorage.insert(first, now: StorageFixture.now, in: tx)
                let shadow = rule(made, UInt64(60 + index), value: 7, model: name, isShadow: true)
                if index > 0 { try LimitStorage.insert(shadow, now: StorageFixture.now, in: tx) }
            }
        }
        try await made.database.write { try LimitFixture.applyCatalogue("sim-tiny", aliases: names, in: $0) }
        let all = try await made.database.read { try LimitStorage.list(in: $0).items.map(\.rule) }
        #expect(all.count == 5)
        #expect(all.filter { $0.model == "sim-tiny" && !$0.isShadow }.map(\.value) == [values.min() ?? -1])
        #expect(all.filter { $0.model == "sim-tiny" && $0.isShadow }.map(\.id) == [StorageFixture.id(61)])
        // Again, and as the migration does it.
        try await made.database.write { try LimitFixture.applyCatalogue("sim-tiny", aliases: names, in: $0) }
        #expect(try await made.database.read { try LimitStorage.list(in: $0).items.map(\.rule) } == all)
        let text = try String(
            contentsOfFile: "\(repositoryRoot)/migrations/0015_limits_by_own_name.sql", encoding: .utf8)
        let moved = names[values.firstIndex(of: values.min() ?? -1) ?? 0]
        try await made.database.write { tx in
            try tx.execute(
                "UPDATE limits SET model = CASE WHEN is_shadow THEN 'two' ELSE \(moved) END WHERE model = 'sim-tiny'")
            try tx.execute("\(unescaped: text)")
        }
        #expect(try await made.database.read { try LimitStorage.list(in: $0).items.map(\.rule) } == all)
    }

    @Test func `two gateways never get more than the limit, and asking waits for nobody in a circle`() async throws {
        let made = try await StorageFixture.make()
        let rules = [
            rule(made, 60, value: 40), rule(made, 61, kind: .concurrentRequests, value: 40),
        ]
        try await made.database.write { tx in
            for rule in rules { try LimitStorage.insert(rule, now: StorageFixture.now, in: tx) }
        }
        let byGateway = try await withThrowingTaskGroup(of: (UInt64, [SliceGrant]).self) { group in
            for gateway in 1...8 as ClosedRange<UInt64> {
                group.addTask {
                    let order = gateway.isMultiple(of: 2) ? rules : rules.reversed()
                    let grants = try await made.database.write { tx in
                        try LimitSliceStorage.exchange(
                            order.map { request($0, 7) }, gateway: UUIDv7(high: 1, low: gateway), in: tx)
                    }
                    return (gateway, grants)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let granted = byGateway.values.flatMap { $0 }
        for rule in rules {
            #expect(granted.filter { $0.limitID == rule.id }.reduce(0) { $0 + $1.amount } == 40)
        }
        // A gateway that reports what it spent and kept gives the rest back. Five of eight got all they asked for of
        // each limit, so two at least got it of both.
        let full = try #require(byGateway.first { $0.value.allSatisfy { $0.amount == 7 } }?.key)
        let after = try await made.database.write { tx in
            try LimitSliceStorage.exchange(
                rules.map { request($0, 0, free: 1, spent: 4) }, gateway: UUIDv7(high: 1, low: full), in: tx)
        }
        #expect(after.map(\.amount) == [0, 0])
        #expect(after.allSatisfy { $0.gatewayCount == 8 && $0.isHeldElsewhere })
        #expect(after[1].available >= 4)
    }

    @Test func `who asks for more than is left makes the others hear of it`() async throws {
        let made = try await StorageFixture.make()
        let limit = rule(made, 70)
        try await made.database.write { try LimitStorage.insert(limit, now: StorageFixture.now, in: $0) }
        let (first, second) = (UUIDv7(high: 1, low: 1), UUIDv7(high: 1, low: 2))
        _ = try await made.database.write { tx in
            try LimitSliceStorage.exchange([request(limit, 10)], gateway: first, in: tx)
        }
        let listener = try made.database.listenForRecalls(of: first)
        let (recalls, recalled) = AsyncStream.makeStream(of: [LimitID].self)
        let listening = Task { await listener.forward { recalled.yield($0) } }
        // Asked again and again: what was said before the listener was there is lost.
        let asking = Task {
            while !Task.isCancelled {
                _ = try await made.database.write { tx in
                    try LimitSliceStorage.exchange([request(limit, 1)], gateway: second, in: tx)
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        for await ids in recalls {
            #expect(ids == [limit.id])
            break
        }
        asking.cancel()
        _ = await asking.result
        listener.stop()
        await listening.value
    }

    @Test func `a deleted limit has no grant`() async throws {
        let made = try await StorageFixture.make()
        let limit = rule(made, 80)
        try await made.database.write { try LimitStorage.insert(limit, now: StorageFixture.now, in: $0) }
        try await made.database.write { tx in
            _ = try LimitSliceStorage.exchange([request(limit, 1)], gateway: UUIDv7(high: 1, low: 1), in: tx)
            try LimitStorage.delete(limit.id, in: tx)
            let grants = try LimitSliceStorage.exchange(
                [request(limit, 1)], gateway: UUIDv7(high: 1, low: 1), in: tx)
            #expect(grants.isEmpty)
        }
    }
}

private enum LimitFixture {
    /// One model with one alias.
    static func applyCatalogue(
        _ name: String = "sim-small", aliases: [String] = ["latest"], in tx: Transaction
    ) throws {
        let backend = try Backend(
            name: "sim", baseURL: "http://127.0.0.1:9000", apiKey: nil, hardware: "", quantisation: "")
        let model = CatalogueModel(
            publicName: name, aliases: aliases, backend: backend, upstreamName: "sim-small", priceKey: "sim-small",
            contextTokensMax: 1000, outputTokensMax: 100, tenantsAllowed: nil, createdAtSeconds: 0)
        try CatalogueStorage.apply(backends: [backend], models: [model], now: StorageFixture.now, in: tx)
    }

    /// Models without an alias.
    static func applyCatalogue(names: [String], in tx: Transaction) throws {
        let backend = try Backend(
            name: "sim", baseURL: "http://127.0.0.1:9000", apiKey: nil, hardware: "", quantisation: "")
        let models = names.map { name in
            CatalogueModel(
                publicName: name, aliases: [], backend: backend, upstreamName: name, priceKey: name,
                contextTokensMax: 1000, outputTokensMax: 100, tenantsAllowed: nil, createdAtSeconds: 0)
        }
        try CatalogueStorage.apply(backends: [backend], models: models, now: StorageFixture.now, in: tx)
    }
}
