public import Identity
import Metering
import Monetary

/// Long prompts, places and times.
extension PlanRules {
    mutating func checkConditions() {
        checkRegions()
        checkTimes()
        for (name, calendar) in document.holidays.sorted(by: { $0.key < $1.key }) {
            let path = "holidays.\(name)"
            if !Names.isName(name) { report(path, Names.ruleForNames) }
            if let late = calendar.days.first(where: { $0 > calendar.until }) {
                report(path, "\(late) lies after until (\(calendar.until)); move one of them")
            }
            if !document.times.contains(where: { $0.holidays == name }) {
                report(path, "no time uses this calendar; name it there, or remove it", severity: .warning)
            }
        }
    }

    /// What time makes stale: calendars of holidays that end within 30 days, or have ended.
    public static func staleFindings(
        in document: PlanDocument, lines: [String: Int], now: Timestamp
    ) -> [PlanFinding] {
        let today = now.milliseconds.floorDivided(by: 86_400_000)
        return document.holidays.sorted { $0.key < $1.key }.compactMap { name, calendar in
            let left = calendar.until.daysSince1970 - today
            guard left < noticeDays else { return nil }
            let path = "holidays.\(name).until"
            return PlanFinding(
                .warning, path: path, line: lines[path],
                "the calendar \(left < 0 ? "ended" : "ends") on \(calendar.until), and later days are ordinary ones: "
                    + "publish a version with the next days")
        }
    }

    private static let noticeDays: Int64 = 30

    mutating func checkBands(of prices: TokenPrices, path: String) {
        var previous: Int64?
        for (index, band) in prices.context.enumerated() {
            let bandPath = "\(path).context[\(index)]"
            if band.above < 0 { report(bandPath, "a bound is 0 or more tokens") }
            if let previous, band.above <= previous {
                report(bandPath, "each band begins above the one before it (\(previous) tokens)")
            }
            previous = band.above
            switch band.change {
            case .factors(let factors):
                if factors.isEmpty { report(bandPath, "give the band a multiplier, multipliers, or prices") }
                checkMeters(of: factors, known: prices, path: bandPath)
            case .prices(let long): checkBandPrices(long, of: prices, path: bandPath)
            }
        }
    }

    /// A band's prices stand in place of the model's: one that is missing there would be another price by accident.
    private mutating func checkBandPrices(_ long: TokenPrices, of prices: TokenPrices, path: String) {
        if !long.context.isEmpty { report("\(path).prices.context", "a band has no bands of its own; remove them") }
        for meter in Meter.allCases where (prices.named(meter) == nil) != (long.named(meter) == nil) {
            report(
                "\(path).prices",
                prices.named(meter) == nil
                    ? "\(meter.planKey) has no price for short prompts; add one there, or remove it here"
                    : "\(meter.planKey) is missing; a band names every price that the model has")
        }
    }

    /// A factor for what has no price of its own would never be applied: such counts are charged with their parent's.
    private mutating func checkMeters(of factors: PriceFactors, known prices: TokenPrices, path: String) {
        let named = Set(prices.namedMeters)
        for meter in factors.byMeter.keys.sorted() where !named.contains(meter) {
            report(
                "\(path).multipliers.\(meter.planKey)",
                "the model has no price of its own for this; name its price, or remove the factor")
        }
    }

    private mutating func checkRegions() {
        for (index, region) in document.regions.enumerated() {
            let path = "regions[\(index)]"
            if !Names.isPattern(region.region) { report("\(path).region", Names.ruleForPatterns) }
            let before = document.regions[..<index].first {
                NamePattern.matches($0.region, region.region) && $0.scope.includes(region.scope)
            }
            if let before { reportUnreachable(path, before.region) }
            checkFactors(region.factors, in: region.scope, path: path)
        }
    }

    private mutating func checkTimes() {
        var names: Set<String> = []
        for (index, time) in document.times.enumerated() {
            let path = "times[\(index)]"
            if !Names.isName(time.name) { report("\(path).name", Names.ruleForNames) }
            let before = document.times[..<index].first { earlier in
                let isAlways = earlier.spans.contains { $0 == WeeklySpan() }
                let isTheSame =
                    earlier.zone == time.zone && earlier.holidays == time.holidays && earlier.spans == time.spans
                return (isAlways || isTheSame) && earlier.scope.includes(time.scope)
            }
            if let before { reportUnreachable(path, before.name) }
            if !names.insert(time.name).inserted { report("\(path).name", "another time has this name") }
            if time.spans.isEmpty { report("\(path).when", "name at least one span of hours") }
            for (place, span) in time.spans.enumerated() where span.from == span.to {
                report("\(path).when[\(place)]", "it ends when it begins; for the whole day leave from and to out")
            }
            let namesHolidays = time.spans.contains { $0.days.contains(.holiday) }
            if let calendar = time.holidays {
                if document.holidays[calendar] == nil {
                    report("\(path).holidays", "unknown calendar; add it under holidays first")
                }
            } else if namesHolidays {
                report("\(path).when", "which days are holidays? Name a calendar with holidays: …")
            }
            checkFactors(time.factors, in: time.scope, path: path)
        }
    }

    private mutating func reportUnreachable(_ path: String, _ earlier: String) {
        report(
            path,
            "it never applies: \(earlier) stands before it and covers all of it; change their order, or remove it",
            severity: .warning)
    }

    private mutating func checkFactors(_ factors: PriceFactors, in scope: PricingScope, path: String) {
        if factors.isEmpty { report(path, "give it a multiplier, or multipliers") }
        let keys = document.models.keys.sorted()
        for pattern in scope.models where !keys.contains(where: { NamePattern.overlap(pattern, $0) }) {
            report("\(path).models", "\(pattern) is no model of the plan")
        }
        let table = PriceTable(document)
        let tiers = Set(table.tiers)
        for tier in scope.tiers where !tiers.contains(tier) {
            report("\(path).tiers", "the plan has no tier \(tier)")
        }
        for key in keys {
            for tier in tiers.sorted() where scope.mayCover(key, tier: tier) && table.sells(key, in: tier) {
                guard let prices = document.prices(of: key, tier: tier) else { continue }
                let named = Set(prices.namedMeters)
                for meter in factors.byMeter.keys.sorted() where !named.contains(meter) {
                    report(
                        "\(path).multipliers.\(meter.planKey)",
                        "\(key) has no price of its own for this; name its price, or leave the model out")
                }
            }
        }
    }
}

extension Names {
    static let ruleForPatterns = "use the name of a region, or its beginning and an asterisk, as in us-*"

    /// A name, or the beginning of one and an asterisk.
    static func isPattern(_ text: String) -> Bool {
        isName(text)
            || (text.utf8.last == UInt8(ascii: "*") && (text.utf8.count == 1 || isName(String(text.dropLast()))))
    }
}
