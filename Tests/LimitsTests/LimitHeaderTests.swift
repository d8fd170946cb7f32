import Identity
import Limits
import Testing

@Suite struct LimitHeaderTests {
    private func headers(_ standings: LimitStandings) -> [String: String] {
        var found: [String: String] = [:]
        standings.forEachHeader { found[$0] = $1 }
        return found
    }

    @Test func `headers tell the limit, what is left and when it is whole again`() {
        let found = headers(
            LimitStandings(
                requests: LimitStanding(limit: 60, remaining: 59),
                tokens: LimitStanding(limit: 150_000, remaining: 149_984)))
        #expect(
            found == [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s", "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "7ms",
            ])
    }

    @Test(
        arguments: [
            (100, 100, "0s"), (60_000, 59_880, "120ms"), (40, 39, "1.5s"), (10, 9, "6s"), (1, 0, "1m0s"),
            (1_000, 0, "1m0s"), (60_000, 58_999, "1.001s"), (600, 585, "1.5s"),
        ])
    func `times are written as Go writes durations`(limit: Int64, remaining: Int64, text: String) {
        let found = headers(LimitStandings(requests: LimitStanding(limit: limit, remaining: remaining)))
        #expect(found["x-ratelimit-reset-requests"] == text)
    }

    @Test func `Anthropic's clients are told by Anthropic's names, and when as an instant`() {
        var found: [String: String] = [:]
        // 12:00:00.250; a second and a half later begins 12:00:02.
        let now = Timestamp(milliseconds: 1_795_435_200_250)
        LimitStandings(
            requests: LimitStanding(limit: 40, remaining: 39), tokens: LimitStanding(limit: 1_000, remaining: 1_000),
            inputTokens: LimitStanding(limit: 1_000, remaining: 1_000),
            outputTokens: LimitStanding(limit: 60_000, remaining: 59_880)
        ).forEachAnthropicHeader(now: now) { found[$0] = $1 }
        #expect(
            found == [
                "anthropic-ratelimit-requests-limit": "40", "anthropic-ratelimit-requests-remaining": "39",
                "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:02Z",
                "anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "1000",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:01Z",
                "anthropic-ratelimit-input-tokens-limit": "1000",
                "anthropic-ratelimit-input-tokens-remaining": "1000",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-23T12:00:01Z",
                "anthropic-ratelimit-output-tokens-limit": "60000",
                "anthropic-ratelimit-output-tokens-remaining": "59880",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-23T12:00:01Z",
            ])
        var none = 0
        LimitStandings().forEachAnthropicHeader(now: now) { _, _ in none += 1 }
        #expect(none == 0)
    }

    @Test func `the tightest rule of each sort is told`() {
        let rules = [
            rule(1, .requestsPerMinute, 100), rule(2, .requestsPerMinute, 10), rule(3, .tokensPerMinute, 1_000),
            rule(4, .outputTokensPerMinute, 900), rule(5, .concurrentRequests, 2),
            rule(6, .requestsPerMinute, 1, isShadow: true),
        ]
        var set = LimitSet(hasSource: false)
        guard case .decided(.admitted(let reservation)) = set.admit(rules, demand(input: 200, output: 20), now: 0)
        else {
            Issue.record("it has room")
            return
        }
        #expect(reservation.standings.requests == LimitStanding(limit: 10, remaining: 9))
        #expect(reservation.standings.tokens == LimitStanding(limit: 1_000, remaining: 780))
        #expect(reservation.standings.outputTokens == LimitStanding(limit: 900, remaining: 880))
        #expect(reservation.standings.inputTokens == nil)
    }

    @Test func `a request is held to the rules of its key, project, tenant and account, and of its model`() {
        let account = AccountID(UUIDv7(high: 1, low: 1))
        let tenant = TenantID(UUIDv7(high: 2, low: 1))
        let project = ProjectID(UUIDv7(high: 3, low: 1))
        let key = KeyID(UUIDv7(high: 4, low: 1))
        let other = KeyID(UUIDv7(high: 4, low: 2))
        let rules = [
            rule(5, .requestsPerMinute, 1, scope: .account(account)),
            rule(4, .requestsPerMinute, 1, scope: .tenant(tenant)),
            rule(3, .requestsPerMinute, 1, scope: .project(project)),
            rule(2, .requestsPerMinute, 1, scope: .key(key)),
            rule(1, .requestsPerMinute, 1, model: "small", scope: .key(key)),
            rule(6, .requestsPerMinute, 1, scope: .key(other)),
        ]
        let directory = LimitDirectory(rules: rules)
        func found(_ key: KeyID, _ model: String) -> [UInt64] {
            directory.rules(account: account, tenant: tenant, project: project, key: key, model: model).map(
                \.id.uuid.low)
        }
        #expect(found(key, "large") == [2, 3, 4, 5])
        #expect(found(key, "small") == [1, 2, 3, 4, 5])
        #expect(found(other, "small") == [3, 4, 5, 6])
        let stranger = AccountID(UUIDv7(high: 1, low: 2))
        #expect(
            directory.rules(account: stranger, tenant: tenant, project: project, key: key, model: "small").isEmpty)
    }
}
