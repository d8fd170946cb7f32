import Identity
import Limits
import NaiveArithmetic
import Testing

@Suite struct LimitTableTests {
    private struct Asker {
        let account: AccountID
        let tenant: TenantID
        let project: ProjectID
        let key: KeyID

        /// Number `index` of a few; some share an account, and accounts share slots.
        init(_ index: Int) {
            let low = UInt64(index)
            account = AccountID(UUIDv7(high: low / 3, low: 7))
            tenant = TenantID(UUIDv7(high: 20, low: low / 2))
            project = ProjectID(UUIDv7(high: 30, low: low))
            key = KeyID(UUIDv7(high: 40, low: low))
        }

        func rules(in directory: LimitDirectory, model: String) -> [LimitRule] {
            directory.rules(account: account, tenant: tenant, project: project, key: key, model: model)
        }
    }

    private static let askers = (0..<12).map { Asker($0) }

    private func rule(_ number: UInt64, _ generator: inout SeededGenerator) -> LimitRule {
        let asker = Self.askers[Int.random(in: 0..<Self.askers.count, using: &generator)]
        let scopes: [LimitScope] = [
            .account(asker.account), .tenant(asker.tenant), .project(asker.project), .key(asker.key),
        ]
        let models = [nil, "small", "large"]
        return LimitRule(
            id: LimitID(UUIDv7(high: 1, low: number)), accountID: asker.account,
            scope: scopes[Int.random(in: 0..<4, using: &generator)],
            model: models[Int.random(in: 0..<3, using: &generator)], kind: .requestsPerMinute,
            value: Int64.random(in: 1...9, using: &generator), isShadow: false)
    }

    @Test(arguments: Seeds.all)
    func `a table changed rule by rule says what one made anew says, and its copies stay as they were`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var table = LimitTable()
        var rules: [LimitID: LimitRule] = [:]
        var before: (directory: LimitDirectory, rules: [LimitRule])?
        for _ in 0..<40 {
            let new = rule(UInt64.random(in: 0..<12, using: &generator), &generator)
            if let old = rules.removeValue(forKey: new.id) { table.remove(old) }
            if !generator.flip(oneIn: 3) {
                table.add(new)
                rules[new.id] = new
            }
            #expect(table.count == rules.count)
            expect(LimitDirectory(table: table), says: Array(rules.values))
            if generator.flip(oneIn: 8) { before = (LimitDirectory(table: table), Array(rules.values)) }
        }
        if let before { expect(before.directory, says: before.rules) }
        for rule in rules.values { table.remove(rule) }
        #expect(LimitDirectory(table: table).isEmpty)
    }

    private func expect(_ directory: LimitDirectory, says rules: [LimitRule]) {
        for asker in Self.askers {
            let scopes: [LimitScope] = [
                .account(asker.account), .tenant(asker.tenant), .project(asker.project), .key(asker.key),
            ]
            let expected = rules.filter {
                $0.accountID == asker.account && scopes.contains($0.scope) && ($0.model ?? "small") == "small"
            }
            #expect(asker.rules(in: directory, model: "small") == expected.sorted { $0.id < $1.id })
        }
    }

    @Test func `a rule that is not inside is not removed`() {
        var generator = SeededGenerator(seed: 1)
        var table = LimitTable()
        let inside = rule(1, &generator)
        table.remove(inside)
        table.add(inside)
        table.remove(rule(2, &generator))
        #expect(table.count == 1)
    }
}
