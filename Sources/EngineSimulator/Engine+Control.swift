import NIOHTTP1

/// The control surface, `/simulator/…`: settings, rules, and the simulator's own book.
extension Engine {
    /// Entries in one page of the book.
    static let pageEntriesMax = 10_000

    /// Answers a request to the control surface.
    func controlAnswer(_ exchange: Exchange) -> PreparedAnswer {
        // What goes on by itself goes on when someone looks.
        advanceBatches()
        closeEndedPredictions()
        closeEndedResponses()
        switch (exchange.head.method, exchange.path) {
        case (.POST, "/simulator/configure"): return configure(exchange)
        case (.GET, "/simulator/state"): return PreparedAnswer(body: stateJSON())
        case (.GET, "/simulator/count"): return PreparedAnswer(body: countJSON())
        case (.GET, "/simulator/requests"): return page(exchange)
        case (.DELETE, "/simulator/requests"):
            log.clear()
            return PreparedAnswer(body: countJSON())
        default: return .notFound
        }
    }

    private func configure(_ exchange: Exchange) -> PreparedAnswer {
        do throws(SettingError) {
            let body: JSONValue
            do throws(JSONSyntaxError) {
                body = try JSONReader.read(exchange.body)
            } catch {
                throw SettingError(description: "not JSON at byte \(error.offset): \(error.reason)")
            }
            guard var members = body.object else { throw SettingError(description: "send a JSON object") }
            let reset = members.removeValue(forKey: "reset")?.bool ?? false
            var rules: [ControlPanel.Rule]?
            if let listed = members.removeValue(forKey: "rules") {
                guard let values = listed.array else { throw SettingError(description: "`rules` is a list") }
                rules = []
                for value in values { rules?.append(try Self.rule(value)) }
            }
            try control.configure(reset: reset, settings: Self.settings(members), rules: rules)
            return PreparedAnswer(body: stateJSON())
        } catch {
            let error = EngineError.badRequest(error.description)
            return PreparedAnswer(status: error.status, body: error.json)
        }
    }

    private static func rule(_ value: JSONValue) throws(SettingError) -> ControlPanel.Rule {
        let known: Set = ["tier", "model", "operation", "for_seconds", "for_requests", "every", "set"]
        guard let members = value.object, let set = value["set"]?.object else {
            throw SettingError(description: "a rule is an object with `set` and its conditions")
        }
        if let unknown = members.keys.first(where: { !known.contains($0) }) {
            let known = known.sorted().joined(separator: ", ")
            throw SettingError(description: "unknown member `\(unknown)` of a rule; known are: \(known)")
        }
        var rule = ControlPanel.Rule()
        rule.tier = value["tier"]?.string
        rule.model = value["model"]?.string
        if let name = value["operation"]?.string {
            guard let operation = Operation(rawValue: name) else {
                throw SettingError(description: "unknown operation `\(name)`")
            }
            rule.operation = operation
        }
        rule.untilMilliseconds = value["for_seconds"]?.int.map { now() + $0 * 1000 }
        rule.requestsLeft = value["for_requests"]?.int
        rule.every = max(1, value["every"]?.int ?? 1)
        rule.settings = try settings(set)
        return rule
    }

    private static func settings(_ members: [String: JSONValue]) throws(SettingError) -> [String: String] {
        var settings: [String: String] = [:]
        for (name, value) in members {
            switch value {
            case .string(let text), .number(let text): settings[name] = text
            case .bool(let flag): settings[name] = String(flag)
            case .null: settings[name] = "none"
            case .array, .object:
                throw SettingError(description: "`\(name)` takes a text, a number, true, false or null")
            }
        }
        return settings
    }

    private func stateJSON() -> String {
        let now = Self.now()
        let state = control.snapshot(now: now)
        let settings = Behavior.settings.map { setting in
            let value =
                switch setting.get(state.base) {
                case .none: "null"
                case .number(let number): String(number)
                case .flag(let flag): String(flag)
                case .text(let text): JSONText.quoted(text)
                }
            return "\"\(setting.name)\":\(value)"
        }
        let rules = state.rules.map { rule in
            let set = rule.settings.sorted { $0.key < $1.key }
                .map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
            return JSONText.object([
                "tier": JSONText.quoted(rule.tier), "model": JSONText.quoted(rule.model),
                "operation": JSONText.quoted(rule.operation?.rawValue), "every": String(rule.every),
                "matched": String(rule.matched), "requests_left": JSONText.number(rule.requestsLeft),
                "milliseconds_left": JSONText.number(rule.untilMilliseconds.map { $0 - now }),
                "set": "{\(set.joined(separator: ","))}",
            ])
        }
        return JSONText.object([
            "seed": String(configuration.seed), "settings": "{\(settings.joined(separator: ","))}",
            "rules": "[\(rules.joined(separator: ","))]",
        ])
    }

    private func countJSON() -> String {
        let totals = log.totals()
        let outcomes = ServedRequest.Outcome.allCases.map { outcome in
            "\"\(outcome.rawValue)\":\(totals.byOutcome[outcome] ?? 0)"
        }
        return JSONText.object([
            "requests": String(totals.requests), "forgotten": String(totals.forgotten),
            "outcomes": "{\(outcomes.joined(separator: ","))}", "prompt_tokens": String(totals.promptTokens),
            "cached_tokens": String(totals.cachedTokens),
            "completion_tokens_produced": String(totals.completionTokensProduced),
            "completion_tokens_sent": String(totals.completionTokensSent),
        ])
    }

    private func page(_ exchange: Exchange) -> PreparedAnswer {
        let after = exchange.query("after").flatMap { Int($0) } ?? 0
        let limit = exchange.query("limit").flatMap { Int($0) } ?? 1000
        let entries = log.entries(after: max(0, after), limit: min(max(1, limit), Self.pageEntriesMax))
        let last = entries.last?.sequence ?? after
        let more = entries.isEmpty ? false : !log.entries(after: last, limit: 1).isEmpty
        let data = entries.map(\.json).joined(separator: ",\n")
        return PreparedAnswer(body: "{\"data\":[\n\(data)\n],\"next_after\":\(last),\"has_more\":\(more)}")
    }
}
